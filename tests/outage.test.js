// The platform is away, the disk is full, the database is locked or broken, the server is told to stop: nothing accepted is lost.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import net from "node:net";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

import { Program, temporaryFolder } from "./lib/process.js";
import { changeDatabase, lockDatabase, mountDisk, noSqliteTool, startLine, wholeList } from "./lib/trouble.js";
import { until } from "./lib/until.js";
import { aboutFile, KEY, World, world } from "./lib/world.js";

const RETRY = "50ms,100ms,200ms,400ms,800ms,1s,1s,2s,2s,2s,2s,4s,4s,4s,4s,4s";

/** A world whose server reaches the platform over a line that can fail. */
function lineWorld({ env, ...options } = {}) {
  const w = new World({ ...options, env: { PARLEY_RETRY_AFTER: RETRY, ...env } });
  before(async () => {
    w.line = await startLine(() => Number(new URL(w.sandbox.url).port));
    w.env.PARLEY_TELEGRAM_API_URL = w.line.url;
    await w.start();
  });
  after(async () => {
    await w.line.up();
    await w.stop();
    await w.line.stop();
  });
  return w;
}

const outTexts = async (talk) => (await talk.onTelegram()).filter((m) => m.direction === "out").map((m) => m.text);
const distinct = (list) => [...new Set(list)];
const isFlagged = (message) => message.platform_data?.possible_duplicate === true;

async function sendAll(talk, bodies) {
  const messages = [];
  for (const body of bodies) messages.push(await talk.send(body));
  return messages;
}

/** All are published, in order, and what went out twice says so. */
async function accountFor(talk, messages) {
  const published = [];
  for (const message of messages) published.push(await talk.reaches(message, "published", 60));
  const texts = await outTexts(talk);
  assert.deepEqual(distinct(texts).filter((text) => messages.some((m) => m.body === text)), messages.map((m) => m.body));
  for (const message of published)
    if (texts.filter((text) => text === message.body).length > 1) assert.ok(isFlagged(message), message.body.slice(0, 40));
  return published;
}

/** Every update there is has been delivered. */
const drained = (w) => until(async () => {
  await w.sandbox.advance(2000);
  const { data } = await w.sandbox.control("GET", "/telegram/bots");
  return data.every((bot) => bot.pending_update_count === 0);
}, "all updates are delivered", 30);

describe("the platform is away", () => {
  const w = lineWorld({ webhook: false });

  test("sending and polling go on where they were", async () => {
    const bot = await w.bot();
    const [a, b] = [await w.talk({ bot }), await w.talk({ bot })];
    await w.line.down();
    const sent = [await sendAll(a, ["one", "two"]), await sendAll(b, ["eins", "zwei"])];
    const waiting = await a.reaches(sent[0][0], "failed_waiting_for_retry");
    assert.match(waiting.error_message, /Telegram/);
    assert.ok(!waiting.error_message.includes(bot.token.split(":")[1]));
    assert.equal((await w.api.get(`/api/profiles/${a.profile.id}`)).status, "active");
    const written = [];
    for (const text of ["are you", "there", "?"]) written.push(String((await a.write(text)).message_id));
    await w.line.up();
    await accountFor(a, sent[0]);
    await accountFor(b, sent[1]);
    await until(async () => (await a.list("direction=inbound")).length >= 4, "what was written meanwhile is here", 45);
    const { data } = await wholeList(w.api, `${a.messagesPath}?direction=inbound`);
    assert.deepEqual(data.map((m) => m.external_id).filter((id) => written.includes(id)).toSorted(), written.toSorted());
    await until(async () => (await w.api.get(`/api/profiles/${a.profile.id}`)).status_detail === null, "the profile is well");
  });

  test("an answer that never comes makes a possible duplicate", async () => {
    const talk = await w.talk();
    w.line.hold();
    const message = await talk.send("Are you there?");
    await until(async () => (await outTexts(talk)).length === 1, "it is with the platform");
    await w.line.down();
    await talk.reaches(message, "failed_waiting_for_retry");
    await w.line.up();
    assert.ok(isFlagged(await talk.reaches(message, "published", 30)));
    assert.deepEqual(await outTexts(talk), ["Are you there?", "Are you there?"]);
  });

  test("updates whose answer got lost are taken in once", async () => {
    const talk = await w.talk();
    w.line.hold();
    const written = [];
    for (const text of ["a", "b", "c"]) written.push(String((await talk.write(text)).message_id));
    await until(() => w.line.held > 0, "the answer is on its way");
    await w.server.kill();
    await w.line.up();
    await w.serve();
    for (const id of written) await talk.received(id);
    await talk.hear("d");
    assert.equal((await talk.list("direction=inbound")).length, 5);
  });

  test("files are fetched when they can be", async () => {
    const talk = await w.talk();
    const bytes = randomBytes(300000);
    for (const trouble of [{ kind: "html", status: 502 }, { kind: "cut_after" }, { kind: "cut_before" }, { kind: "status", status: 500, description: "x" }])
      await talk.fault({ on: "file", count: 1, ...trouble });
    await talk.fault({ on: "getFile", kind: "garbage", count: 1 });
    const form = new FormData();
    form.append("kind", "document");
    form.append("file", new File([bytes], "glaze.bin", { type: "application/octet-stream" }));
    const { message_id } = await talk.write(form);
    const message = await talk.received(message_id, (m) => m.attachments[0].status === "processed");
    const stored = Buffer.from(await (await fetch(message.attachments[0].url)).arrayBuffer());
    const hash = (what) => createHash("sha256").update(what).digest("hex");
    assert.equal(hash(stored), hash(bytes));
    assert.equal((await w.sandbox.control("GET", "/faults")).data?.length ?? 0, 0);
  });
});

