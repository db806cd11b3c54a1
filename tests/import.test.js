// All data to another database and back: the same answers, also when it was cut off in the middle.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

import { Postgres, postgresMissing } from "./lib/postgres.js";
import { binary, cleanEnv, run, temporaryFolder } from "./lib/process.js";
import { Receiver } from "./lib/receiver.js";
import { png } from "./lib/sandbox.js";
import { until } from "./lib/until.js";
import { Wall } from "./lib/wall.js";
import { onPostgres, World } from "./lib/world.js";

const processed = (message) => message.attachments.every(({ status }) => status === "processed");

function upload(bytes, name) {
  const data = new FormData();
  data.append("kind", "photo");
  data.append("file", new File([bytes], name, { type: "image/png" }));
  return data;
}

/** Runs a statement on a SQLite file. */
function sqlite(file, sql) {
  execFileSync("python3", ["-c", "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.executescript(sys.argv[2]); c.commit()", file, sql]);
}

// It is about both, whichever the other tests are on.
const skip = onPostgres && "it needs no second time";
const w = new World();
let receiver;
let postgres;
let known; // what the API says before anything is moved
let key;

before(async () => {
  if (skip) return;
  if (!postgresMissing) postgres = await Postgres.start();
  receiver = await new Receiver().start();
  w.env = { PARLEY_ALLOW_PRIVATE_ADDRESSES: "127.0.0.0/8" };
  await w.start();
  await w.meta.setCallback();
  await fill();
  await w.server.stop();
  // What is there twice must come over twice.
  sqlite(join(w.folder, "parley.db"), "INSERT INTO replaced_media SELECT * FROM replaced_media; INSERT INTO replaced_media SELECT * FROM replaced_media");
  key = readFileSync(join(w.folder, "secret.key"), "utf8").trim();
});
after(async () => {
  await w.sandboxProgram?.stop();
  await receiver?.stop();
  await postgres?.stop();
});

/** A conversation with media both ways, an edit that replaced some, a webhook with its log, comments. */
async function fill() {
  const hook = await w.api.post("/api/webhooks", { url: `${receiver.url}/hook`, events: ["*"] }, { status: 201 });
  const talk = await w.talk({ person: { photo: true } });
  await talk.hear("Hello — is the bowl still there? 😀 \\ ' \" \u2028");
  await talk.say("It is");
  for (let i = 0; i < 30; i++) await talk.say(`line ${i}`);
  await talk.reaches(await talk.send({ media: [{ data: png(40, 30).toString("base64"), filename: "bowl.png" }] }), "published");
  const photo = await talk.hear(upload(png(64, 48), "their.png"), processed);
  const replaced = await talk.hear(upload(png(20, 20), "soon gone.png"), processed);
  await w.sandbox.control("POST", `/telegram/bots/${talk.bot.id}/updates`, {
    edited_message: {
      message_id: Number(replaced.external_id), date: Math.floor(Date.parse(replaced.external_posted_at) / 1000), edit_date: Math.floor(Date.now() / 1000) + 1, text: "no picture",
      from: { id: talk.person.id, is_bot: false, first_name: talk.person.first_name }, chat: { id: talk.person.id, first_name: talk.person.first_name, type: "private" },
    },
  });
  await talk.received(replaced.external_id, (m) => m.attachments.length === 0);
  assert.equal(photo.attachments[0].content_type, "image/png");
  const wall = await Wall.build(w, "facebook");
  await wall.hear("How much?");
  await until(async () => {
    const { data } = await w.api.get("/api/events?per_page=100");
    return data.length > 0 && receiver.requests.length >= data.length;
  }, "all is told");
  await until(async () => (await w.api.get(`/api/webhooks/${hook.id}/deliveries?per_page=100`)).total >= receiver.requests.length, "the log has all");
  known = await everything();
}

/** What the API answers about all there is, and the bytes of all files. */
async function everything() {
  const all = {};
  const read = async (path) => (all[path] = await w.api.get(path));
  await read("/api/profile_groups");
  await read("/api/events?per_page=100");
  await read("/api/posts?per_page=100");
  for (const { id } of (await read("/api/webhooks")).data) await read(`/api/webhooks/${id}/deliveries?per_page=100`);
  for (const { id } of (await read("/api/profiles")).data)
    for (const chat of (await read(`/api/profiles/${id}/chats?per_page=100`)).data)
      for (const message of (await read(`/api/chats/${chat.id}/messages?per_page=100`)).data)
        for (const { url } of message.attachments) {
          const path = new URL(url).pathname;
          all[path] = (await w.api.with(null).ask("GET", path)).bytes.toString("base64");
        }
  for (const { id, platforms } of all["/api/posts?per_page=100"].data)
    await read(`/api/posts/${id}/comments?profile_id=${platforms[0].profile_id}&per_page=100`);
  assert.ok(Object.keys(all).some((path) => path.startsWith("/storage/")), "there are files");
  return all;
}

