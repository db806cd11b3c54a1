// Posts of a Page or an Instagram account, and the comments below them.
import { until } from "./until.js";

const encoded = encodeURIComponent;

/** An account with a post and a person, and what is done with them. */
export class Wall {
  static async build(world, flavour, account) {
    return new Wall(world, account ?? (await world.meta.account(flavour)), await world.meta.makePerson());
  }

  constructor(world, account, person) {
    this.api = world.api;
    this.meta = world.meta;
    this.account = account;
    this.profile = account.profile;
    this.person = person;
    this.path = `/accounts/${account.id}`;
  }

  async post(text = "Three new glazes") {
    return (this.id = (await this.meta.control("POST", `${this.path}/posts`, { text })).id);
  }

  /** Comments in the sandbox; gives its comment. `user: null` is the account itself. */
  async write(text, { user = this.person.id, ...more } = {}) {
    if (!this.id) await this.post();
    return (await this.meta.control("POST", `${this.path}/posts/${encoded(this.id)}/comments`, { text, ...(user === null ? {} : { user }), ...more })).comment;
  }

  async list(query = "per_page=100") {
    const answer = await this.api.ask("GET", `/api/posts/${encoded(this.id)}/comments?profile_id=${this.profile.id}&${query}`);
    return answer.status === 404 ? { total: 0, data: [] } : answer.json;
  }

  /** The comment as the API has it, once it is here and `fits`. */
  find(id, fits = () => true) {
    return until(async () => {
      const answer = await this.api.ask("GET", this.commentPath(id));
      return answer.status === 200 && fits(answer.json) && answer.json;
    }, `comment ${id} is here`);
  }

  commentPath(id, post = this.id) {
    return `/api/posts/${encoded(post)}/comments/${encoded(id)}?profile_id=${this.profile.id}`;
  }

  async hear(text, options) {
    return this.find((await this.write(text, options)).id);
  }

  replyPath(id, { post = this.id, profile = this.profile.id } = {}) {
    return `/api/posts/${encoded(post)}/comments/${encoded(id)}/private_reply${profile === null ? "" : `?profile_id=${profile}`}`;
  }

  reply(id, text = "Here is how to order", options) {
    return this.api.post(this.replyPath(id, options), { text }, { status: 202 });
  }

  refusal(id, body = { text: "Here is how to order" }, options) {
    return this.api.refusal("POST", this.replyPath(id, options), body);
  }

  /** Delivers a change as Meta does. */
  tell(value, time = Date.now()) {
    const field = this.profile.platform === "facebook" ? "feed" : "comments";
    return this.meta.deliver({ object: field === "feed" ? "page" : "instagram", entry: [{ id: this.account.id, time: Math.floor(time / 1000), changes: [{ field, value }] }] });
  }

  async events() {
    return (await this.api.get(`/api/events?limit=1000&types=comment.created&profile_id=${this.profile.id}`)).data;
  }

  async chats() {
    return (await this.api.get(`/api/profiles/${this.profile.id}/chats?per_page=100`)).data;
  }

  async scopedId(person = this.person) {
    return (await this.meta.control("GET", "/people")).data.find(({ id }) => id === person.id).scoped_ids[this.account.id];
  }
}
