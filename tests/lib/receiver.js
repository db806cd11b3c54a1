// Plays a subscriber: a web server that keeps what webhooks send it and answers as told.
import { once } from "node:events";
import http from "node:http";

import { checkEvent } from "./contract.js";
import { until } from "./until.js";

export class Receiver {
  requests = [];
  /** By path: a status, or a function (request, response) that answers. Everything else is answered 204. */
  answers = {};

  async start(port = 0) {
    this.server = http.createServer((request, response) => this.#receive(request, response));
    this.server.listen(port, "127.0.0.1");
    await once(this.server, "listening");
    this.url = `http://127.0.0.1:${this.server.address().port}`;
    return this;
  }

  async stop() {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, "close");
    if (this.complaint) throw this.complaint;
  }

  async #receive(request, response) {
    const pieces = [];
    for await (const piece of request) pieces.push(piece);
    const text = Buffer.concat(pieces).toString("utf8");
    const got = { path: request.url, method: request.method, headers: request.headers, text, event: JSON.parse(text), at: Date.now() };
    try {
      checkEvent(got.event);
    } catch (error) {
      this.complaint ??= error;
    }
    this.requests.push(got);
    const answer = this.answers[request.url] ?? 204;
    if (typeof answer === "function") answer(got, response);
    else response.writeHead(answer).end();
  }

  /** What came to a path, in the order it came. */
  at(path) {
    return this.requests.filter((request) => request.path === path);
  }

  /** Waits until a path has `n` requests that fit, and gives them. */
  async await(path, n = 1, fits = () => true, seconds) {
    return until(() => {
      const all = this.at(path).filter(fits);
      return all.length >= n && all;
    }, `${n} fitting requests at ${path}`, seconds);
  }
}
