// Messenger and Instagram as the sandbox plays them: accounts, people, and what they do to each other.
import { Talk } from "./talk.js";
import { until } from "./until.js";

export const META = {
  app: { id: "1000200030004001", secret: "sandbox-app-secret-0123456789abcdef", verify_token: "sandbox-verify-token" },
  instagram: { id: "2000300040005001", secret: "sandbox-instagram-secret-0123456789" },
  userToken: "EAASandboxUserToken00000000000000000001",
};

/** What the server must be told to find the sandbox's Meta. */
export function metaSettings(url) {
  return {
    PARLEY_META_GRAPH_URL: url,
    PARLEY_META_LOGIN_URL: url,
    PARLEY_INSTAGRAM_GRAPH_URL: `${url}/instagram`,
    PARLEY_INSTAGRAM_LOGIN_URL: `${url}/instagram`,
    PARLEY_INSTAGRAM_TOKEN_URL: `${url}/instagram`,
    PARLEY_META_APP_ID: META.app.id,
    PARLEY_META_APP_SECRET: META.app.secret,
    PARLEY_META_VERIFY_TOKEN: META.app.verify_token,
    PARLEY_INSTAGRAM_APP_ID: META.instagram.id,
    PARLEY_INSTAGRAM_APP_SECRET: META.instagram.secret,
  };
}

export const FLAVOURS = ["facebook", "instagram through its Page", "instagram by itself"];

export class Meta {
  constructor(world) {
    this.world = world;
    this.made = 0;
  }

  control(method, path, body) {
    return this.world.sandbox.control(method, `/meta${path}`, body);
  }

  /** Names the server's webhook to the app, as one does in Meta's dashboard; Meta tries it with a challenge. */
  async setCallback(url = `http://127.0.0.1:${this.world.port}/webhooks/meta`, verify_token = META.app.verify_token) {
    for (const object of ["page", "instagram"]) await this.control("POST", "/app/callback", { object, url, verify_token });
  }

  async makeAccount(flavour = "facebook") {
    const name = `Account ${++this.made}`;
    const make = (account) => this.control("POST", "/accounts", account);
    let account;
    if (flavour === "facebook") account = await make({ kind: "page", name, username: `page.${this.made}` });
    else if (flavour === "instagram by itself") account = await make({ kind: "instagram", login: true, name, username: `insta.${this.made}` });
    else {
      const page = await make({ kind: "page", name: `${name}'s Page`, username: `page.${this.made}` });
      account = await make({ kind: "instagram", page: page.id, name, username: `insta.${this.made}` });
      account.token = page.token;
    }
    this.world.secrets.push(account.token);
    return { ...account, flavour };
  }

  /** What POST initialize_connection wants for it. */
  credentials(account) {
    if (account.flavour === "facebook") return { platform: "facebook", page_id: account.id, access_token: account.token };
    return { platform: "instagram", account_id: account.id, access_token: account.token, ...(account.page ? { page_id: account.page } : {}) };
  }

  async connect(account, groupId = this.world.groupId) {
    const answer = await this.world.api.post(`/api/profile_groups/${groupId}/initialize_connection`, this.credentials(account));
    return this.world.api.get(`/api/profiles/${answer.profile.id}`);
  }

  async account(flavour) {
    const account = await this.makeAccount(flavour);
    return { ...account, profile: await this.connect(account) };
  }

  makePerson(person = {}) {
    const n = ++this.made;
    return this.control("POST", "/people", { first_name: `Person ${n}`, last_name: "Test", username: `person.${n}`, ...person });
  }

  /** A person who has written to a connected account, and the chat that came of it, once it is known who they are. */
  async talk(flavour, { account, person } = {}) {
    return new MetaTalk(this, account ?? (await this.account(flavour)), person ?? (await this.makePerson())).begin("Hello");
  }

  /** Delivers this payload, or this list of them, as it is, signed. */
  deliver(payload) {
    return this.control("POST", "/events", payload);
  }

  async calls(query = "") {
    return (await this.control("GET", `/calls${query}`)).data;
  }

  /** Every event has been delivered and answered, second copies and repetitions too. */
  async calm() {
    await until(async () => Object.values((await this.control("GET", "/app")).callbacks).every((hook) => hook.waiting + hook.under_way === 0), "all is delivered");
  }
}

/** One person and one account. */
export class MetaTalk extends Talk {
  constructor(meta, account, person) {
    super(meta.world, account, person);
    this.meta = meta;
    this.account = account;
    this.path = `/accounts/${account.id}/chats/${person.id}`;
  }

  /** The person's id at this account, once they have met. */
  async scopedId() {
    const { data } = await this.meta.control("GET", "/people");
    return data.find((person) => person.id === this.person.id).scoped_ids[this.account.id];
  }

  async findChat() {
    return this.chatWith(await this.scopedId());
  }

  /** Anything the person or the business does in the sandbox: "POST", "/messages"; "DELETE", "/messages/MID"; ... */
  act(method, path, body) {
    return this.meta.control(method, `${this.path}${path}`, body);
  }

  /** The person writes; gives the sandbox's message with its `mid`. */
  async write(body) {
    return (await this.act("POST", "/messages", typeof body === "string" ? { text: body } : body)).message;
  }

  async hear(body, fits) {
    return this.find((await this.write(body)).mid, fits);
  }

  /** Both sides as Meta has them, oldest first. */
  async onMeta() {
    return (await this.act("GET", "/messages")).data;
  }
}
