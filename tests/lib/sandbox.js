// Starts `parley sandbox` and speaks to it: as a bot, as a person, and as the server that gets its webhooks.
import { spawn } from "node:child_process";
import { once } from "node:events";
import http from "node:http";
import readline from "node:readline";

import "./node18.js";

const binary = process.env.PARLEY_BIN ?? new URL("../../build/parley", import.meta.url).pathname;

/** The bot and the person who exist from the start. */
export const BOT = { id: 1000001, token: "1000001:sandbox-default-bot-token-000000000" };
export const PERSON = 7000001;

/** Starts one on a free port. Ends with `await sandbox.stop()`, which fails when it did not end well. */
export async function startSandbox() {
  const child = spawn(binary, ["sandbox", "--listen", "127.0.0.1:0"], {
    stdio: ["ignore", "ignore", "pipe"],
    env: { ...process.env, PARLEY_LOG_FORMAT: "json" },
  });
  const exited = once(child, "exit");
  const log = [];
  const address = await new Promise((resolve, reject) => {
    readline.createInterface({ input: child.stderr }).on("line", (line) => {
      log.push(line);
      if (line.includes('"msg":"listening"')) resolve(JSON.parse(line).address);
    });
    child.on("error", reject);
    child.on("exit", (code) => reject(new Error(`the sandbox ended with ${code}:\n${log.join("\n")}`)));
  });
  return new Sandbox(`http://${address}`, async () => {
    child.kill("SIGTERM");
    const [code, signal] = await exited;
    if (code !== 0) throw new Error(`the sandbox ended with ${code ?? signal}:\n${log.join("\n")}`);
  });
}

export class Sandbox {
  constructor(url, stop) {
    this.url = url;
    this.stop = stop;
  }

  /** A call of the control API; throws on anything but success. */
  async control(method, path, body) {
    const isForm = body instanceof FormData;
    const response = await fetch(`${this.url}/sandbox${path}`, {
      method,
      body: body === undefined || isForm ? body : JSON.stringify(body),
      headers: body === undefined || isForm ? {} : { "Content-Type": "application/json" },
    });
    const answer = await response.json();
    if (!response.ok) throw Object.assign(new Error(answer.error), { status: response.status });
    return answer;
  }

  /** A call of the Bot API with JSON parameters: { status, headers, ...envelope }. */
  async call(method, params = {}, token = BOT.token) {
    return this.send(method, { body: JSON.stringify(params), headers: { "Content-Type": "application/json" } }, token);
  }

  /** The same with any request. */
  async send(method, init, token = BOT.token) {
    const response = await fetch(`${this.url}/bot${token}/${method}`, { method: "POST", ...init });
    const text = await response.text();
    return { status: response.status, headers: response.headers, text, ...JSON.parse(text) };
  }

  /** As `call`, but only the result; an error throws its description. */
  async ask(method, params, token) {
    const answer = await this.call(method, params, token);
    if (!answer.ok) throw new Error(answer.description);
    return answer.result;
  }

  /** As `call`, for what must fail: "400 Bad Request: ...". */
  async refusal(method, params, token) {
    const answer = await this.call(method, params, token);
    return answer.ok ? "ok" : `${answer.error_code} ${answer.description}`;
  }

  chat(person = PERSON, bot = BOT.id) {
    return `/telegram/bots/${bot}/chats/${person}`;
  }

  /** The person writes a text, or whatever the body is. */
  async write(body, person = PERSON, bot = BOT.id) {
    return this.control("POST", `${this.chat(person, bot)}/messages`, typeof body === "string" ? { text: body } : body);
  }

  async messages(person = PERSON, bot = BOT.id) {
    return (await this.control("GET", `${this.chat(person, bot)}/messages`)).data;
  }

  async calls(method, bot = BOT.id) {
    return (await this.control("GET", `/telegram/bots/${bot}/calls?method=${method}`)).data;
  }

  fault(order) {
    return this.control("POST", "/faults", order);
  }

  advance(ms) {
    return this.control("POST", "/clock", { advance_ms: ms });
  }

  reset() {
    return this.control("POST", "/reset");
  }

  /** The live stream. `await stream.until(event => ...)` gives the first event that fits, from the beginning on. */
  async watch() {
    const abort = new AbortController();
    const response = await fetch(`${this.url}/sandbox/events`, { signal: abort.signal });
    const news = new Queue();
    (async () => {
      let text = "";
      for await (const piece of response.body.pipeThrough(new TextDecoderStream())) {
        text += piece;
        for (let end; (end = text.indexOf("\n\n")) >= 0; text = text.slice(end + 2)) {
          const event = /^event: (.*)\ndata: (.*)$/s.exec(text.slice(0, end));
          if (event) news.push({ event: event[1], ...JSON.parse(event[2]) });
        }
      }
    })().catch(() => {});
    return {
      async until(fits) {
        for (;;) {
          const event = await news.next();
          if (fits(event)) return event;
        }
      },
      close: () => abort.abort(),
    };
  }
}

/** What has come can be awaited, also before it comes. */
export class Queue {
  items = [];
  waiting = [];

  push(item) {
    const resolve = this.waiting.shift();
    if (resolve) resolve(item);
    else this.items.push(item);
  }

  next() {
    if (this.items.length > 0) return Promise.resolve(this.items.shift());
    return new Promise((resolve) => this.waiting.push(resolve));
  }
}

/**
 * A server that gets webhooks. `await hook.next()` is the next request: { update, headers, answer(status, headers, body), drop() }.
 * Each must be answered by the test.
 */
export async function startHook() {
  const arrived = new Queue();
  const server = http.createServer((request, response) => {
    const pieces = [];
    request.on("data", (piece) => pieces.push(piece));
    request.on("end", () => {
      const text = Buffer.concat(pieces).toString();
      arrived.push({
        text,
        get update() {
          return JSON.parse(text);
        },
        method: request.method,
        path: request.url,
        headers: request.headers,
        port: request.socket.remotePort,
        answer: (status = 200, headers = {}, body = "") => response.writeHead(status, headers).end(body),
        drop: () => request.socket.destroy(),
      });
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${server.address().port}/hook`,
    next: () => arrived.next(),
    get waiting() {
      return arrived.items.length;
    },
    async stop() {
      if (!server.listening) return;
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

/** A PNG of that size, all black: as small as such a picture can be. */
export function png(width, height) {
  const chunk = (type, data) => {
    const body = Buffer.concat([Buffer.from(type), data]);
    const framed = Buffer.alloc(body.length + 8);
    framed.writeUInt32BE(data.length);
    body.copy(framed, 4);
    framed.writeUInt32BE(crc32(body), body.length + 4);
    return framed;
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header[8] = 1;
  return Buffer.concat([Buffer.from("\x89PNG\r\n\x1a\n", "latin1"), chunk("IHDR", header), chunk("IEND", Buffer.alloc(0))]);
}

function crc32(bytes) {
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}
