// Two servers on one machine and one database: who is known to be dead has a successor at once, who only stands still has none.
// A lease is a minute here, so nothing in these tests can come of one that ran out.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { after, before, beforeEach, describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";

import { Api } from "./lib/api.js";
import { Program, temporaryFolder } from "./lib/process.js";
import { Stream } from "./lib/stream.js";
import { steadyPort } from "./lib/trouble.js";
import { until } from "./lib/until.js";
import { KEY, onPostgres, World } from "./lib/world.js";

describe("two servers on one machine", { skip: !onPostgres && "there is no PostgreSQL" }, () => {
  const w = new World({ env: { PARLEY_LEASE_TIME: "1m" } });
  const other = { folder: temporaryFolder() };
  let talk;

  async function startOther() {
    other.port ??= await steadyPort();
    other.program = new Program(["serve", "--listen", `127.0.0.1:${other.port}`], { ...w.settings, PARLEY_DATA_DIR: other.folder });
    await other.program.listening();
    other.api = new Api(`http://127.0.0.1:${other.port}`, KEY);
  }
  const holders = () => w.askDatabase("SELECT DISTINCT process_id FROM lane");
  const processes = () => w.askDatabase("SELECT id FROM process WHERE until_at > 0 ORDER BY id");
  const sent = async () => (await talk.onTelegram()).filter((m) => m.direction === "out").map((m) => m.text);

  /** Sends by the other server, whoever then has the lane. */
  async function sendByOther(body) {
    const { id } = await other.api.post(talk.messagesPath, { body }, { status: 202 });
    return until(async () => {
      const message = await other.api.get(`/api/messages/${id}`);
      return message.status === "published" && message;
    }, `'${body}' is sent`, 20);
  }

  before(async () => {
    await w.start();
    talk = await w.talk();
    assert.equal(holders().length, 1);
    await startOther();
    assert.equal(processes().length, 2);
  });
  after(async () => {
    await other.program?.stop();
    await w.stop();
  });
  beforeEach(() => w.sandbox.control("DELETE", "/faults"));

  // Somebody else's transaction, as of a third process: it has its number before the others, and its commit after them.
  for (const end of ["COMMIT", "ROLLBACK"])
    test(`an event whose ${end} comes late keeps its place, in every stream`, async (t) => {
      const start = (await w.api.get("/api/events?after=now")).next_after;
      const streams = await Promise.all([w.api, other.api].map((api) => Stream.open(api, "", { "Last-Event-ID": start })));
      const late = spawn("psql", ["--no-psqlrc", "-qAt", "-v", "ON_ERROR_STOP=1", w.database.PARLEY_DATABASE_URL], { stdio: ["pipe", "pipe", "inherit"] });
      t.after(() => {
        late.kill();
        for (const stream of streams) stream.close();
      });
      late.stdin.write(`BEGIN;
        SELECT pg_advisory_xact_lock_shared(7021865102364282);
        INSERT INTO event (id, workspace_id, group_id, profile_id, chat_id, type, created_at, data)
          SELECT nextval('db_number'), workspace_id, group_id, profile_id, chat_id, type, created_at, data FROM event WHERE type = 1 ORDER BY id DESC LIMIT 1
          RETURNING 'it is late';\n`);
      for await (const line of createInterface({ input: late.stdout })) if (line === "it is late") break;
      for (const n of [1, 2, 3]) await talk.hear(`${end} ${n}`);
      for (let n = 0; n < 12; n++)
        for (const api of [w.api, other.api]) assert.deepEqual((await api.get(`/api/events?after=${start}`)).data, []);
      assert.deepEqual(streams.map((stream) => stream.events), [[], []]);
      late.stdin.end(`${end};\n`);
      streams.push(await Stream.open(other.api, "", { "Last-Event-ID": start }));
      for (const stream of streams) await stream.await((event) => event.data.message?.body === `${end} 3`);
      const told = (await other.api.get(`/api/events?after=${start}&limit=1000`)).data;
      const heard = told.filter(({ type }) => type === "message.received").map(({ data }) => data.message.body);
      assert.deepEqual(heard.slice(-3), [1, 2, 3].map((n) => `${end} ${n}`));
      assert.equal(heard.length, end === "COMMIT" ? 4 : 3);
      for (const stream of streams) {
        await until(() => stream.ids.length >= told.length, "the stream has all");
        assert.deepEqual(stream.ids.slice(0, told.length), told.map(({ id }) => id));
      }
    });

  test("one that stands still keeps what it has, for as long as its lease", async () => {
    const before = holders();
    w.server.child.kill("SIGSTOP");
    try {
      const { id } = await other.api.post(talk.messagesPath, { body: "patience" }, { status: 202 });
      await pause(3000); // six looks at whether it lives, and nothing else can tell that they came to nothing
      assert.deepEqual(holders(), before);
      assert.equal(processes().length, 2);
      assert.equal((await other.api.get(`/api/messages/${id}`)).status, "pending");
      assert.deepEqual(other.program.log.filter(({ msg }) => /has died/.test(msg)), []);
    } finally {
      w.server.child.kill("SIGCONT");
    }
    await until(async () => (await sent()).includes("patience"), "it goes on");
    assert.deepEqual(holders(), before);
  });

  test("one that was killed has a successor within moments", async () => {
    const [before] = holders();
    await w.server.kill();
    assert.equal((await sendByOther("heir")).platform_data?.possible_duplicate, undefined);
    assert.notEqual(holders()[0], before);
    assert.equal(processes().length, 1);
    assert.ok(other.program.log.some(({ msg }) => /has died/.test(msg)));
  });

  test("and when it was killed in the middle of a send, that one says so", async () => {
    await w.serve();
    await other.program.stop();
    await until(async () => (await talk.say("moved")).status === "published", "the first has it again");
    await startOther();
    await talk.fault({ on: "sendMessage", kind: "delay", delay_ms: 30000, count: 1 });
    const { id } = await talk.send("interrupted");
    await until(() => w.askDatabase("SELECT 1 FROM job WHERE kind = 1 AND state = 2").length === 1, "it is on its way");
    await w.server.kill();
    const message = await until(async () => {
      const now = await other.api.get(`/api/messages/${id}`);
      return now.status === "published" && now;
    }, "the other sends it", 20);
    assert.equal(message.platform_data.possible_duplicate, true);
  });

  test("the same one starts again and waits for nothing", async () => {
    await other.program.kill();
    await w.serve();
    assert.equal(processes().length, 1);
    await talk.say("back");
    await startOther();
  });
});
