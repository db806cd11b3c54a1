// Running it: health, metrics, logs, signals, crashes, the command line, and where secrets must not be.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";

import sqlite from "node-sqlite3-wasm";

import { Api } from "./lib/api.js";
import { openapiText } from "./lib/contract.js";
import { Program, binary, run, temporaryFolder } from "./lib/process.js";
import { steadyPort } from "./lib/trouble.js";
import { until } from "./lib/until.js";
import { aboutFile, KEY, onPostgres, world } from "./lib/world.js";

/** Reads Prometheus text, strictly: { name{labels}: value }. */
function readMetrics(text) {
  const types = {};
  const samples = new Map();
  assert.ok(text.endsWith("\n"));
  for (const line of text.trimEnd().split("\n")) {
    const comment = /^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)$/.exec(line);
    if (comment) {
      if (comment[1] === "TYPE") {
        assert.match(comment[3], /^(counter|gauge|histogram|summary|untyped)$/);
        assert.equal(types[comment[2]], undefined, `${comment[2]} has one type`);
        types[comment[2]] = comment[3];
      }
      continue;
    }
    const sample = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{(?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*",?)*\})? (-?\d+(?:\.\d+)?(?:e[+-]?\d+)?|\+Inf|NaN)$/.exec(line);
    assert.ok(sample, `no metric: ${line}`);
    const [, name, labels = "", value] = sample;
    const base = name.replace(/_(bucket|sum|count)$/, "");
    assert.ok(types[name] ?? (types[base] === "histogram" && base !== name), `${name} has a type before it`);
    if (types[name] === "counter") assert.match(name, /_total$/);
    assert.ok(!samples.has(name + labels), `${name}${labels} is there once`);
    samples.set(name + labels, Number(value.replace("+Inf", "Infinity")));
  }
  for (const [name, type] of Object.entries(types)) {
    if (type !== "histogram") continue;
    const rising = {};
    for (const [key, value] of samples) {
      const bucket = new RegExp(`^${name}_bucket\\{(.*?),?le="([^"]+)"\\}$`).exec(key);
      if (!bucket) continue;
      assert.ok(value >= (rising[bucket[1]] ?? 0), `${key} rises`);
      rising[bucket[1]] = value;
      if (bucket[2] === "+Inf") assert.equal(value, samples.get(`${name}_count{${bucket[1]}}`) ?? samples.get(`${name}_count`), key);
    }
  }
  return Object.fromEntries(samples);
}

describe("a running server", () => {
  const w = world();
  const metrics = async () => readMetrics((await w.api.with(null).ask("GET", "/metrics")).text);

  test("is alive and ready, without a key", async () => {
    for (const path of ["/healthz", "/readyz"]) assert.deepEqual((await w.api.with(null).ask("GET", path)).json, { status: "ok" });
  });

  test("tells its metrics, and they move", async () => {
    const talk = await w.talk();
    const before = await metrics();
    await talk.say("counted");
    await talk.fault({ on: "sendMessage", kind: "status", status: 400, description: "Bad Request: no" });
    await talk.reaches(await talk.send("bad"), "failed");
    let after;
    const grown = (name) => (after[name] ?? 0) - (before[name] ?? 0);
    await until(async () => {
      after = await metrics(); // a send is counted once it is written down
      return grown("parley_sends_total{outcome=\"failed\"}") > 0;
    }, "the last send is counted");
    assert.equal(grown("parley_sends_total{outcome=\"published\"}"), 1);
    assert.equal(grown("parley_sends_total{outcome=\"failed\"}"), 1);
    assert.equal(grown("parley_http_requests_total{route=\"/api/chats/:id/messages\",method=\"POST\",status=\"202\"}"), 2);
    assert.equal(after["parley_database_up"], 1);
    assert.ok(Object.keys(after).every((name) => !name.includes(talk.chat.id)), "labels do not grow with the data");
  });

  test("labels of metrics cannot be made up by callers", async () => {
    for (const path of ["/api/made-up-1", "/made/up/2", "/api/chats/made-up-3", "/storage/made-up-4", "/%22%0Amade_up_5"]) await w.api.ask("GET", path);
    assert.ok(!(await w.api.ask("GET", "/metrics")).text.includes("made"));
  });

  test("gives the description the tests hold it against", async () => {
    const answer = await w.api.with(null).ask("GET", "/openapi.yaml");
    assert.equal(answer.text, openapiText);
  });

  test("says what it does in lines of JSON", async () => {
    await w.api.ask("GET", "/api/profiles", { headers: { "X-Request-Id": "line-of-json" } });
    const line = await until(() => w.server.log.find(({ id }) => id === "line-of-json"), "the log line");
    assert.equal(line.method, "GET");
    assert.equal(line.path, "/api/profiles");
    assert.equal(line.status, 200);
    assert.ok(Math.abs(Date.parse(line.time) - Date.now()) < 60000);
    for (const text of w.server.lines) assert.doesNotThrow(() => JSON.parse(text), text);
  });

  test("a made-up path or id cannot forge a log line", async () => {
    await w.api.ask("GET", "/api/%0A%7B%22msg%22%3A%22forged%22%7D", { headers: { "User-Agent": "x\" , \"msg\":\"forged" } });
    await w.api.ask("GET", "/healthz", { headers: { "X-Request-Id": "after-forging" } });
    await until(() => w.server.log.some(({ id }) => id === "after-forging"), "the log line");
    assert.ok(w.server.log.every(({ msg }) => msg !== "forged"));
  });

  test("keeps its files to itself", { skip: aboutFile }, () => {
    const mode = (path) => (statSync(path).mode & 0o777).toString(8);
    assert.equal(mode(join(w.folder, "secret.key")), "600");
    assert.deepEqual(readdirSync(w.folder).filter((name) => name.startsWith("secret")), ["secret.key"]);
    for (const name of readdirSync(w.folder)) assert.match(mode(join(w.folder, name)), /^(600|700)$/, name);
  });
});

describe("secrets", () => {
  const w = world({ env: { PARLEY_LOG_LEVEL: "debug" } });

  function everyFile(folder) {
    return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? everyFile(join(folder, entry.name)) : [join(folder, entry.name)]));
  }

  test("are in no log, error, metric, file or process list", async () => {
    const talk = await w.talk();
    const { secret_token } = (await talk.calls("setWebhook")).at(-1).params;
    const { stdout } = await w.command(["key", "create", "secret one"]);
    const key = stdout.trim();
    const secrets = [talk.bot.token, talk.bot.token.split(":")[1], KEY, key, secret_token];
    w.secrets.push(secret_token, talk.bot.token.split(":")[1]);
    const said = [];
    // Every kind of trouble that could put an address with a token into a sentence.
    for (const order of [{ kind: "html", status: 502 }, { kind: "garbage" }, { kind: "cut_before" }, { kind: "cut_after" }, { kind: "status", status: 401, description: "Unauthorized" }]) {
      await talk.fault({ on: "sendMessage", ...order });
      const message = await w.api.ask("POST", talk.messagesPath, { json: { body: "x" } });
      said.push(message.text);
      if (message.status !== 202) continue;
      const over = await until(async () => {
        const now = await w.api.ask("GET", `/api/messages/${message.json.id}`);
        said.push(now.text);
        return /failed|published/.test(now.json.status);
      }, "it is tried");
      assert.ok(over);
    }
    said.push((await w.api.ask("GET", `/api/profiles/${talk.profile.id}`)).text, (await w.api.ask("GET", "/metrics")).text);
    for (const path of [`/api/profiles?access_token=${KEY}`, `/api/profiles?bot_token=${talk.bot.token}`]) said.push((await w.api.ask("GET", path)).text);
    said.push((await w.api.with(`${key}x`).ask("GET", "/api/profiles")).text);
    said.push(readFileSync(`/proc/${w.server.child.pid}/cmdline`, "latin1"));
    const list = await w.command(["key", "list"]);
    const doctor = await w.command(["doctor"]);
    said.push(list.stdout, list.stderr, doctor.stdout, doctor.stderr, w.server.lines.join("\n"));
    for (const secret of secrets) {
      const shown = said.find((text) => text.includes(secret));
      assert.equal(shown, undefined, shown);
      for (const file of everyFile(w.folder)) assert.ok(!readFileSync(file).includes(secret), `${file} holds a secret`);
    }
  });

  test("a platform that cannot be reached is a 503 without its address", async () => {
    const port = await steadyPort();
    const folder = temporaryFolder();
    const program = new Program(["serve", "--listen", "127.0.0.1:0", "--data-dir", folder], { PARLEY_API_KEY: KEY, PARLEY_TELEGRAM_API_URL: `http://127.0.0.1:${port}` });
    const token = "123456789:AAtheTokenThatMustNotBeSeenAnywhere000";
    program.secrets = [token, "AAtheTokenThatMustNotBeSeen"];
    const api = new Api(`http://${await program.listening()}`, KEY);
    const [group] = (await api.get("/api/profile_groups")).data;
    const answer = await api.ask("POST", `/api/profile_groups/${group.id}/initialize_connection`, { json: { platform: "telegram", bot_token: token } });
    assert.equal(answer.status, 503);
    assert.ok(!answer.text.includes("AAthe"), answer.text);
    await program.stop();
  });
});

