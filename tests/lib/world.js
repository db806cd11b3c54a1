// A server with a sandbox behind it, and the people and bots in it. One for a test file; each test makes its own bots.
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import http from "node:http";
import { basename, join } from "node:path";
import { after, before } from "node:test";

import { Api } from "./api.js";
import { Bluesky, blueskySettings } from "./bluesky.js";
import { Meta, metaSettings } from "./meta.js";
import { Program, run, temporaryFolder } from "./process.js";
import { Sandbox } from "./sandbox.js";
import { Talk } from "./talk.js";
import { askDatabase, changeDatabase, steadyPort } from "./trouble.js";
import { until } from "./until.js";

export const KEY = "test-key-of-the-whole-workspace-0123456789";

/** Where a PostgreSQL server is around (tools/with-postgres), the worlds are on it. */
export const onPostgres = Boolean(process.env.PARLEY_TEST_DATABASE_URL);

/** What a test about the file of SQLite says there. */
export const aboutFile = onPostgres && "it is about the file of SQLite";

/** What psql answers, without ornaments. */
function psql(server, sql) {
  return execFileSync("psql", ["--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--command", sql, server],
    { stdio: ["ignore", "pipe", "inherit"], encoding: "utf8" }).trim();
}

/** A schema of the world's own, and the settings that lead to it. */
export function databaseSettings(folder) {
  if (!onPostgres) return {};
  const server = process.env.PARLEY_TEST_DATABASE_URL;
  const name = basename(folder);
  psql(server, `CREATE SCHEMA "${name}"`);
  return {
    PARLEY_DATABASE_URL: `${server}&options=-csearch_path%3D%22${name}%22`,
    PARLEY_SECRET_KEY: Buffer.alloc(32, name).toString("base64"),
  };
}

/**
 * Begins a world before the tests of this file (or `describe`) and ends it after them. `webhook: false` leaves the public URL
 * away, so that updates are polled; `env` adds settings; `ready(world)` is done before the first test.
 */
export function world({ ready, ...options } = {}) {
  const made = new World(options);
  before(async () => {
    await made.start();
    await ready?.(made);
  });
  after(() => made.stop());
  return made;
}

export class World {
  constructor({ env = {}, webhook = true, secrets = [] } = {}) {
    this.env = env;
    this.webhook = webhook;
    this.secrets = [KEY, ...secrets];
    this.folder = temporaryFolder();
    this.database = databaseSettings(this.folder);
    this.people = 0;
    this.mayDie = false; // the server's end while it starts is meant to be
    this.meta = new Meta(this);
    this.bluesky = new Bluesky(this);
  }

  async start(env) {
    this.sandboxProgram = new Program(["sandbox", "--listen", "127.0.0.1:0"]);
    this.sandbox = new Sandbox(`http://${await this.sandboxProgram.listening()}`, () => this.sandboxProgram.stop());
    await this.serve(env);
  }

  /** Starts the server, again with the same data after `this.server.stop()` or `kill()`. */
  async serve(env = {}) {
    this.port ??= await steadyPort();
    this.settings = {
      PARLEY_DATA_DIR: this.folder,
      ...this.database,
      PARLEY_API_KEY: KEY,
      PARLEY_TELEGRAM_API_URL: this.sandbox.url,
      ...metaSettings(this.sandbox.url),
      ...blueskySettings(this.sandbox.url),
      PARLEY_PACE: "no",
      PARLEY_RETRY_AFTER: "100ms,200ms,300ms,400ms",
      ...(this.webhook ? { PARLEY_PUBLIC_URL: `http://127.0.0.1:${this.port}` } : { PARLEY_TELEGRAM_POLL_SECONDS: "1" }),
      ...this.env,
      ...env,
    };
    this.server = new Program(["serve", "--listen", `127.0.0.1:${this.port}`], this.settings);
    this.server.secrets = this.secrets;
    this.server.stopping = this.mayDie;
    this.api = new Api(`http://${await this.server.listening()}`, KEY);
    this.groupId ??= (await this.api.get("/api/profile_groups")).data[0].id;
  }

  async stop() {
    try {
      await this.server?.stop();
    } finally {
      await this.sandboxProgram?.stop();
    }
  }

  /** Changes the database while no server uses it. */
  changeDatabase(sql) {
    if (onPostgres) psql(this.database.PARLEY_DATABASE_URL, sql);
    else changeDatabase(join(this.folder, "parley.db"), sql);
  }

  /** Asks the database; gives the lines. */
  askDatabase(sql) {
    const answer = onPostgres ? psql(this.database.PARLEY_DATABASE_URL, sql) : askDatabase(join(this.folder, "parley.db"), sql);
    return answer.split("\n").filter(Boolean);
  }

