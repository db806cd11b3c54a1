// A server behind pgbouncer, which hands each transaction to another connection and has fewer of them than the server: all that
// matters works, also while pgbouncer and the database are started anew.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { PgBouncer, pgbouncerMissing } from "./lib/pgbouncer.js";
import { PostgresServer } from "./lib/postgres.js";
import { Program } from "./lib/process.js";
import { Stream } from "./lib/stream.js";
import { startEar } from "./lib/trouble.js";
import { until } from "./lib/until.js";
import { onPostgres, World } from "./lib/world.js";

const skip = (!onPostgres && "there is no PostgreSQL") || pgbouncerMissing;

describe("behind pgbouncer in transaction mode", { skip }, () => {
  let postgres, bouncer, ear;
  const w = new World({ env: { PARLEY_ALLOW_PRIVATE_ADDRESSES: "127.0.0.0/8", PARLEY_WEBHOOK_RETRY_AFTER: "200ms,200ms,500ms,1s,1s" } });

  before(async () => {
    postgres = await PostgresServer.start({ FSYNC: "on" });
    bouncer = await PgBouncer.start(postgres, ["default_pool_size = 3", "server_login_retry = 1"]);
    ear = await startEar();
    postgres.ask("CREATE DATABASE pooled");
    w.database = { ...w.database, PARLEY_DATABASE_URL: bouncer.url("pooled") };
    await w.start({ PARLEY_DATABASE_POOLED: "yes" });
    await w.api.post("/api/webhooks", { url: ear.url, events: ["*"] });
  });
  after(async () => {
    try {
      await w.stop();
    } finally {
      ear?.stop();
      await bouncer?.stop();
      await postgres?.stop();
    }
  });

  const warned = (server) => server.log.filter(({ msg }) => /pooler/.test(msg));

  /** Sends as a client does that repeats its request, with its key, until it is accepted. */
  async function insists(talk, body) {
    const { json } = await until(async () => {
      const answer = await talk.api.ask("POST", talk.messagesPath, { json: { body }, headers: { "Idempotency-Key": body } });
      assert.ok([202, 409, 503].includes(answer.status), answer.text);
      if (answer.status === 503) assert.ok(Number(answer.headers.get("retry-after")) >= 1);
      return answer.status === 202 && answer;
    }, `'${body}' is accepted`, 30);
    return json;
  }

  test("messages both ways, a webhook and a stream, by many at once", async () => {
    const stream = await Stream.open(w.api);
    const bot = await w.bot();
    const talks = await Promise.all(Array.from({ length: 6 }, () => w.talk({ bot })));
    await Promise.all(talks.map(async (talk, n) => {
      for (let i = 0; i < 8; i++) {
        if (i % 2) await talk.hear(`hear ${n} ${i}`);
        else await talk.say(`say ${n} ${i}`);
      }
    }));
    for (const [n, talk] of talks.entries()) {
      const out = (await talk.onTelegram()).filter((m) => m.direction === "out").map((m) => m.text);
      assert.deepEqual(out, [0, 2, 4, 6].map((i) => `say ${n} ${i}`));
      assert.equal((await talk.list("per_page=100")).length, 9);
    }
    const { data } = await w.api.get("/api/events?limit=1000");
    await until(() => stream.ids.includes(data.at(-1).id) && ear.events.some(({ id }) => id === data.at(-1).id), "all is told", 20);
    const from = data.findIndex(({ id }) => id === stream.ids[0]);
    assert.deepEqual(stream.ids.slice(0, data.length - from), data.slice(from).map(({ id }) => id));
    assert.equal(new Set(ear.events.map(({ id }) => id)).size, ear.events.length);
    stream.close();
    assert.deepEqual(warned(w.server), []);
    assert.deepEqual(w.server.log.filter(({ level }) => level === "error"), []);
  });

  test("while it, and the database behind it, are started anew", async () => {
    const talk = await w.talk();
    const bodies = Array.from({ length: 12 }, (_, n) => `number ${n}`);
    const sending = (async () => {
      for (const body of bodies) await insists(talk, body);
    })();
    await bouncer.stop();
    const answer = await w.api.ask("GET", "/api/profiles");
    assert.equal(answer.status, 503, answer.text);
    assert.match(answer.json.error, /database/i);
    await bouncer.run();
    postgres.restart("fast");
    await sending;
    const last = (await talk.list("per_page=1"))[0];
    await talk.reaches(last, "published", 30);
    const out = (await talk.onTelegram()).filter((m) => m.direction === "out").map((m) => m.text);
    assert.deepEqual([...new Set(out)], bodies);
    const { data } = await w.api.get("/api/events?limit=1000");
    await until(() => data.every(({ id }) => ear.events.some((event) => event.id === id)), "all is told", 30);
  });

  test("a server that does not know of it says what it would need", async () => {
    const program = new Program(["serve", "--listen", "127.0.0.1:0"], { ...w.settings, PARLEY_DATABASE_POOLED: "no" });
    program.stopping = true; // it may find out at its start that this does not work
    const [{ msg }] = await until(() => warned(program).length > 0 && warned(program), "it says so");
    assert.match(msg, /PARLEY_DATABASE_POOLED=yes/);
    await program.kill();
    assert.equal(warned(program).length, 1);
  });

  test("without one, nothing is said", async () => {
    await w.server.stop();
    await w.serve({ PARLEY_DATABASE_URL: postgres.url.replace("/postgres?", "/pooled?"), PARLEY_DATABASE_POOLED: "no" });
    assert.deepEqual(warned(w.server), []);
    const talk = await w.talk();
    await talk.say("by itself");
  });
});