const importing = (from, to, ...more) => run(["import", "--from", from, "--to", to, ...more]);

async function imported(from, to, ...more) {
  const { code, stdout, stderr } = await importing(from, to, ...more);
  assert.equal(code, 0, `${stdout}\n${stderr}`);
  return stdout;
}

/** Makes a target as it was before anything was moved. */
async function empty(to) {
  if (to.startsWith("sqlite:")) for (const end of ["", "-wal", "-shm"]) rmSync(to.slice(7) + end, { force: true });
  else await postgres.query("DROP SCHEMA public CASCADE; CREATE SCHEMA public", to);
}

/** Starts the import and kills it once it has moved some of it; when it was quicker than that, once more. */
async function cutOff(from, to) {
  const child = spawn(binary, ["import", "--from", from, "--to", to, "--batch", "1"], { env: cleanEnv(), stdio: ["ignore", "pipe", "inherit"] });
  let said = "";
  child.stdout.on("data", (text) => {
    said += text;
    if (/^(chat|profile) /m.test(said)) child.kill("SIGKILL");
  });
  const [code, signal] = await once(child, "close");
  if (code === 0 || /comparing/.test(said)) {
    await empty(to);
    return cutOff(from, to);
  }
  assert.deepEqual([code, signal], [null, "SIGKILL"], said);
}

/** A folder with the same media and key, for a database that comes. */
function newFolder() {
  const folder = temporaryFolder();
  for (const name of ["media", "secret.key"]) cpSync(join(w.folder, name), join(folder, name), { recursive: true });
  return folder;
}

async function answersTheSame(env) {
  await w.serve(env);
  try {
    assert.deepEqual(await everything(), known);
    const [profile] = (await w.api.get("/api/profiles")).data.filter(({ platform }) => platform === "telegram");
    const [chat] = (await w.api.get(`/api/profiles/${profile.id}/chats`)).data;
    const sent = await w.api.post(`/api/chats/${chat.id}/messages`, { body: "after the move" }, { status: 202 });
    await until(async () => (await w.api.get(`/api/messages/${sent.id}`)).status === "published", "it goes on sending");
  } finally {
    await w.server.stop();
  }
}

const source = () => `sqlite:${join(w.folder, "parley.db")}`;

describe("what cannot be", { skip }, () => {
  for (const [what, from, to, says, code = 1] of [
    ["no target", source, null, /say `parley import --from DATABASE --to DATABASE`/, 2],
    ["another kind of database", source, () => "mysql://x", /--to must be sqlite:PATH or postgres/, 2],
    ["no path", source, () => "sqlite:", /path of the database's file/, 2],
    ["no source", () => "sqlite:/nonexistent/parley.db", () => `sqlite:${temporaryFolder()}/parley.db`, /There is no database/],
    ["itself", source, source, /the source and the target are the same/, 2],
  ])
    test(what, async () => {
      const got = await run(["import", "--from", from(), ...(to ? ["--to", to()] : [])]);
      assert.match(got.stderr, says);
      assert.equal(got.code, code);
    });

  test("a source that is being served", async () => {
    await w.serve();
    try {
      const got = await importing(source(), `sqlite:${temporaryFolder()}/parley.db`);
      assert.match(got.stderr, /A parley serves the source; stop it first/);
      assert.equal(got.code, 1);
    } finally {
      await w.server.stop();
    }
  });

  test("a source that was never used", async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "parley.db"), "");
    const got = await importing(`sqlite:${folder}/parley.db`, `sqlite:${temporaryFolder()}/parley.db`);
    assert.match(got.stderr, /the source is at schema 0, this parley at \d+/);
    assert.equal(got.code, 1);
  });

  test("a target with something in it", async () => {
    const folder = temporaryFolder();
    const used = { PARLEY_DATA_DIR: folder };
    assert.equal((await run(["key", "create", "one"], { env: used })).code, 0);
    const got = await importing(source(), `sqlite:${folder}/parley.db`);
    assert.match(got.stderr, /the target is not empty/);
    assert.equal(got.code, 1);
    assert.match((await run(["key", "list"], { env: used })).stdout, /one/);
  });

  test("a target of an older version, which stays as it was", async () => {
    const folder = temporaryFolder(), file = join(folder, "parley.db");
    assert.equal((await run(["key", "create", "one"], { env: { PARLEY_DATA_DIR: folder } })).code, 0);
    sqlite(file, "DELETE FROM schema_version WHERE number > 3");
    const before = readFileSync(file);
    const got = await importing(source(), `sqlite:${file}`);
    assert.match(got.stderr, /the target is at schema 3, this parley at \d+; let `parley migrate` bring it there first/);
    assert.equal(got.code, 1);
    assert.deepEqual(readFileSync(file), before);
  });
});

