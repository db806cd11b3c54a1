// A client of the API that checks every answer against the contract.
import net from "node:net";

import { checkResponse } from "./contract.js";

export class Api {
  constructor(url, key) {
    this.url = url;
    this.key = key;
  }

  /** The same server with another key; null for none. */
  with(key) {
    return new Api(this.url, key);
  }

  /**
   * Any request: { status, headers, bytes, text, json }. The body is `json`, `form` (an object), `multipart` (a FormData) or
   * `body` (as it is). The answer is held against the contract.
   */
  async ask(method, path, { json, form, multipart, body, headers, signal } = {}) {
    const init = { method, headers: { ...headers }, signal, redirect: "manual" };
    if (this.key !== null && !("Authorization" in init.headers)) init.headers.Authorization = `Bearer ${this.key}`;
    if (json !== undefined) {
      init.body = JSON.stringify(json);
      init.headers["Content-Type"] ??= "application/json";
    } else if (form !== undefined) {
      init.body = new URLSearchParams(form);
    } else if (multipart !== undefined) {
      init.body = multipart;
    } else if (body !== undefined) {
      init.body = body;
    }
    const response = await fetch(this.url + path, init);
    const bytes = Buffer.from(await response.arrayBuffer());
    checkResponse({ method, path, status: response.status, headers: response.headers, body: bytes });
    return {
      status: response.status,
      headers: response.headers,
      bytes,
      get text() {
        return bytes.toString("utf8");
      },
      get json() {
        return JSON.parse(this.text);
      },
    };
  }

  /** As `ask`; the body of a success. `status` in the options says which success. */
  async take(method, path, options = {}) {
    const answer = await this.ask(method, path, options);
    const fits = options.status === undefined ? answer.status >= 200 && answer.status < 300 : answer.status === options.status;
    if (!fits) throw new Error(`${method} ${path} answered ${answer.status}: ${answer.text}`);
    return answer.json;
  }

  get(path, options) {
    return this.take("GET", path, options);
  }

  post(path, json, options) {
    return this.take("POST", path, { json, ...options });
  }

  patch(path, json, options) {
    return this.take("PATCH", path, { json, ...options });
  }

  delete(path, options) {
    return this.take("DELETE", path, options);
  }

  /** For what must fail: "400 body or media is required". */
  async refusal(method, path, json, options) {
    const answer = await this.ask(method, path, { json, ...options });
    return answer.status >= 400 ? `${answer.status} ${answer.json.error}` : `${answer.status} ${answer.text}`;
  }
}

/**
 * Writes these bytes to a connection of their own and reads until the other side closes, or until `enough(responses)`.
 * Gives { responses: [{ status, headers, body }], closed }. Answers have a Content-Length or no body.
 */
export function raw(url, pieces, { enough, methods = [] } = {}) {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, hostname);
    let bytes = Buffer.alloc(0);
    const finish = (closed) => {
      socket.destroy();
      try {
        resolve({ responses: parseResponses(bytes, methods).responses, closed });
      } catch (error) {
        reject(error);
      }
    };
    socket.on("data", (piece) => {
      bytes = Buffer.concat([bytes, piece]);
      if (enough && enough(parseResponses(bytes, methods).responses)) finish(false);
    });
    socket.on("end", () => finish(true));
    socket.on("error", (error) => (error.code === "ECONNRESET" || error.code === "EPIPE" ? finish(true) : reject(error)));
    for (const piece of [pieces].flat()) socket.write(piece);
  });
}

/** Reads as many complete responses as there are; `methods` tells which of them answer HEAD. */
export function parseResponses(bytes, methods = []) {
  const responses = [];
  let rest = bytes;
  for (;;) {
    const end = rest.indexOf("\r\n\r\n");
    if (end < 0) break;
    const [line, ...fields] = rest.subarray(0, end).toString("latin1").split("\r\n");
    const match = /^HTTP\/1\.[01] (\d{3})/.exec(line);
    if (!match) throw new Error(`not a response: ${line}`);
    const status = Number(match[1]);
    const headers = new Headers(fields.map((field) => [field.slice(0, field.indexOf(":")), field.slice(field.indexOf(":") + 1).trim()]));
    const after = rest.subarray(end + 4);
    const length = Number(headers.get("content-length") ?? 0);
    const bodiless = status < 200 || status === 204 || status === 304 || methods[responses.filter((r) => r.status >= 200).length] === "HEAD";
    if (!bodiless && after.length < length) break;
    responses.push({ status, headers, body: bodiless ? Buffer.alloc(0) : after.subarray(0, length) });
    rest = after.subarray(bodiless ? 0 : length);
  }
  return { responses, rest };
}