const disk = aboutFile ? { missing: aboutFile } : mountDisk(64 << 20);

describe("the disk is full", { skip: disk.missing }, () => {
  const w = lineWorld();
  w.folder = join(disk.path ?? "", "data");
  after(() => disk.unmount());

  /** Writes until one is refused; gives those that were accepted. */
  async function fillUp(talk, text) {
    const accepted = [];
    for (let n = 0; n < 3000; n++) {
      disk.fill();
      const answer = await w.api.ask("POST", talk.messagesPath, { json: { body: `${text} ${n} ${"x".repeat(3900)}` } });
      if (answer.status !== 202) {
        assert.equal(answer.status, 503, answer.text);
        assert.match(answer.json.error, /space/);
        assert.ok(Number(answer.headers.get("retry-after")) >= 1);
        return accepted;
      }
      accepted.push(answer.json);
    }
    throw new Error("the disk did not become full");
  }

  test("writes are refused, reads are not, and what was under way is not lost", async () => {
    const bot = await w.bot();
    const [talk, other] = [await w.talk({ bot }), await w.talk({ bot })];
    const before = await talk.say("before");
    w.line.hold();
    const underWay = await talk.send("under way");
    await until(async () => (await outTexts(talk)).includes("under way"), "it is with the platform");
    const accepted = await fillUp(talk, "until it is full");
    const said = w.server.log.length;
    w.line.release();
    await until(() => w.server.log.slice(said).some((line) => line.msg === "job's transaction failed" && line.kind === "send"), "the result finds no room", 30);
    const { message_id } = await other.write("while it is full");
    assert.equal((await w.api.get(`/api/messages/${before.id}`)).body, "before");
    assert.equal((await w.api.get(`/api/messages/${underWay.id}`)).status, "pending");
    assert.equal((await wholeList(w.api, `${talk.messagesPath}?direction=outbound`)).total, accepted.length + 2);
    assert.equal((await w.api.ask("GET", "/readyz")).status, 200);
    const media = await w.api.ask("POST", other.messagesPath, { json: { media: [`data:text/plain;base64,${randomBytes(30000).toString("base64")}`] } });
    assert.equal(media.status, 503, media.text);
    const multipart = new FormData();
    multipart.append("media", new File([randomBytes(200000)], "a.bin", { type: "application/octet-stream" }));
    assert.equal((await w.api.ask("POST", other.messagesPath, { multipart })).status, 503);
    assert.equal((await w.api.ask("POST", "/api/profile_groups", { json: { name: "No room" } })).status, 503);

    disk.makeRoom();
    const published = await accountFor(talk, [before, underWay, ...accepted]);
    assert.ok(published.every((message) => !isFlagged(message)));
    assert.equal((await outTexts(talk)).length, accepted.length + 2);
    await drained(w);
    await other.received(message_id);
    await other.say("after");
    assert.equal((await other.list("direction=outbound")).length, 1);
    assert.ok(!(await w.api.get("/api/profile_groups")).data.some((group) => group.name === "No room"));
  });

  test("killed while full, it starts when there is room, and all goes on", async () => {
    const talk = await w.talk();
    w.line.hold();
    const underWay = await talk.send("under way");
    await until(async () => (await outTexts(talk)).includes("under way"), "it is with the platform");
    const accepted = await fillUp(talk, "full again");
    await w.server.kill();
    w.line.release();
    const early = new Program(w.server.args, w.settings);
    early.stopping = true; // it may start or say why not
    const started = await Promise.race([early.end(), early.listening().catch(() => early.end())]);
    if (typeof started === "string") await early.stop();
    else {
      assert.equal(started, 1, early.lines.join("\n"));
      assert.match(early.lines.at(-1), /^parley: .*space/);
    }
    disk.makeRoom();
    await w.serve();
    const [first] = await accountFor(talk, [underWay, ...accepted]);
    assert.ok(isFlagged(first));
    assert.equal((await w.command(["doctor"])).code, 0);
  });

  test("files that come meanwhile are fetched when there is room", async () => {
    const talk = await w.talk();
    const form = new FormData();
    form.append("kind", "document");
    form.append("file", new File([randomBytes(500000)], "glaze.bin", { type: "application/octet-stream" }));
    w.line.hold(); // so that it is not fetched before the disk is full
    const { message_id } = await talk.write(form);
    await talk.received(message_id);
    disk.fill();
    const said = w.server.log.length;
    w.line.release();
    await until(() => w.server.log.slice(said).some((line) => /space/i.test(line.error ?? line.reason)), "it finds no room", 20);
    disk.makeRoom();
    const message = await talk.received(message_id, (m) => m.attachments[0].status !== "pending");
    assert.equal(message.attachments[0].status, "processed", JSON.stringify(message.platform_data));
  });
});