describe("stopping and starting", () => {
  const w = world();

  test("SIGTERM lets what is under way finish, and takes nothing new", async () => {
    const bot = await w.bot();
    const [talk, other] = [await w.talk({ bot }), await w.talk({ bot })];
    const sent = await other.say("old");
    await talk.fault({ on: "editMessageText", kind: "delay", delay_ms: 700 });
    await talk.fault({ on: "sendMessage", kind: "delay", delay_ms: 700 });
    const edit = w.api.ask("PATCH", `/api/messages/${sent.id}`, { json: { body: "new" } });
    const message = await talk.send("on its way");
    await until(async () => (await talk.calls("sendMessage")).length === 2 && (await talk.calls("editMessageText")).length === 1, "both are under way");
    const stopped = w.server.stop();
    assert.equal((await edit).status, 200);
    await stopped;
    await assert.rejects(fetch(`${w.api.url}/healthz`));
    await w.serve();
    assert.equal((await talk.reaches(message, "published")).platform_data, null);
    assert.equal((await talk.onTelegram()).filter((m) => m.text === "on its way").length, 1);
    assert.equal((await w.api.get(`/api/messages/${sent.id}`)).body, "new");
  });

  test("SIGINT does as well", async () => {
    await w.server.stop("SIGINT");
    await w.serve();
  });

  test("what was accepted survives a crash, in order, and nothing is lost", async () => {
    const bot = await w.bot();
    const talks = [await w.talk({ bot }), await w.talk({ bot }), await w.talk({ bot })];
    for (const talk of talks) await talk.fault({ on: "sendMessage", chat: talk.person.id, kind: "delay", delay_ms: 20, count: -1 });
    const accepted = new Map(talks.map((talk) => [talk, []]));
    for (let round = 0; round < 3; round++) {
      await Promise.all(talks.map(async (talk) => {
        for (let n = 0; n < 6; n++) accepted.get(talk).push(await talk.send(`${round}.${n}`));
      }));
      await w.server.kill();
      await w.serve();
    }
    await w.sandbox.control("DELETE", "/faults");
    for (const [talk, messages] of accepted) {
      const published = [];
      for (const message of messages) published.push(await talk.reaches(message, "published"));
      const texts = (await talk.onTelegram()).filter((m) => m.direction === "out").map((m) => m.text);
      const once = texts.filter((text, n) => texts.indexOf(text) === n);
      assert.deepEqual(once, messages.map((message) => message.body));
      const repeated = texts.filter((text, n) => texts.indexOf(text) !== n);
      for (const text of repeated) assert.equal(published.find((m) => m.body === text).platform_data?.possible_duplicate, true, text);
      assert.ok(repeated.length <= 3, "at most one a crash");
    }
  });

  test("an inbound message answered with 200 survives a crash", async () => {
    const talk = await w.talk();
    const heard = await talk.hear("remember me");
    await w.server.kill();
    await w.serve();
    assert.deepEqual(await w.api.get(`/api/messages/${heard.id}`), heard);
    const sent = await talk.write("and me");
    await talk.received(sent.message_id);
  });

  test("ids, chats and idempotency keys are the same after a restart", async () => {
    const talk = await w.talk();
    const options = { headers: { "Idempotency-Key": "over a restart" } };
    const sent = await talk.send("once", options);
    await talk.reaches(sent, "published");
    const [chat, list] = [await talk.readChat(), await talk.list()];
    await w.server.stop();
    await w.serve();
    assert.deepEqual([await talk.readChat(), await talk.list()], [chat, list]);
    assert.equal((await talk.send("once", options)).id, sent.id);
    assert.equal((await talk.onTelegram()).filter((m) => m.text === "once").length, 1);
  });

  test("SIGHUP opens the log file again", async () => {
    const folder = temporaryFolder();
    const file = join(folder, "parley.log");
    const port = await steadyPort();
    const program = new Program(["serve", "--listen", `127.0.0.1:${port}`, "--data-dir", join(folder, "data"), "--log-file", file], { PARLEY_API_KEY: KEY });
    const api = new Api(`http://127.0.0.1:${port}`, KEY);
    await until(() => existsSync(file) && readFileSync(file, "utf8").includes("listening"), "it listens");
    const ask = (id) => api.ask("GET", "/healthz", { headers: { "X-Request-Id": id } });
    await ask("before-turning");
    await until(() => readFileSync(file, "utf8").includes("before-turning"), "the first file has it");
    renameSync(file, `${file}.1`);
    await ask("while-turned");
    await until(() => readFileSync(`${file}.1`, "utf8").includes("while-turned"), "the renamed file has it");
    program.child.kill("SIGHUP");
    await until(() => existsSync(file), "the new file is there");
    await ask("after-turning");
    await until(() => readFileSync(file, "utf8").includes("after-turning"), "the new file has it");
    assert.ok(!readFileSync(`${file}.1`, "utf8").includes("after-turning"));
    await program.stop();
  });

  test("SIGHUP without a log file does no harm", async () => {
    w.server.child.kill("SIGHUP");
    assert.equal((await w.api.ask("GET", "/healthz")).status, 200);
  });
});

