// Reads server-sent events as the WHATWG says they are to be read, over a connection of its own.
import http from "node:http";

import { checkEvent } from "./contract.js";
import { until } from "./until.js";

export class Stream {
  /** What came: { id, type, event }. */
  events = [];
  comments = 0;
  lastId = "";
  retry = undefined;
  ended = false; // properly
  broken = false; // otherwise

  #block = {};
  #rest = "";

  /** Opens `path` (with its query) at an Api; resolves when the head of the answer is there. */
  static async open(api, query = "", headers = {}) {
    const stream = new Stream();
    await stream.#start(api, query, headers);
    return stream;
  }

  #start(api, query, headers) {
    return new Promise((resolve, reject) => {
      this.request = http.get(`${api.url}/api/events${query}`, { headers: { Authorization: `Bearer ${api.key}`, Accept: "text/event-stream", ...headers }, agent: false });
      this.request.on("error", (error) => {
        this.broken = true;
        reject(error);
      });
      this.request.on("response", (response) => {
        this.response = response;
        this.status = response.statusCode;
        this.headers = response.headers;
        response.setEncoding("utf8");
        response.on("data", (text) => this.#take(text));
        response.on("end", () => (this.ended = true));
        response.on("error", () => (this.broken = true));
        resolve();
      });
    });
  }

  #take(text) {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop();
    for (const line of lines) this.#line(line);
  }

  #line(line) {
    if (line === "") {
      this.#dispatch();
      return;
    }
    if (line.startsWith(":")) {
      this.comments++;
      return;
    }
    const colon = line.indexOf(":");
    const field = line.slice(0, colon);
    const value = line.slice(colon + 1).replace(/^ /, "");
    if (!["id", "event", "data", "retry"].includes(field)) throw new Error(`a strange line: ${line}`);
    if (field in this.#block) throw new Error(`${field} comes twice in one block`);
    this.#block[field] = value;
  }

  #dispatch() {
    const { id, event, data, retry } = this.#block;
    this.#block = {};
    if (id !== undefined) this.lastId = id;
    if (retry !== undefined) this.retry = Number(retry);
    if (data === undefined) return;
    const parsed = JSON.parse(data);
    checkEvent(parsed);
    if (parsed.id !== id || parsed.type !== event) throw new Error(`id and event differ from the data: ${id} ${event} ${data}`);
    this.events.push({ id, type: event, event: parsed, at: Date.now() });
  }

  get ids() {
    return this.events.map(({ id }) => id);
  }

  /** Waits for an event that fits, and gives it. */
  await(fits = () => true, seconds) {
    return until(() => this.events.find(({ event }) => fits(event)), "the event is streamed", seconds);
  }

  close() {
    this.request.destroy();
  }
}