describe("the database is locked by another process", { skip: aboutFile || noSqliteTool }, () => {
  const w = lineWorld();
  const file = () => join(w.folder, "parley.db");

  test("writes are refused after a while, reads are not, and what was under way is not lost", async () => {
    const talk = await w.talk();
    w.line.hold();
    const underWay = await talk.send("under way");
    await until(async () => (await outTexts(talk)).includes("under way"), "it is with the platform");
    const lock = await lockDatabase(file());
    w.line.release();
    const from = Date.now();
    const refused = w.api.ask("POST", talk.messagesPath, { json: { body: "refused" } });
    assert.equal((await talk.list()).length, 2);
    const answer = await refused;
    assert.equal(answer.status, 503, answer.text);
    assert.match(answer.json.error, /locked/);
    assert.ok(Number(answer.headers.get("retry-after")) >= 1);
    assert.ok(Date.now() - from >= 4000, "it did not wait for the lock");
    const { message_id } = await talk.write("meanwhile");
    await lock.release();
    const later = await talk.send("later");
    const published = await accountFor(talk, [underWay, later]);
    assert.ok(published.every((message) => !isFlagged(message)));
    assert.deepEqual(await outTexts(talk), ["under way", "later"]);
    await drained(w);
    await talk.received(message_id);
  });

  test("for a moment, writes wait and are carried out", async () => {
    const talk = await w.talk();
    const lock = await lockDatabase(file());
    const sending = talk.send("patient");
    const reads = await talk.list(); // it is answered while the other waits
    await lock.release();
    assert.equal(reads.length, 1);
    await talk.reaches(await sending, "published");
  });
});

