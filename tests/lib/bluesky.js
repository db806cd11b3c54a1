// Bluesky as the sandbox plays it: accounts, and what people do from theirs.
import { Talk } from "./talk.js";

/** What the server must be told to find the sandbox's Bluesky, and to ask it often. */
export function blueskySettings(url) {
  return {
    PARLEY_BLUESKY_SERVICE_URL: url,
    PARLEY_BLUESKY_APPVIEW_URL: url,
    PARLEY_BLUESKY_PLC_URL: url,
    PARLEY_BLUESKY_POLL_SECONDS: "200ms",
    PARLEY_BLUESKY_ACTIVE_SECONDS: "100ms",
  };
}

export class Bluesky {
  constructor(world) {
    this.world = world;
    this.made = 0;
  }

  control(method, path, body) {
    return this.world.sandbox.control(method, `/bluesky${path}`, body);
  }

  /** An account with an app password that may read messages (`password`) and one that may not (`plain`). */
  async makeAccount(account = {}) {
    const n = ++this.made;
    const handle = `account${n}.sandbox.test`;
    const made = await this.control("POST", "/accounts", { handle, display_name: `Account ${n}`, allow_incoming: "all", ...account });
    const secret = (await this.control("POST", `/accounts/${handle}/app-passwords`, { name: "chat", privileged: true })).password;
    const plain = (await this.control("POST", `/accounts/${handle}/app-passwords`, { name: "plain", privileged: false })).password;
    this.world.secrets.push(secret, plain);
    return { ...made, handle, password: secret, plain };
  }

  credentials(account) {
    return { platform: "bluesky", identifier: account.handle, app_password: account.password };
  }

  async connect(account, groupId = this.world.groupId) {
    const answer = await this.world.api.post(`/api/profile_groups/${groupId}/initialize_connection`, this.credentials(account));
    return this.world.api.get(`/api/profiles/${answer.profile.id}`);
  }

  async account(options) {
    const account = await this.makeAccount(options);
    return { ...account, profile: await this.connect(account) };
  }

  /** A person who has written to a connected account, and the chat that came of it, once it is known who they are. */
  async talk({ account, person } = {}) {
    return new BlueskyTalk(this, account ?? (await this.account()), person ?? (await this.makeAccount())).begin("Hello");
  }

  /** A chat with a person who never wrote. */
  async silence({ account, person } = {}) {
    const talk = new BlueskyTalk(this, account ?? (await this.account()), person ?? (await this.makeAccount()));
    talk.chat = await this.world.api.post(`/api/profiles/${talk.profile.id}/chats`, { participant_external_id: talk.person.did });
    return talk;
  }

  async calls(query = "") {
    return (await this.control("GET", `/calls${query}`)).data;
  }

  /** What this account asked for, oldest first; `method` is the last part of the name. */
  callsOf(account, method) {
    return this.calls(`?account=${account.did}${method ? `&method=${method}` : ""}`);
  }

  /** How often it asked for that. */
  async count(account, method) {
    return (await this.callsOf(account, method)).length;
  }

  /** Orders trouble on what this account asks for. */
  fault(account, order) {
    return this.world.sandbox.fault({ platform: "bluesky", account: account.did, ...order });
  }

  /** Does `work` under other settings of the sandbox's, then puts them back. */
  async under(settings, work) {
    const { bluesky } = await this.world.sandbox.control("GET", "/settings");
    await this.world.sandbox.control("POST", "/settings", { bluesky: settings });
    try {
      return await work();
    } finally {
      const before = Object.fromEntries(Object.keys(settings).map((name) => [name, bluesky[name]]));
      await this.world.sandbox.control("POST", "/settings", { bluesky: before });
    }
  }
}

/** One person and one connected account. */
export class BlueskyTalk extends Talk {
  constructor(bluesky, account, person) {
    super(bluesky.world, account, person);
    this.bluesky = bluesky;
    this.account = account;
  }

  findChat() {
    return this.chatWith(this.person.did);
  }

  /** The person writes; gives the chat service's message with its `id`. */
  async write(text) {
    return (await this.bluesky.control("POST", `/accounts/${this.person.handle}/messages`, { to: this.account.did, text })).message;
  }

  async hear(text, fits) {
    return this.find((await this.write(text)).id, fits);
  }

  /** Both sides as the account has them, oldest first. */
  async onBluesky(convo = this.chat.external_conversation_id) {
    return (await this.bluesky.control("GET", `/accounts/${this.account.did}/convos/${convo}/messages`)).data;
  }

  /** The texts that the person got, oldest first. */
  async got(convo = this.chat.external_conversation_id) {
    const { data } = await this.bluesky.control("GET", `/accounts/${this.person.did}/convos/${convo}/messages`);
    return data.filter((m) => m.direction === "in").map((m) => m.text);
  }

  /** The account's owner does something in the app of Bluesky's: "POST", "/mute"; "DELETE", "/messages/3k..."; ... */
  act(method, path, body, who = this.account) {
    return this.bluesky.control(method, `/accounts/${who.did}/convos/${this.chat.external_conversation_id}${path}`, body);
  }
}