describe("polling", () => {
  const w = world({ webhook: false, env: { PARLEY_TELEGRAM_POLL_SECONDS: "25" } });

  test("a long poll does not hold up the end", async () => {
    const talk = await w.talk();
    await until(async () => (await talk.calls("getUpdates")).length >= 1, "it polls");
    const begun = Date.now();
    await w.server.stop();
    assert.ok(Date.now() - begun < 15000, `${Date.now() - begun} ms`);
    await w.serve();
    assert.equal((await talk.hear("still there")).body, "still there");
  });
});

describe("the command line", () => {
  const w = world();

  test("tells what it can do, and refuses what it cannot", async () => {
    for (const command of ["serve", "sandbox", "key", "profile", "doctor", "backup", "migrate", "demo", "replay"]) {
      const { code, stdout } = await run([command, "--help"]);
      assert.equal(code, 0, command);
      assert.match(stdout, new RegExp(`parley ${command}`));
    }
    assert.match((await run(["--version"])).stdout, /^parley \d+\.\d+\.\d+\n$/);
    for (const args of [["nonsense"], ["serve", "--nonsense"], ["key", "nonsense"], ["key", "create"], ["serve", "extra"], ["backup"]]) {
      const { code, stderr } = await run(args, { env: { PARLEY_DATA_DIR: temporaryFolder() } });
      assert.notEqual(code, 0, args.join(" "));
      assert.match(stderr, /.{10,}/, args.join(" "));
    }
  });

  test("settings are documented as they are", async () => {
    const documented = readFileSync(new URL("../docs/configuration.md", import.meta.url), "utf8").match(/^\|.*\n/gm).join("");
    assert.equal(documented, (await run(["settings"])).stdout);
  });

  test("settings that make no sense are named", async () => {
    for (const [name, value] of Object.entries({
      PARLEY_LISTEN: "nowhere",
      PARLEY_PUBLIC_URL: "ftp://x",
      PARLEY_API_KEY: "short",
      PARLEY_RETRY_AFTER: "soon",
      PARLEY_THREADS: "many",
      PARLEY_BODY_MAX: "-1",
      PARLEY_SECRET_KEY: "c2hvcnQ=",
      PARLEY_ALLOW_PRIVATE_ADDRESSES: "10.0.0.0/99",
      PARLEY_LOG_LEVEL: "loud",
      PARLEY_LOG_FORMAT: "xml",
      PARLEY_TELEGRAM_API_URL: "not a url",
      PARLEY_PACE: "perhaps",
    })) {
      const { code, stderr, stdout } = await run(["serve"], { env: { PARLEY_DATA_DIR: temporaryFolder(), PARLEY_LISTEN: "127.0.0.1:0", [name]: value } });
      assert.notEqual(code, 0, name);
      const said = stderr + stdout;
      assert.ok(said.includes(value) || new RegExp(name.slice(7).replace(/_/g, "[-_]"), "i").test(said), `${name}: ${said}`);
    }
  });

  test("a port that is taken is said so", async () => {
    const { code, stderr } = await run(["serve", "--listen", `127.0.0.1:${w.port}`, "--data-dir", temporaryFolder()]);
    assert.notEqual(code, 0);
    assert.match(stderr, /in use/i);
  });

  test("files that may not grow are an error, not the end", async () => {
    const words = ["serve", "--listen", "127.0.0.1:0", "--data-dir", temporaryFolder()];
    const child = spawn("sh", ["-c", 'ulimit -f 8; exec "$0" "$@"', binary, ...words], { stdio: ["ignore", "ignore", "pipe"] });
    let said = "";
    child.stderr.on("data", (piece) => (said += piece));
    const [code] = await once(child, "close");
    assert.equal(code, 1, said);
    assert.match(said, /too large|no space/i);
  });

  test("a data folder is served by one process at a time", { skip: aboutFile }, async () => {
    const { code, stderr } = await w.command(["serve", "--listen", "127.0.0.1:0"]);
    assert.notEqual(code, 0);
    assert.match(stderr, /another parley serves/i);
  });

  test("keys are made, listed without their secret, and revoked by name or id", async () => {
    const made = await w.command(["key", "create", "billing robot"]);
    const key = made.stdout.trim();
    w.secrets.push(key);
    assert.match(key, /^\S{20,}$/);
    const line = () => w.command(["key", "list"]).then(({ stdout }) => stdout.split("\n").find((text) => text.includes("billing robot")));
    const id = /key_\w+/.exec(await line())[0];
    assert.ok(!(await line()).includes(key));
    assert.equal((await w.api.with(key).ask("GET", "/api/profiles")).status, 200);
    assert.equal((await w.command(["key", "revoke", id])).code, 0);
    assert.match((await line()) ?? "revoked", /revoked/);
    await until(async () => (await w.api.with(key).ask("GET", "/api/profiles")).status === 401, "the key is gone");
    assert.notEqual((await w.command(["key", "revoke", id])).code, 0);
    assert.notEqual((await w.command(["key", "create", "x", "grp_11111111111"])).code, 0);
  });

  test("profiles are connected and listed", async () => {
    const bot = await w.makeBot();
    const env = { PARLEY_LISTEN: `127.0.0.1:${w.port}` };
    const connected = await w.command(["profile", "connect", "telegram"], { env, input: `${bot.token}\n` });
    assert.equal(connected.code, 0, connected.stderr);
    const { stdout } = await w.command(["profile", "list"], { env });
    assert.ok(stdout.includes(bot.first_name), stdout);
    assert.ok(!(stdout + connected.stdout + connected.stderr).includes(bot.token));
    const refused = await w.command(["profile", "connect", "telegram"], { env, input: "123456789:AAnobodyKnowsThisTokenOfNobody00000000\n" });
    assert.notEqual(refused.code, 0);
    assert.match(refused.stderr + refused.stdout, /Unauthorized/);
  });

  test("doctor says that all is well, and what is not", async () => {
    const bot = await w.bot();
    const well = await w.command(["doctor"]);
    assert.doesNotMatch(well.stdout, new RegExp(`BROKEN.*${bot.username}`));
    await w.sandbox.control("DELETE", `/telegram/bots/${bot.id}`);
    const ill = await w.command(["doctor"]);
    assert.equal(ill.code, 1);
    assert.match(ill.stdout, new RegExp(`BROKEN.*${bot.username}`));
    await w.api.delete(`/api/profiles/${bot.profile.id}`);
    if (!onPostgres) assert.equal((await w.command(["doctor"], { env: { PARLEY_DATA_DIR: "/nonexistent/parley" } })).code, 1);
  });

  test("a backup taken while it runs can be served", { skip: aboutFile }, async () => {
    const talk = await w.talk();
    await talk.say("before the backup");
    const folder = temporaryFolder();
    const writing = (async () => {
      for (let n = 0; n < 20; n++) await talk.send(`meanwhile ${n}`);
    })();
    const { code, stderr } = await w.command(["backup", join(folder, "parley.db")]);
    await writing;
    assert.equal(code, 0, stderr);
    assert.notEqual((await w.command(["backup", join(folder, "parley.db")])).code, 0, "it overwrites nothing");
    copyFileSync(join(w.folder, "secret.key"), join(folder, "secret.key"));
    // No platform there: the copy must not speak for the original.
    const program = new Program(["serve", "--listen", "127.0.0.1:0", "--data-dir", folder], { PARLEY_API_KEY: KEY, PARLEY_TELEGRAM_API_URL: "http://127.0.0.1:9" });
    const copy = new Api(`http://${await program.listening()}`, KEY);
    assert.equal((await copy.get(`/api/chats/${talk.chat.id}`)).id, talk.chat.id);
    assert.ok((await copy.get(`${talk.messagesPath}?per_page=100`)).data.some((m) => m.body === "before the backup"));
    await program.stop();
  });

  test("a backup of PostgreSQL is left to PostgreSQL", { skip: !onPostgres && "the database is SQLite" }, async () => {
    const { code, stderr } = await w.command(["backup", join(temporaryFolder(), "parley.db")]);
    assert.equal(code, 1);
    assert.match(stderr, /pg_dump/);
  });

  test("a database from a newer version is refused and left alone", async () => {
    const folder = temporaryFolder();
    assert.equal((await run(["migrate", "--data-dir", folder])).code, 0);
    const path = join(folder, "parley.db");
    // The library knows no write-ahead log, which there is none of now: bytes 18 and 19 say who may open the file.
    const journal = (kind) => writeFileSync(path, readFileSync(path).fill(kind, 18, 20));
    journal(1);
    const database = new sqlite.Database(path);
    database.run("INSERT INTO schema_version (number, name, applied_at) VALUES (4711, 'from the future', 0)");
    database.close();
    journal(2);
    const bytes = readFileSync(path);
    for (const args of [["serve", "--listen", "127.0.0.1:0"], ["migrate"], ["key", "list"]]) {
      const { code, stderr, stdout } = await run([...args, "--data-dir", folder]);
      assert.notEqual(code, 0, args[0]);
      assert.match(stderr + stdout, /newer|4711/i);
    }
    assert.deepEqual(readFileSync(path), bytes);
  });

  test("a damaged database or a lost secret is said so, not overwritten", async () => {
    const folder = temporaryFolder();
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "parley.db"), "this is no database, but long enough to be looked at as one".repeat(100));
    const { code, stderr } = await run(["serve", "--listen", "127.0.0.1:0", "--data-dir", folder]);
    assert.notEqual(code, 0);
    assert.match(stderr, /database/i);
    assert.match(readFileSync(join(folder, "parley.db"), "utf8"), /^this is no database/);
  });
});
