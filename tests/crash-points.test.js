// Every place where state changes hands: the server dies there, starts again, and the books are right.
//
// The program says which places there are (`parley crash-points`), and here is what makes it come by each. Four servers share the
// visits; each makes its own one after another, and keeps books of all that it promised.
import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import http from "node:http";
import { basename, join } from "node:path";
import { describe, test } from "node:test";

import { Doom, noPoints, points, runToDie } from "./lib/doom.js";
import { run, temporaryFolder } from "./lib/process.js";
import { png } from "./lib/sandbox.js";
import { Stream } from "./lib/stream.js";
import { startEar, wholeList } from "./lib/trouble.js";
import { until } from "./lib/until.js";
import { databaseSettings, onPostgres, startSite, World } from "./lib/world.js";

const picture = png(8, 8);

/** What `ask` gives once the server is there to be asked; fetch throws a TypeError while it is not. */
const persist = (ask, what) => until(async () => {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof TypeError) return false;
    throw error;
  }
}, what, 30);

/** A world with somebody on three platforms, an endpoint and a reader of the stream, and its books. */
class Life {
  sends = []; // { label, id, talk }
  heard = []; // { label, talk, externalId }
  gone = new Set(); // names of files that must not be there
  labels = 0;

  async begin() {
    const often = Array(16).fill("50ms").join(",");
    this.w = new World({ env: { PARLEY_RETRY_AFTER: often, PARLEY_WEBHOOK_RETRY_AFTER: often, PARLEY_ALLOW_PRIVATE_ADDRESSES: "127.0.0.0/8", PARLEY_LOG_LEVEL: "info", PARLEY_LEASE_TIME: "2s", PARLEY_WEBHOOK_TIMEOUT: "1s" } });
    this.doom = new Doom(this.w);
    this.ear = await startEar();
    this.site = await startSite();
    this.site.files["/url.png"] = { bytes: picture, type: "image/png" };
    await this.w.start();
    await this.w.meta.setCallback();
    await this.w.api.post("/api/webhooks", { url: this.ear.url, events: ["*"] });
    [this.telegram, this.meta, this.bluesky] = await Promise.all([this.w.talk(), this.w.meta.talk("facebook"), this.w.bluesky.talk()]);
    this.talks = [this.telegram, this.meta, this.bluesky];
    this.startsAt = (await this.w.api.get("/api/events?after=now")).next_after;
    this.streamed = [];
    this.stream = await Stream.open(this.w.api, `?after=${this.startsAt}`);
  }

  async end() {
    this.stream?.close();
    this.ear?.stop();
    await this.site?.stop();
    await this.w.stop();
  }

  // ---- what makes the server come by a place; each gives what is to be awaited afterwards

  /** As a client with an Idempotency-Key does it: again until it is answered. */
  async say(talk, json) {
    const label = `${this.point} ${++this.labels}`;
    const accepted = await persist(async () => {
      const answer = await talk.api.ask("POST", talk.messagesPath, { json: json?.(label) ?? { body: label }, headers: { "Idempotency-Key": label } });
      assert.ok([202, 409, 503].includes(answer.status), answer.text);
      return answer.status === 202 && answer.json;
    }, `${label} is accepted`);
    const message = { label, talk, id: accepted.id };
    this.sends.push(message);
    return this.published(message);
  }

  published({ label, id }) {
    return persist(async () => {
      const now = await this.w.api.get(`/api/messages/${id}`);
      assert.notEqual(now.status, "failed", `${label}: ${now.error_message}`);
      return now.status === "published" && now;
    }, `${label} is published`);
  }

  sayFile(talk) {
    return this.say(talk, (label) => ({ media: [{ data: picture.toString("base64"), filename: `${label}.png` }] }));
  }

  sayUrl(talk) {
    return this.say(talk, () => ({ media: [`${this.site.url}/url.png`] }));
  }

  async hear(talk, body, fits = () => true) {
    const label = `${this.point} ${++this.labels}`;
    const written = await talk.write(body?.(label) ?? label);
    const externalId = String(written.message_id ?? written.mid ?? written.id);
    this.heard.push({ label, talk, externalId });
    return persist(async () => {
      await this.w.sandbox.advance(2000); // it tries the webhook again
      return (await talk.list("per_page=30&direction=inbound")).find((m) => m.external_id === externalId && fits(m));
    }, `${label} is here`);
  }

