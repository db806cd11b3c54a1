// A chat between one person and one connected account, as the server has it. What the person does is each platform's: `write` and
// `findChat` are for the classes that extend this one.
import { until } from "./until.js";

export class Talk {
  constructor(world, account, person) {
    this.world = world;
    this.person = person;
    this.profile = account.profile;
  }

  get api() {
    return this.world.api; /* another one after a restart */
  }

  get messagesPath() {
    return `/api/chats/${this.chat.id}/messages`;
  }

  /** The chat with the participant of that id on the platform, if there is one. */
  async chatWith(id) {
    const { data } = await this.api.get(`/api/profiles/${this.profile.id}/chats?per_page=100`);
    return data.find((chat) => chat.participant_external_id === id);
  }

  /** The person writes that, and a chat comes of it; gives this talk once it is known who the person is. */
  async begin(text) {
    await this.write(text);
    this.chat = await until(async () => {
      const chat = await this.findChat();
      return chat?.metadata?.participant_fetched_at && chat;
    }, "the chat exists");
    return this;
  }

  readChat() {
    return this.api.get(`/api/chats/${this.chat.id}`);
  }

  /** Everything in the chat here, newest first. */
  async list(query = "per_page=100") {
    return (await this.api.get(`${this.messagesPath}?${query}`)).data;
  }

  /** The message with that id of the platform's, once it is here and `fits`. */
  find(id, fits = () => true, seconds) {
    return until(async () => (await this.list()).find((m) => m.external_id === id && fits(m)), `message ${id} is here`, seconds);
  }

  /** Sends; gives the message as it was accepted. */
  send(body, options) {
    return this.api.post(this.messagesPath, typeof body === "string" ? { body } : body, { status: 202, ...options });
  }

  /** The message once its status is that. One that waits may have gone on before anybody looks; then it is as it was told. */
  reaches(message, status, seconds) {
    return until(async () => {
      const now = await this.api.get(`/api/messages/${message.id}`);
      if (now.status === status) return now;
      const waited = status === "failed_waiting_for_retry" && now.status !== "pending" && (await this.told(now, `message.${status}`));
      if (now.status === "failed" && !waited) throw new Error(`it failed: ${now.error_message}`);
      return waited;
    }, `message ${message.id} is ${status}`, seconds);
  }

  /** The message as it was when that was told of it last. */
  async told({ id, chat_id }, type) {
    const { data } = await this.api.get(`/api/events?limit=1000&types=${type}&chat_id=${chat_id}`);
    return data.findLast((event) => event.data.message.id === id)?.data.message;
  }

  /** Sends and waits until it is with the platform. */
  async say(body, options) {
    return this.reaches(await this.send(body, options), "published");
  }

  /** As `api.refusal` for sends into this chat. */
  refusal(body, options) {
    return this.api.refusal("POST", this.messagesPath, body, options);
  }
}