  /** A command on the server's data: { code, stdout, stderr }. */
  command(args, { env, input } = {}) {
    return run(args, { env: { ...this.settings, ...env }, input });
  }

  /** A bot on the platform: { id, token, username, first_name }. */
  async makeBot(bot = {}) {
    const n = ++this.people;
    const made = await this.sandbox.control("POST", "/telegram/bots", { first_name: `Bot ${n}`, username: `test_${n}_bot`, ...bot });
    this.secrets.push(made.token);
    return made;
  }

  async makePerson(person = {}) {
    const n = ++this.people;
    return this.sandbox.control("POST", "/telegram/users",
      { first_name: `Person ${n}`, last_name: "Test", username: `person_${n}`, language_code: "en", ...person });
  }

  /** The profile of the bot, connected now or again; Telegram lets a webhook be set once a second. */
  async connect(bot, groupId = this.groupId) {
    const path = `/api/profile_groups/${groupId}/initialize_connection`;
    const answer = await until(async () => {
      const now = await this.api.ask("POST", path, { json: { platform: "telegram", bot_token: bot.token } });
      return now.status !== 429 && now;
    }, "Telegram lets the bot be connected");
    if (answer.status > 299) throw new Error(`connecting answered ${answer.status}: ${answer.text}`);
    return this.api.get(`/api/profiles/${answer.json.profile.id}`);
  }

  /** A connected bot with its profile. */
  async bot(options) {
    const bot = await this.makeBot(options);
    return { ...bot, profile: await this.connect(bot) };
  }

  /** A person who has written /start to a connected bot, and the chat that came of it, once it is known who they are. */
  async talk({ bot, person } = {}) {
    return new TelegramTalk(this, bot ?? (await this.bot()), await this.makePerson(person)).begin("/start");
  }

  /** A chat with a person who never wrote. */
  async silence({ bot, person } = {}) {
    const talk = new TelegramTalk(this, bot ?? (await this.bot()), await this.makePerson(person));
    talk.chat = await this.api.post(`/api/profiles/${talk.profile.id}/chats`, { participant_external_id: String(talk.person.id) });
    return talk;
  }
}

/** One person and one bot. */
export class TelegramTalk extends Talk {
  constructor(world, bot, person) {
    super(world, bot, person);
    this.bot = bot;
  }

  findChat() {
    return this.chatWith(String(this.person.id));
  }

  /** The person writes; gives Telegram's message. */
  async write(body) {
    return (await this.world.sandbox.write(body, this.person.id, this.bot.id)).message;
  }

  /** The person does something to a message: "PATCH", "/5"; "POST", "/5/tap"; ... */
  act(method, path, body) {
    return this.world.sandbox.control(method, `${this.world.sandbox.chat(this.person.id, this.bot.id)}${path}`, body);
  }

  /** The inbound message with that id of Telegram's, once it is here. */
  received(externalId, fits = () => true) {
    return until(async () => (await this.list("per_page=100&direction=inbound")).find((m) => m.external_id === String(externalId) && fits(m)),
      `message ${externalId} arrives`);
  }

  /** What the person wrote, as it arrived. */
  async hear(body, fits) {
    return this.received((await this.write(body)).message_id, fits);
  }

  /** Both sides as Telegram has them, oldest first. */
  onTelegram() {
    return this.world.sandbox.messages(this.person.id, this.bot.id);
  }

  /** What the bot asked for. */
  async calls(method) {
    const { data } = await this.world.sandbox.control("GET", `/telegram/bots/${this.bot.id}/calls${method ? `?method=${method}` : ""}`);
    return data;
  }

  /** Orders trouble for this bot. */
  fault(order) {
    return this.world.sandbox.fault({ bot: this.bot.id, ...order });
  }
}

/** A web server for media. `site.files[path] = { bytes, type, status }` or a function (request, response). `site.asked` lists paths. */
export async function startSite() {
  const site = { files: {}, asked: [] };
  const server = http.createServer((request, response) => {
    site.asked.push(request.url);
    const file = site.files[request.url];
    if (typeof file === "function") file(request, response);
    else if (!file) response.writeHead(404).end();
    else response.writeHead(file.status ?? 200, { "Content-Type": file.type ?? "application/octet-stream", ...file.headers }).end(file.bytes);
  });
  server.listen(0, "127.0.0.1").unref();
  await once(server, "listening");
  site.url = `http://127.0.0.1:${server.address().port}`;
  site.stop = async () => {
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  };
  return site;
}