  hearFile(talk) {
    return this.hear(talk, () => {
      const form = new FormData();
      if (talk === this.telegram) form.append("kind", "document");
      form.append("file", new File([picture], "a.png", { type: "image/png" }));
      return form;
    }, (m) => m.attachments[0]?.status === "processed");
  }

  everything() {
    return Promise.all([...this.talks.flatMap((talk) => [this.say(talk), this.hear(talk)]), this.sayFile(this.telegram)]);
  }

  async meetPerson() {
    const talk = await persist(() => this.w.talk({ bot: this.telegram.bot, person: { photo: true } }), "somebody new is known");
    assert.ok(talk.chat.participant_avatar_url);
  }

  async tap() {
    const asked = await this.say(this.telegram, (label) => ({ body: label, reply_markup: { inline_keyboard: [[{ text: "Tap", callback_data: "tap" }]] } }));
    const { callback_query_id } = await this.telegram.act("POST", `/messages/${asked.external_id}/tap`, { data: "tap" });
    await until(async () => {
      await this.w.sandbox.advance(1000);
      return (await this.w.sandbox.control("GET", `/telegram/bots/${this.telegram.bot.id}/taps`)).data.some((t) => t.callback_query_id === callback_query_id && t.answered_at);
    }, "the tap is acknowledged", 20);
  }

  async renew() {
    await this.w.bluesky.control("POST", `/accounts/${this.bluesky.account.did}/sessions/expire`, { refresh: false });
    await this.say(this.bluesky);
  }

  /** A file that is unsent. */
  async unsend() {
    const heard = await this.hearFile(this.meta);
    return async () => {
      await this.meta.act("DELETE", `/messages/${encodeURIComponent(heard.external_id)}`);
      await this.forgotten(heard.attachments[0].url);
    };
  }

  async forgotten(url) {
    const { pathname } = new URL(url);
    await persist(async () => (await this.w.api.with(null).ask("GET", pathname)).status === 404, "the file is gone");
    this.gone.add(basename(pathname));
  }

  /** An account with a file, which is deleted. */
  async leave() {
    const talk = await this.w.talk();
    const form = new FormData();
    form.append("kind", "document");
    form.append("file", new File([picture], "a.png", { type: "image/png" }));
    const heard = await talk.hear(form, (m) => m.attachments[0].status === "processed");
    return async () => {
      await persist(async () => [200, 404].includes((await this.w.api.ask("DELETE", `/api/profiles/${talk.profile.id}`)).status), "the account is deleted");
      await this.forgotten(heard.attachments[0].url);
      await until(async () => (await this.w.sandbox.call("getWebhookInfo", {}, talk.bot.token)).result?.url === "", "Telegram knows no webhook of it any more");
    };
  }

  async listen() {
    return persist(() => this.w.api.post("/api/webhooks", { url: `${this.ear.url}?${++this.labels}`, events: ["*"] }), "an endpoint is made");
  }

  async replay() {
    const made = await this.listen();
    return () => persist(() => this.w.api.post(`/api/webhooks/${made.id}/replay`, { since: "2026-01-01T00:00:00Z" }), "a replay is queued");
  }

  /** An endpoint that does not answer, with more waiting for it than goes in one piece. */
  async sweep() {
    this.site.files["/silent"] = () => {};
    const made = await this.w.api.post("/api/webhooks", { url: `${this.site.url}/silent`, events: ["*"] });
    const { data } = await this.w.api.get(`/api/events?limit=1000`);
    const event_ids = data.map(({ id }) => id);
    for (let queued = 0; queued <= 600; queued += event_ids.length) await this.w.api.post(`/api/webhooks/${made.id}/replay`, { event_ids });
    return () => persist(async () => [200, 404].includes((await this.w.api.ask("DELETE", `/api/webhooks/${made.id}`)).status), "the endpoint is deleted");
  }

