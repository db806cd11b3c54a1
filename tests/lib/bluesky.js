// Bluesky as the sandbox plays it: accounts, and what people do from theirs.
import { until } from "./until.js";

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
    const talk = new BlueskyTalk(this, account ?? (await this.account()), person ?? (await this.makeAccount()));
    await talk.write("Hello");
    talk.chat = await until(async () => {
      const chat = await talk.findChat();
      return chat?.metadata?.participant_fetched_at && chat;
    }, "the chat exists");
    return talk;
  }

  async calls(query = "") {
    return (await this.control("GET", `/calls${query}`)).data;
  }
}

/** One person and one connected account. */
export class BlueskyTalk {
  constructor(bluesky, account, person) {
    this.bluesky = bluesky;
    this.world = bluesky.world;
    this.api = bluesky.world.api;
    this.account = account;
    this.person = person;
    this.profile = account.profile;
  }

  get messagesPath() {
    return `/api/chats/${this.chat.id}/messages`;
  }

  async findChat() {
    const { data } = await this.api.get(`/api/profiles/${this.profile.id}/chats?per_page=100`);
    return data.find((chat) => chat.participant_external_id === this.person.did);
  }

  readChat() {
    return this.api.get(`/api/chats/${this.chat.id}`);
  }

  /** The person writes; gives the chat service's message with its `id`. */
  async write(text) {
    return (await this.bluesky.control("POST", `/accounts/${this.person.handle}/messages`, { to: this.account.did, text })).message;
  }

  async list(query = "per_page=100") {
    return (await this.api.get(`${this.messagesPath}?${query}`)).data;
  }

  find(id, fits = () => true, seconds) {
    return until(async () => (await this.list()).find((m) => m.external_id === id && fits(m)), `message ${id} is here`, seconds);
  }

  async hear(text, fits) {
    return this.find((await this.write(text)).id, fits);
  }

  send(body, options) {
    return this.api.post(this.messagesPath, typeof body === "string" ? { body } : body, { status: 202, ...options });
  }

  reaches(message, status, seconds) {
    return until(async () => {
      const now = await this.api.get(`/api/messages/${message.id}`);
      if (now.status === "failed" && status !== "failed") throw new Error(`it failed: ${now.error_message}`);
      return now.status === status && now;
    }, `message ${message.id} is ${status}`, seconds);
  }

  async say(body, options) {
    return this.reaches(await this.send(body, options), "published");
  }

  refusal(body, options) {
    return this.api.refusal("POST", this.messagesPath, body, options);
  }
}