describe("a start that cannot be", () => {
  const env = { PARLEY_API_KEY: KEY, PARLEY_TELEGRAM_API_URL: "http://127.0.0.1:9", PARLEY_LOG_FORMAT: "text" };
  const key = () => randomBytes(32).toString("base64");

  /** The server ends by itself, not by a signal, and its last line is a sentence like that. */
  async function refuses(more, sentence, { args = [] } = {}) {
    const program = new Program(["serve", "--listen", "127.0.0.1:0", ...args], { ...env, ...more });
    program.stopping = true; // it is meant to end
    const code = await until(async () => {
      if (program.lines.some((line) => / listening/.test(line))) {
        await program.kill();
        throw new Error(`it started:\n${program.lines.join("\n")}`);
      }
      return program.child.exitCode ?? program.child.signalCode;
    }, "it ends", 30);
    assert.ok(code === 1 || code === 2, `it ended with ${code}:\n${program.lines.join("\n")}`);
    await until(() => program.lines.length > 0, "it says something");
    assert.match(program.lines.at(-1), sentence);
    assert.match(program.lines.at(-1), /^parley: /);
    assert.ok(program.lines.at(-1).length < 400);
    assert.ok(!program.lines.join("\n").includes("runtime error"), program.lines.join("\n"));
  }

  /** A data folder with something in it. */
  async function folderWithData() {
    const w = new World();
    await w.start();
    const talk = await w.talk();
    await talk.say("kept");
    await w.stop();
    return { folder: w.folder, talk };
  }
  let made;
  before(async () => (made = await folderWithData()));
  const copy = () => {
    const folder = join(temporaryFolder(), "data");
    cpSync(made.folder, folder, { recursive: true });
    return folder;
  };

  test("the data folder is a file", async () => {
    const file = join(temporaryFolder(), "file");
    writeFileSync(file, "");
    await refuses({ PARLEY_DATA_DIR: file }, new RegExp(file));
  });

  test("the data folder's parent is not there", () => refuses({ PARLEY_DATA_DIR: "/nowhere/at/all" }, /\/nowhere\/at\/all.*No such file/));

  test("the data folder cannot be written", async (t) => {
    if (process.getuid() !== 0) {
      const folder = copy();
      chmodSync(join(folder, "parley.db"), 0o400);
      chmodSync(folder, 0o500);
      await refuses({ PARLEY_DATA_DIR: folder }, /cannot be (written|made|read)/);
      chmodSync(folder, 0o700);
      return;
    }
    const readOnly = mountDisk(16 << 20); // root may write anywhere else
    if (readOnly.missing) return t.skip(readOnly.missing);
    cpSync(made.folder, join(readOnly.path, "data"), { recursive: true });
    readOnly.readOnly();
    await refuses({ PARLEY_DATA_DIR: join(readOnly.path, "data") }, /cannot be (written|made|used)/);
    await refuses({ PARLEY_DATA_DIR: join(readOnly.path, "new") }, /Read-only file system/);
    readOnly.unmount();
  });

  test("the database is something else", async () => {
    for (const bytes of ["This is no database, but it is long enough to be one. ".repeat(100), "short", randomBytes(8192)]) {
      const folder = copy();
      writeFileSync(join(folder, "parley.db"), bytes);
      await refuses({ PARLEY_DATA_DIR: folder }, /parley\.db.*(is not a database|damaged)/);
    }
    const folder = join(temporaryFolder(), "data");
    mkdirSync(join(folder, "parley.db"), { recursive: true });
    await refuses({ PARLEY_DATA_DIR: folder }, /parley\.db is not a file/);
  });

  test("the database is cut short, or overwritten", { skip: aboutFile }, async () => {
    for (const damage of [
      (file) => truncateSync(file, 4096),
      (file) => truncateSync(file, statSync(file).size / 2),
      (file) => writeFileSync(file, Buffer.concat([readFileSync(file).subarray(0, 4096), randomBytes(statSync(file).size - 4096)])),
    ]) {
      const folder = copy();
      damage(join(folder, "parley.db"));
      await refuses({ PARLEY_DATA_DIR: folder }, /parley\.db.*(is not a database|damaged)/);
    }
  });

  test("the database was written by a newer version", { skip: aboutFile || noSqliteTool }, async () => {
    const folder = copy();
    changeDatabase(join(folder, "parley.db"), "INSERT INTO schema_version (number, name, applied_at) VALUES (999, 'the future', 0);");
    await refuses({ PARLEY_DATA_DIR: folder }, /newer Parley \(schema 999/);
  });

  test("the key file holds no key", async () => {
    for (const bytes of ["", "x", "not base64 at all!\n", randomBytes(200), `${"A".repeat(40)}\n`]) {
      const folder = copy();
      writeFileSync(join(folder, "secret.key"), bytes);
      await refuses({ PARLEY_DATA_DIR: folder }, /secret\.key.*32 bytes in base64/);
    }
    for (const text of ["x", "AAAA", "=".repeat(44)]) await refuses({ PARLEY_DATA_DIR: copy(), PARLEY_SECRET_KEY: text }, /PARLEY_SECRET_KEY.*32 bytes in base64/);
  });

  test("the configuration cannot be read", async () => {
    const file = join(temporaryFolder(), "parley.conf");
    for (const [text, sentence] of [
      ["telegram_api_ulr = http://127.0.0.1\n", /parley\.conf, line 1.*telegram_api_ulr/],
      ["# fine\n\nconnections_max = many\n", /parley\.conf, line 3.*connections-max must be a number.*many/],
      ["json_depth_max = 2\n", /parley\.conf, line 1.*between 4 and 1000/],
      ["[server]\nlisten = 127.0.0.1:0\n", /parley\.conf, line [12].*\[server\]/],
      ["retry_after = soon\n", /retry-after must be/],
      ["pace = maybe\n", /pace must be yes or no/],
      ["public_url = dm.example.com\n", /public-url must begin with http/],
      ["just words\n", /parley\.conf, line 1.*name = value/],
      [randomBytes(3000), /parley\.conf, line/],
    ]) {
      writeFileSync(file, text);
      await refuses({ PARLEY_DATA_DIR: temporaryFolder() }, sentence, { args: ["--config", file] });
    }
    await refuses({ PARLEY_DATA_DIR: temporaryFolder() }, /\/nowhere\.conf.*No such file/, { args: ["--config", "/nowhere.conf"] });
    await refuses({ PARLEY_DATA_DIR: temporaryFolder(), PARLEY_DRAIN_TIMEOUT: "1 fortnight" }, /PARLEY_DRAIN_TIMEOUT.*fortnight/);
    await refuses({ PARLEY_DATA_DIR: temporaryFolder() }, /--no-such-flag/, { args: ["--no-such-flag"] });
  });

  test("the port is taken, or none", async () => {
    const server = net.createServer().listen(0, "127.0.0.1");
    await until(() => server.listening);
    const { port } = server.address();
    await refuses({ PARLEY_DATA_DIR: temporaryFolder() }, new RegExp(`${port}.*in use`), { args: ["--listen", `127.0.0.1:${port}`] });
    server.close();
    for (const listen of ["127.0.0.1:99999", "127.0.0.1:http", "here", "1.2.3.4:80"])
      await refuses({ PARLEY_DATA_DIR: temporaryFolder() }, new RegExp(listen.replace(/\./g, "\\.")), { args: ["--listen", listen] });
  });

  test("the secret key is another than the data's; with the right one all is well", { skip: aboutFile }, async () => {
    const w = new World({ env: { PARLEY_SECRET_KEY: key(), PARLEY_RETRY_AFTER: RETRY } });
    await w.start();
    try {
      const talk = await w.talk();
      const message = await talk.say("kept");
      await talk.fault({ on: "sendMessage", kind: "status", status: 429, count: -1 });
      const waiting = await sendAll(talk, ["one", "two"]);
      await talk.reaches(waiting[0], "failed_waiting_for_retry");
      assert.ok(!existsSync(join(w.folder, "secret.key")));
      await w.server.stop();
      await refuses({ PARLEY_DATA_DIR: w.folder, PARLEY_SECRET_KEY: key() }, /another secret key.*PARLEY_SECRET_KEY/);
      const doctor = await w.command(["doctor"], { env: { PARLEY_SECRET_KEY: key() } });
      assert.equal(doctor.code, 1);
      assert.match(doctor.stdout, /BROKEN .*another secret key/);
      await w.serve();
      assert.equal((await w.api.get(`/api/messages/${message.id}`)).body, "kept");
      await w.sandbox.control("DELETE", "/faults");
      await accountFor(talk, [...waiting, await talk.send("still")]);
    } finally {
      await w.stop();
    }
  });
});

describe("told to stop", () => {
  const w = lineWorld({ env: { PARLEY_DRAIN_TIMEOUT: "20s" } });

  test("in the middle of load: what was answered is sent, once", async () => {
    const bot = await w.bot();
    const talks = [];
    for (let n = 0; n < 4; n++) talks.push(await w.talk({ bot }));
    const accepted = talks.map(() => []);
    const unclear = [];
    const load = Promise.all(talks.flatMap((talk, n) => [
      (async () => {
        for (let number = 0; ; number++) {
          const answer = await w.api.ask("POST", talk.messagesPath, { json: { body: `number ${number}` } }).catch((error) => error);
          if (answer.status === 202) accepted[n].push(answer.json);
          else if (answer.status === 503) return;
          else if (answer.cause?.code === "ECONNREFUSED") return;
          else return void unclear.push(`${answer.status} ${answer.cause?.code} ${answer.cause?.message}`);
        }
      })(),
    ]));
    await until(() => accepted.every((list) => list.length >= 15), "there is load", 60);
    await w.server.stop();
    await load;
    await w.serve();
    for (const [n, talk] of talks.entries()) {
      const published = await accountFor(talk, accepted[n]);
      assert.ok(published.every((message) => !isFlagged(message)), "an orderly end makes no duplicates");
      const texts = await outTexts(talk);
      assert.equal(texts.length, new Set(texts).size);
      const { total } = await w.api.get(`${talk.messagesPath}?direction=outbound`);
      assert.ok(total - accepted[n].length <= 1);
      assert.equal(total, texts.length);
    }
    // A connection that is closed between two requests may look like one that died with a request on it, but no more than one each.
    assert.ok(unclear.length <= talks.length, unclear.join("\n"));
  });

  test("requests and sends under way are finished first", async () => {
    const talk = await w.talk();
    const message = await talk.say("before");
    w.line.hold();
    const sending = await talk.send("under way");
    const editing = w.api.ask("PATCH", `/api/messages/${message.id}`, { json: { body: "edited" } });
    await until(async () => (await talk.onTelegram()).some((m) => m.text === "edited"), "the edit is with the platform");
    await until(async () => (await outTexts(talk)).includes("under way"), "the message is with the platform");
    const stopped = w.server.stop();
    await until(() => w.server.log.some((line) => line.msg === "stopping"), "it stops");
    await assert.rejects(until(async () => {
      await fetch(`${w.api.url}/healthz`, { headers: { Connection: "close" } });
      return false;
    }, "new connections are refused"), { name: "TypeError" });
    w.line.release();
    const edited = await editing;
    assert.equal(edited.status, 200, edited.text);
    assert.equal(edited.json.body, "edited");
    await stopped;
    await w.serve();
    const now = await w.api.get(`/api/messages/${sending.id}`);
    assert.equal(now.status, "published");
    assert.ok(!isFlagged(now));
    assert.deepEqual(await outTexts(talk), ["edited", "under way"]);
  });

  test("a send that nobody waits for is finished, too", async () => {
    const talk = await w.talk();
    w.line.hold();
    const messages = await sendAll(talk, ["under way", "behind it"]);
    await until(async () => (await outTexts(talk)).includes("under way"), "it is with the platform");
    const stopped = w.server.stop();
    await assert.rejects(until(() => fetch(`${w.api.url}/healthz`).then(() => false), "the server closes"), { name: "TypeError" });
    w.line.release();
    await stopped;
    await w.serve();
    const published = await accountFor(talk, messages);
    assert.ok(published.every((message) => !isFlagged(message)));
    assert.deepEqual(await outTexts(talk), ["under way", "behind it"]);
  });

  test("what does not finish in time is left to the next start", async () => {
    const talk = await w.talk();
    await w.server.stop();
    await w.serve({ PARLEY_DRAIN_TIMEOUT: "200ms" });
    w.line.hold();
    const messages = await sendAll(talk, ["under way", "behind it"]);
    await until(async () => (await outTexts(talk)).includes("under way"), "it is with the platform");
    await w.server.stop();
    w.line.release();
    await w.serve();
    const [first, second] = await accountFor(talk, messages);
    assert.deepEqual([isFlagged(first), isFlagged(second)], [true, false]);
  });

  test("by SIGINT too, and twice does no harm", async () => {
    const talk = await w.talk();
    const message = await talk.send("bye");
    w.server.child.kill("SIGTERM");
    await w.server.stop("SIGINT");
    await w.serve();
    await talk.reaches(message, "published");
    assert.deepEqual(await outTexts(talk), ["bye"]);
  });
});