  /** Something that Meta hints at and does not tell. */
  async hint() {
    await this.meta.meta.deliver({ object: "page", entry: [{ id: this.meta.account.id, time: Date.now(), messaging: [{
      sender: { id: await this.meta.scopedId() }, recipient: { id: this.meta.account.id }, timestamp: Date.now(), message_edit: { mid: `m_unknown_${++this.labels}`, num_edit: 0 } }] }] });
  }

  // ---- visiting

  /**
   * Dies at the point once `action` made it come by, n times; starts again; what was begun comes to its end. With `next`, the server
   * that starts dies there, too, because it takes up what the first has left.
   */
  async visit({ point, times = 1, next, action }) {
    this.point = `${point}*${times}`;
    const go = await action(this); // some have something to do before the server may die of it
    this.doom.arm(point, times);
    await Promise.all([go(), this.doom.comes(point).then(() => this.resume(next))]);
  }

  /** The same for a job that a start brings by itself. */
  async visitAtStart({ point, next, env = () => ({}) }) {
    await this.w.server.kill();
    await this.doom.startToDie(point, env(this));
    await this.resume(next, env(this));
  }

  async resume(next, env) {
    this.keepStream();
    if (next) await this.doom.startToDie(next, env);
    await this.w.serve();
    await this.openStream();
  }

  keepStream() {
    this.streamed.push(...this.stream.ids);
    this.stream.close();
  }

  /** As a client of EventSource does it. */
  async openStream() {
    const last = this.streamed.at(-1);
    this.stream = await persist(() => Stream.open(this.w.api, `?after=${this.startsAt}`, last ? { "Last-Event-ID": last } : {}), "the stream is open");
  }

  // ---- the books

  async books() {
    await until(async () => {
      await this.w.sandbox.advance(2000);
      const { data } = await this.w.sandbox.control("GET", "/telegram/bots");
      return data.every((bot) => bot.pending_update_count === 0);
    }, "all updates are delivered", 30);
    await this.eventsAreWhole();
    await this.sendsAreOnce();
    await this.heardIsOnce();
    await this.nothingIsLeft();
    await this.mediaAreNamed();
  }

  async sentThere(talk) {
    if (talk === this.telegram) return (await talk.onTelegram()).filter((m) => m.direction === "out").map((m) => ({ id: String(m.message_id), name: m.text ?? m.document?.file_name ?? "" }));
    if (talk === this.meta) return (await talk.onMeta()).filter((m) => m.direction === "out").map((m) => ({ id: m.mid, name: m.text ?? "" }));
    return (await talk.onBluesky()).filter((m) => m.direction === "out").map((m) => ({ id: m.id, name: m.text }));
  }

  async sendsAreOnce() {
    for (const talk of this.talks) {
      const sends = this.sends.filter((send) => send.talk === talk);
      const { data, total } = await wholeList(this.w.api, `${talk.messagesPath}?direction=outbound`);
      assert.equal(total, data.length);
      assert.deepEqual(data.map((m) => m.id).toSorted(), sends.map(({ id }) => id).toSorted(), "requests were carried out once");
      const there = await this.sentThere(talk);
      for (const { label, id } of sends) {
        const message = data.find((m) => m.id === id);
        assert.equal(message.status, "published", label);
        assert.equal(there.filter((sent) => sent.id === message.external_id).length, 1, label);
        const times = there.filter(({ name }) => name === label || name === `${label}.png`).length;
        const mayBeTwice = message.platform_data?.possible_duplicate === true && talk === this.telegram;
        if (message.attachments.length === 0) assert.ok(times === 1 || (times > 1 && mayBeTwice), `${label}: ${times} times`);
      }
      const extra = there.length - sends.length;
      const flagged = data.filter((m) => m.platform_data?.possible_duplicate === true).length;
      assert.ok(extra >= 0 && extra <= flagged && (talk === this.telegram || extra === 0), `${extra} too many of ${flagged} possible duplicates`);
    }
  }