describe("from file to file", { skip }, () => {
  test("all of it, cut off and gone on with", async () => {
    const folder = newFolder();
    const target = `sqlite:${join(folder, "parley.db")}`;
    await cutOff(source(), target);
    const half = await run(["serve", "--listen", "127.0.0.1:0"], { env: { PARLEY_DATA_DIR: folder } });
    assert.match(half.stderr, /An import into this database is not complete/);
    assert.equal(half.code, 1);

    const other = newFolder();
    assert.equal((await run(["key", "create", "one"], { env: { PARLEY_DATA_DIR: other } })).code, 0);
    assert.match((await importing(`sqlite:${join(other, "parley.db")}`, target)).stderr, /the beginning of another import/);

    const said = await imported(source(), target);
    assert.match(said, /An import was begun; it goes on/);
    for (const table of ["workspace", "profile_group", "profile", "chat", "message", "attachment", "event", "webhook", "delivery", "post", "comment", "instance"])
      assert.match(said, new RegExp(`^${table} +[1-9]\\d* rows, the same on both sides`, "m"));
    assert.match(said, /^replaced_media +4 rows, the same on both sides/m);
    assert.match((await importing(source(), target)).stderr, /the target is not empty/);
    await answersTheSame({ PARLEY_DATA_DIR: folder });
  });

  test("what is not the same in the end is said", async () => {
    const folder = newFolder();
    const file = join(folder, "parley.db");
    await cutOff(source(), `sqlite:${file}`);
    sqlite(file, "UPDATE workspace SET name = 'another'");
    const got = await importing(source(), `sqlite:${file}`);
    assert.match(got.stderr, /workspace is not the same on both sides \(1 and 1 rows\)/);
    assert.equal(got.code, 1);
    assert.equal((await run(["serve", "--listen", "127.0.0.1:0"], { env: { PARLEY_DATA_DIR: folder } })).code, 1);
  });
});

describe("from file to PostgreSQL and back", { skip: skip || postgresMissing }, () => {
  let url;

  test("to PostgreSQL", async () => {
    url = await postgres.database();
    await cutOff(source(), url);
    const said = await imported(source(), url);
    assert.match(said, /An import was begun; it goes on/);
    assert.equal(await postgres.query("SELECT count(*) FROM instance WHERE name LIKE 'import%'", url), "0");
    await answersTheSame({ PARLEY_DATA_DIR: newFolder(), PARLEY_DATABASE_URL: url, PARLEY_SECRET_KEY: key });
  });

  test("and back", async () => {
    // The server of the test before sent something more; a second database has only what is known.
    const fresh = await postgres.database();
    await imported(source(), fresh, "--batch", "7");
    const folder = newFolder();
    assert.equal(existsSync(join(folder, "parley.db")), false);
    await cutOff(fresh, `sqlite:${join(folder, "parley.db")}`);
    await imported(fresh, `sqlite:${join(folder, "parley.db")}`, "--batch", "3");
    await answersTheSame({ PARLEY_DATA_DIR: folder });
  });

  test("a table that only one side has is no secret", async () => {
    const target = await postgres.database();
    assert.match((await importing(source(), target.replace("postgres://", "mysql://"))).stderr, /--to must be/);
    assert.equal((await run(["migrate"], { env: { PARLEY_DATABASE_URL: target, PARLEY_SECRET_KEY: key } })).code, 0);
    await postgres.query("CREATE TABLE surplus (id BIGINT PRIMARY KEY); TRUNCATE workspace, instance CASCADE", target);
    assert.match((await importing(source(), target)).stderr, /the source has no table surplus; nothing was moved/);
    await postgres.query("DROP TABLE surplus; ALTER TABLE message ADD COLUMN more TEXT", target);
    assert.match((await importing(source(), target)).stderr, /The table message is not the same on both sides/);
  });

  test("a text that PostgreSQL cannot hold is said", async () => {
    const folder = newFolder();
    await imported(source(), `sqlite:${join(folder, "parley.db")}`);
    sqlite(join(folder, "parley.db"), "UPDATE workspace SET name = 'a' || char(0) || 'b'");
    const target = await postgres.database();
    assert.match(await imported(`sqlite:${join(folder, "parley.db")}`, target), /1 texts had bytes that PostgreSQL cannot hold/);
    assert.equal(await postgres.query("SELECT name FROM workspace", target), "a\uFFFDb");
  });
});