  async heardIsOnce() {
    for (const talk of this.talks) {
      const heard = this.heard.filter((one) => one.talk === talk).map(({ externalId }) => externalId);
      const { data } = await wholeList(this.w.api, `${talk.messagesPath}?direction=inbound`);
      const here = data.map((m) => m.external_id).filter((id) => heard.includes(id)).reverse();
      assert.equal(new Set(here).size, here.length);
      assert.deepEqual(here.toSorted(), heard.toSorted());
      if (talk === this.telegram) assert.deepEqual(here.map(Number), here.map(Number).toSorted((a, b) => a - b), "in order");
    }
  }

  /** All events there are, and that the stream and the endpoint were told of each. */
  async eventsAreWhole() {
    const all = [];
    for (let after = this.startsAt, page; !page || page.has_more; after = page.next_after) {
      page = await this.w.api.get(`/api/events?limit=1000&after=${after}`);
      all.push(...page.data);
    }
    const ids = all.map((event) => event.id);
    assert.equal(new Set(ids).size, ids.length);
    await until(() => this.streamed.length + this.stream.ids.length >= ids.length, "all is streamed");
    assert.deepEqual([...this.streamed, ...this.stream.ids].slice(0, ids.length), ids, "the stream has each event once, in order");
    await until(() => {
      const delivered = new Set(this.ear.events.map(({ id }) => id));
      return ids.every((id) => delivered.has(id));
    }, "all is delivered", 20);
    for (const [type, count] of [["message.sent", this.sends.length], ["message.received", this.heard.length]]) {
      const about = all.filter((event) => event.type === type).map((event) => event.data.message.id);
      assert.equal(new Set(about).size, about.length, `${type} is told once`);
      assert.ok(about.length >= count, `${about.length} of ${count} ${type}`);
    }
  }

  /** Jobs that are done, and none in flight for ever. */
  async nothingIsLeft() {
    const regular = new Set(["poll", "check", "refresh"]);
    await until(async () => {
      const text = await (await fetch(`${this.w.api.url}/metrics`)).text();
      const jobs = [...text.matchAll(/^parley_jobs\{kind="(\w+)"\} (\d+)$/gm)].filter(([, kind, n]) => n !== "0" && !regular.has(kind));
      return text.includes("parley_jobs{") && jobs.length === 0;
    }, "no job is left", 20);
    if (onPostgres) return;
    const doctor = await this.w.command(["doctor"]);
    assert.match(doctor.stdout, /The database is whole/);
    assert.equal(doctor.code, 0, doctor.stdout);
  }

  /** Every file is named by something, and everything named is there. */
  async mediaAreNamed() {
    const named = new Set();
    const { data: profiles } = await this.w.api.get("/api/profiles");
    for (const profile of profiles)
      for (const chat of (await wholeList(this.w.api, `/api/profiles/${profile.id}/chats`)).data) {
        if (chat.participant_avatar_url) named.add(basename(chat.participant_avatar_url));
        for (const message of (await wholeList(this.w.api, `/api/chats/${chat.id}/messages`)).data)
          for (const { url } of message.attachments) named.add(basename(url));
      }
    const stored = () => readdirSync(join(this.w.folder, "media"), { withFileTypes: true }).filter((entry) => entry.isDirectory() && entry.name.length === 2)
      .flatMap(({ name }) => readdirSync(join(this.w.folder, "media", name)));
    await until(() => stored().length <= named.size, `no file is there that nothing names: ${stored().filter((name) => !named.has(name))}`);
    assert.deepEqual(new Set(stored()), named);
    for (const name of this.gone) assert.ok(!named.has(name));
    assert.deepEqual(readdirSync(join(this.w.folder, "media", "spool")).filter((name) => name.includes(".")), [], "no mark is left");
  }
}

/** Begins nothing before the server may die. */
const now = (action) => (life) => () => action(life);
const say = now((life) => life.say(life.telegram));
const hear = now((life) => life.hear(life.telegram));
const all = now((life) => life.everything());
const sayFile = now((life) => life.sayFile(life.telegram));
const hearFile = now((life) => life.hearFile(life.telegram));
const meet = now((life) => life.meetPerson());

/** What makes the server come by each point, and how often it has to. */
const ways = {
  "commit: not yet": [[all, 1], [all, 3], [all, 6]],
  "commit: done, nobody told": [[all, 1], [all, 3], [all, 6]],
  "answer: not written yet": [[all, 1], [all, 3]],
  "answer: written": [[all, 1], [all, 3]],
  "call: not written yet": [[all, 1], [all, 4]],
  "call: head written": [[all, 1], [all, 4]],
  "call: body written": [[all, 1], [all, 4]],
  "call: answered, nobody told": [[all, 1], [all, 4]],
  "request: carried out, not committed": [[say, 1]],
  "request: committed, not answered": [[say, 1]],
  "request: answered": [[say, 1]],
  "request: key claimed": [[sayFile, 1]],
  "request: file stored, no row yet": [[sayFile, 1]],
  "media: has its name, not synced": [[sayFile, 1], [hearFile, 1]],
  "job: file kept, no row yet": [[hearFile, 1], [now((life) => life.sayUrl(life.telegram)), 1], [meet, 1]],
  "update: committed, not answered": [[hear, 1], [now((life) => life.hear(life.meta)), 1]],
  "stream: not written yet": [[hear, 1]],
  "stream: written": [[hear, 1]],
};

/** What brings a job of each kind. */
const kinds = {
  send: { action: now((life) => Promise.all(life.talks.map((talk) => life.say(talk)))) },
  mirror: { action: hearFile },
  participant: { action: meet },
  answer_tap: { action: now((life) => life.tap()) },
  unsubscribe: { action: (life) => life.leave() },
  erase: { action: (life) => life.leave() },
  poll: { action: now((life) => life.hear(life.bluesky)) },
  deliver: { action: hear },
  replay: { action: (life) => life.replay() },
  sweep: { action: (life) => life.sweep() },
  refresh: { action: now((life) => life.renew()) },
  forget_media: { action: (life) => life.unsend() },
  redact: { action: (life) => life.unsend() },
  hint: { action: now((life) => life.hint()), isSlow: true }, // it is asked for after ten seconds
  check: { atStart: true },
  subscribe: { atStart: true, env: ({ w }) => ({ PARLEY_PUBLIC_URL: `http://localhost:${w.port}` }) },
};

/** The environment of a command with a data folder of its own. */
function alone(database = databaseSettings) {
  const folder = temporaryFolder();
  return { PARLEY_DATA_DIR: folder, PARLEY_TELEGRAM_API_URL: "http://127.0.0.1:9", ...database(folder) };
}

async function succeeds(args, env) {
  const { code, stdout, stderr } = await run(args, { env });
  assert.equal(code, 0, `${stdout}${stderr}`);
  return stdout;
}

/** Dies in a migration, and the next start takes up where it was. */
async function migrate(point) {
  for (const n of [1, 3]) {
    const env = alone();
    await runToDie(["migrate"], point, n, env);
    await succeeds(["key", "create", "after all"], env);
  }
}

/** Dies while it makes the folder's secret key; the next start has a whole one, the same as before if there was one. */
async function makeKey(point) {
  const env = alone(() => ({}));
  const path = join(env.PARLEY_DATA_DIR, "secret.key");
  await runToDie(["migrate"], point, 1, env);
  const before = existsSync(path) && readFileSync(path, "utf8");
  await succeeds(["key", "create", "after all"], env);
  const after = readFileSync(path, "utf8");
  assert.match(after, /^[A-Za-z0-9+/]{43}=\n$/);
  if (before) assert.equal(after, before);
}

/** The third page is the first of a table with something in it, or near. */
async function importing(point) {
  const [from, to] = [alone(() => ({})), join(temporaryFolder(), "to.db")];
  await succeeds(["key", "create", "before all"], from);
  const args = ["import", "--from", `sqlite:${from.PARLEY_DATA_DIR}/parley.db`, "--to", `sqlite:${to}`];
  await runToDie(args, point, point.includes("page") ? 3 : 1, from);
  assert.match(await succeeds(args, from), /The import is complete/);
}

/** A bucket that believes everybody. */
async function startBucket() {
  const objects = new Map();
  const server = http.createServer(async (request, response) => {
    const pieces = [];
    for await (const piece of request) pieces.push(piece);
    const { pathname } = new URL(request.url, "http://bucket");
    if (request.method === "PUT") objects.set(pathname, Buffer.concat(pieces));
    if (request.method === "DELETE") objects.delete(pathname);
    const object = objects.get(pathname);
    response.writeHead(request.method === "DELETE" ? 204 : object ? 200 : 404, request.method === "HEAD" && object ? { "Content-Length": object.length } : {});
    response.end(request.method === "GET" ? object : undefined);
  });
  server.listen(0, "127.0.0.1").unref();
  await once(server, "listening");
  return {
    objects,
    settings: {
      PARLEY_S3_ENDPOINT: `http://127.0.0.1:${server.address().port}`, PARLEY_S3_BUCKET: "media", PARLEY_S3_PATH_STYLE: "yes",
      PARLEY_S3_REGION: "us-east-1", PARLEY_S3_ACCESS_KEY_ID: "key", PARLEY_S3_SECRET_ACCESS_KEY: "secret-of-the-bucket-0123456789",
    },
    stop: () => server.close(),
  };
}

async function copying(point) {
  const [w, bucket] = [new World(), await startBucket()];
  await w.start();
  try {
    const talk = await w.talk();
    const files = [];
    for (let n = 0; n < 3; n++) files.push(await talk.say({ media: [{ data: png(8 + n, 8).toString("base64"), filename: `${n}.png` }] }));
    const args = ["media", "copy", "--from", "disk", "--to", "s3"];
    const env = { ...w.settings, ...bucket.settings };
    await runToDie(args, point, 2, env);
    assert.match(await succeeds(args, env), /, 0 missing/);
    for (const { attachments: [{ url }] } of files) assert.ok(bucket.objects.has(`/media/${basename(url)}`));
    assert.equal(bucket.objects.size, files.length, "and nothing else is there");
  } finally {
    await w.stop();
    bucket.stop();
  }
}

const byCommand = {
  "key: written, without its name": makeKey,
  "key: has its name, not synced": makeKey,
  "migration: carried out, not noted": migrate,
  "migration: committed": migrate,
  "import: a page written, how far not noted": importing,
  "import: a page committed": importing,
  "import: compared, notes still there": importing,
  "media copy: fetched": copying,
  "media copy: put": copying,
};

const visits = [
  ...Object.entries(ways).flatMap(([point, list]) => list.map(([action, times]) => ({ point, action, times }))),
  ...Object.entries(kinds).map(([kind, way]) => ({ point: `job carried out, not committed: ${kind}`, next: `job committed, not gone on: ${kind}`, ...way })),
];

describe("a crash at every point", { skip: noPoints, concurrency: 5 }, () => {
  const visited = new Set();

  /** A server that makes these visits, and its books at the end. */
  function aLife(name, mine) {
    test(name, { timeout: 300000 }, async (t) => {
      const life = new Life();
      try {
        await life.begin();
        for (const visit of mine) {
          const from = Date.now();
          try {
            await (visit.atStart ? life.visitAtStart(visit) : life.visit(visit));
          } catch (error) {
            throw new Error(`${visit.point}*${visit.times ?? 1}: ${error.message}`, { cause: error });
          }
          visited.add(visit.point).add(visit.next);
          if (process.env.PARLEY_TEST_TIMES) t.diagnostic(`${visit.point}*${visit.times ?? 1}: ${Date.now() - from} ms`);
        }
        await life.books();
      } finally {
        await life.end();
      }
    });
  }

  test("the program has no point that nothing makes it come by, and no other way round", () => {
    const known = new Set([...visits.flatMap(({ point, next }) => [point, next]), ...Object.keys(byCommand)].filter(Boolean));
    assert.deepEqual([...known].toSorted(), points.toSorted());
  });

  const quick = visits.filter(({ isSlow }) => !isSlow);
  for (const n of [0, 1, 2]) aLife(`of a server, part ${n + 1}`, quick.filter((_, i) => i % 3 === n));
  aLife("of a server, what takes its time", visits.filter(({ isSlow }) => isSlow));

  for (const [point, visit] of Object.entries(byCommand))
    test(`of a command: ${point}`, async () => {
      await visit(point);
      visited.add(point);
    });
});
