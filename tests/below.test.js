// What the system below does to a server: calls that fail, do half or are interrupted, no memory, no descriptors, no room, a disk
// that does not keep what it was given, a clock that jumps, names and certificates that are no good. Nothing accepted is lost.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

import { Below, belowMissing, binary, names } from "./lib/below.js";

process.env.PARLEY_BIN = binary; // before what follows looks
const { temporaryFolder } = await import("./lib/process.js");
const { png } = await import("./lib/sandbox.js");
const { startEar } = await import("./lib/trouble.js");
const { until } = await import("./lib/until.js");
const { onPostgres, startSite, World } = await import("./lib/world.js");

const skip = belowMissing || (onPostgres && "most of it is about SQLite's files");
const picture = png(16, 16).toString("base64");

// They wait more than they work, so some go on beside each other.
const suites = [];
const suite = (name, tests) => suites.push([name, tests]);

/** A world with trouble to order, a connected bot and a person. */
function belowWorld({ env, ready, ca, ...options } = {}) {
  const w = new World({ ...options, env: { PARLEY_RETRY_AFTER: Array(16).fill("100ms").join(","), PARLEY_WEBHOOK_RETRY_AFTER: Array(16).fill("100ms").join(","), PARLEY_ALLOW_PRIVATE_ADDRESSES: "127.0.0.0/8", ...env } });
  before(async () => {
    w.below = new Below(w, { ca });
    await ready?.(w);
    await w.start();
    w.first = await w.talk();
  });
  after(async () => {
    w.below.clear();
    await w.stop();
  });
  return w;
}

const outTexts = async (talk) => (await talk.onTelegram()).filter((m) => m.direction === "out").map((m) => m.text);
const post = (talk, json, headers) => talk.api.ask("POST", talk.messagesPath, { json, headers });

async function orderly(w, work) {
  try {
    await work();
  } finally {
    w.below.clear();
  }
}

suite("system calls", () => {
  let site;
  const w = belowWorld({ ready: async () => (site = await startSite()) });
  before(() => (site.files["/a.png"] = { bytes: Buffer.from(picture, "base64"), type: "image/png" }));
  after(() => site.stop());

  for (const [what, orders] of Object.entries({
    "that are interrupted": [["write", { error: "EINTR", count: 40 }], ["read", { error: "EINTR", count: 40 }]],
    "that do half": [["write", { text: "socket:", count: 100 }], ["read", { text: "socket:", count: 100 }], ["write", { text: "/parley-test-", count: 100 }], ["read", { text: "/parley-test-", count: 100 }]],
  }))
    test(`${what} are made again, and nobody notices`, () => orderly(w, async () => {
      for (const [call, order] of orders) w.below.order(call, order);
      await w.first.say(`${what} 1`);
      const heard = await w.first.hear(`${what} 2`);
      assert.equal(heard.body, `${what} 2`);
      const file = await w.first.say({ media: [{ data: picture, filename: "a.png" }] });
      assert.deepEqual(Buffer.from(await (await fetch(file.attachments[0].url)).arrayBuffer()).toString("base64"), picture);
      for (const slot of orders.keys()) assert.ok(w.below.seen(slot) > 4, `${w.below.seen(slot)} calls of ${orders[slot]}`);
      assert.ok(!file.platform_data?.possible_duplicate);
    }));

  test("without descriptors: 503 or a closed connection, and all goes on when there are some", () => orderly(w, async () => {
    w.below.order("accept", { error: "EMFILE", count: 3 });
    w.below.order("socket", { error: "ENFILE", count: 2 });
    w.below.order("open", { text: "/media/", error: "EMFILE", count: 1 });
    const refused = await until(() => fetch(`${w.api.url}/healthz`, { headers: { Connection: "close" } }).then(() => false, () => true), "a connection is closed");
    assert.ok(refused);
    const media = await until(() => post(w.first, { media: [{ data: picture }] }).catch(() => false), "a connection is taken again");
    assert.equal(media.status, 503, media.text);
    assert.match(media.json.error, /Too many open files/);
    await w.first.say({ media: [`${site.url}/a.png`] });
    assert.ok(w.below.seen(1) > 2, "it was fetched when there was a socket");
  }));
});

suite("memory that is not to be had", () => {
  const w = belowWorld();

  test("refuses a request, or ends the process with a line; started again, it goes on where it was", async (t) => {
    const counting = w.below.order("alloc", { count: 0 });
    await w.first.say("as usual");
    const usual = w.below.seen(counting);
    w.below.clear();
    let deaths = 0;
    const bodies = [];
    for (let n = 0; n < 8; n++) {
      w.server.stopping = true; // it may end
      w.below.order("alloc", { skip: Math.floor((usual * n) / 8), count: 1 });
      const body = `allocation ${n}`;
      bodies.push(body);
      const accepted = await until(async () => {
        const ended = w.server.child.signalCode ?? w.server.child.exitCode;
        if (ended) {
          deaths++;
          assert.equal(ended, "SIGABRT", w.server.lines.slice(-20).join("\n"));
          assert.ok(w.server.lines.some((line) => /out of memory|OpenSSL: .* failed/.test(line)), w.server.lines.slice(-20).join("\n"));
          await w.serve();
          w.server.stopping = true;
        }
        const answer = await post(w.first, { body }, { "Idempotency-Key": body }).catch((error) => error);
        return answer.status === 202 && answer.json;
      }, `${body} is accepted`);
      await until(async () => {
        if (w.server.child.signalCode) {
          deaths++;
          await w.serve();
        }
        const now = await w.api.get(`/api/messages/${accepted.id}`).catch(() => ({}));
        assert.notEqual(now.status, "failed", now.error_message);
        return now.status === "published";
      }, `${body} is published`, 20);
      w.below.clear();
      w.server.stopping = false;
    }
    t.diagnostic(`${usual} allocations in a send; ${deaths} deaths`);
    const texts = (await outTexts(w.first)).filter((text) => text !== "as usual");
    assert.deepEqual([...new Set(texts)], bodies);
  });
});

suite("a disk that does not keep what it was given", () => {
  const w = belowWorld();

  test("a commit that cannot be synced is refused and is not there, not even after a crash", () => orderly(w, async () => {
    await w.first.say("before");
    w.below.order("sync", { text: "parley.db-wal", error: "EIO" });
    const refused = await post(w.first, { body: "refused" });
    assert.equal(refused.status, 503, refused.text);
    assert.match(refused.json.error, /Input\/output error/);
    assert.ok(Number(refused.headers.get("retry-after")) >= 1);
    assert.deepEqual((await w.first.list("direction=outbound")).map((m) => m.body), ["before"]);
    await w.server.kill();
    w.below.clear();
    await w.serve();
    assert.deepEqual((await w.first.list("direction=outbound")).map((m) => m.body), ["before"], "nobody was told that it would be");
    await w.first.say("after");
    assert.deepEqual(await outTexts(w.first), ["before", "after"]);
  }));

  test("one failed sync is no reason to believe the next: what was under way is written anew", () => orderly(w, async () => {
    w.below.order("sync", { text: "parley.db", error: "EIO", count: 3 });
    const answers = [];
    for (let n = 0; answers.at(-1)?.status !== 202; n++) answers.push(await post(w.first, { body: "patient" }));
    assert.ok(answers.length > 1 && answers.slice(0, -1).every(({ status }) => status === 503));
    await w.first.reaches(answers.at(-1).json, "published");
    assert.equal((await outTexts(w.first)).filter((text) => text === "patient").length, 1);
    assert.match((await w.command(["doctor"])).stdout, /The database is whole/);
  }));

  test("a file that cannot be synced is refused, and nothing of it is left", () => orderly(w, async () => {
    const files = () => readdirSync(join(w.folder, "media"), { recursive: true }).filter((name) => name.endsWith(".png"));
    const there = files();
    for (const text of ["/media/spool/", "/media/"]) {
      w.below.order("sync", { text, error: "EIO", count: 1 });
      const refused = await post(w.first, { media: [{ data: picture }] });
      assert.equal(refused.status, 503, refused.text);
      assert.match(refused.json.error, /Input\/output error/);
      w.below.clear();
      assert.deepEqual(files(), there);
    }
    await w.first.say({ media: [{ data: picture }] });
  }));

  for (const text of ["parley.db-wal", "/media/"])
    test(`no room for ${text}: refused, and well again when there is some`, () => orderly(w, async () => {
      w.below.order("write", { text, error: "ENOSPC" });
      const refused = await post(w.first, text === "/media/" ? { media: [{ data: picture }] } : { body: "no room" });
      assert.equal(refused.status, 503, refused.text);
      assert.match(refused.json.error, /space/);
      w.below.clear();
      assert.equal((await w.first.say("there is room")).status, "published");
    }));
});

suite("a log that cannot be written", () => {
  const log = join(temporaryFolder(), "parley.log");
  const w = new World({ env: { PARLEY_LOG_FILE: log } });

  test("costs its lines, not the server", async () => {
    w.below = new Below(w);
    writeFileSync(log, "");
    // the address is said in the log's file
    const serving = w.start();
    const feed = setInterval(() => w.server && (w.server.lines = readFileSync(log, "utf8").split("\n").slice(0, -1)), 5);
    try {
      await serving;
      const talk = await w.talk();
      w.below.order("write", { text: "parley.log", error: "ENOSPC" });
      await talk.say("nobody writes this down");
      const size = readFileSync(log).length;
      await talk.say("nor this");
      assert.equal(readFileSync(log).length, size);
      w.below.clear();
      await talk.hear("this is");
      await w.server.stop();
      assert.match(readFileSync(log, "utf8"), /"stopped"/);
    } finally {
      clearInterval(feed);
      await w.sandboxProgram.stop();
    }
  });
});

suite("a clock that jumps", () => {
  const w = belowWorld({ env: { PARLEY_RETRY_AFTER: "2s,100ms,100ms,100ms", PARLEY_PACE: "yes", PARLEY_BLUESKY_POLL_SECONDS: "1s", PARLEY_BLUESKY_ACTIVE_SECONDS: "1s" } });
  const clockIs = (seconds) => w.below.order("clock", { value: seconds });

  for (const [name, seconds] of [["an hour back", -3600], ["an hour forward", 3600]])
    test(`${name}: retries, polls and paces go on as if it had not`, () => orderly(w, async () => {
      const talk = await w.talk();
      const bluesky = await w.bluesky.talk();
      await talk.fault({ on: "sendMessage", kind: "status", status: 503, description: "Service Unavailable", count: 1 });
      const waiting = await talk.send("waits for its retry");
      await talk.reaches(waiting, "failed_waiting_for_retry");
      for (const body of ["1", "2", "3", "4", "5"]) await w.first.send(body); // more than a burst
      clockIs(seconds);
      await bluesky.hear("polled", () => true);
      await talk.reaches(waiting, "published");
      await until(async () => (await w.first.list("status=pending")).length === 0, "the chat's pace goes on", 15);
      await w.first.say(`after ${name}`);
      assert.deepEqual((await outTexts(w.first)).filter((text) => /^\d$/.test(text)).slice(-5), ["1", "2", "3", "4", "5"]);
      const events = await w.api.get(`/api/events?limit=1000&chat_id=${w.first.chat.id}`);
      const sent = events.data.filter(({ type }) => type === "message.sent").map(({ data }) => data.message.body);
      assert.equal(sent.at(-1), `after ${name}`, "events stay in order");
    }));

  test("and back to where it was", async () => {
    await w.first.say("all is well");
    assert.equal((await w.first.hear("good")).body, "good");
  });
});

suite("names that nobody resolves", () => {
  let ear;
  const w = belowWorld({ env: { PARLEY_DRAIN_TIMEOUT: "200ms" }, ready: async () => (ear = await startEar()) });
  after(() => ear?.stop());

  test("a resolver that never answers stops nobody else", () => orderly(w, async () => {
    w.below.order("resolve", { text: "silent.test", value: 3600000 });
    w.below.order("resolve", { text: "fast.test" }); // is this machine
    const { port } = new URL(ear.url);
    for (const host of ["silent.test", "fast.test"]) for (let n = 0; n < 8; n++) await w.api.post("/api/webhooks", { url: `http://${host}:${port}/${host}/${n}`, events: ["*"] });
    const before = ear.attempts;
    await w.first.say("told to those who can be found");
    await w.first.hear("as ever");
    await until(() => ear.attempts - before >= 16, "the others are told", 4);
    assert.ok(w.below.seen(0) >= 8);
  }));

  test("a name that is not known is said in the delivery's log", () => orderly(w, async () => {
    w.below.order("resolve", { text: "unknown.test", error: names.EAI_NONAME });
    const made = await w.api.post("/api/webhooks", { url: "http://unknown.test/", events: ["*"] });
    await w.first.hear("nobody is told");
    const [tried] = await until(async () => {
      const { data } = await w.api.get(`/api/webhooks/${made.id}/deliveries`);
      return data.length > 0 && data;
    }, "it is tried");
    assert.match(tried.error, /resolve.*unknown\.test/i);
    await w.api.delete(`/api/webhooks/${made.id}`);
  }));
});

/** Certificates, and a server in front of `target` that shows the one it is told to. */
function certificates() {
  const folder = temporaryFolder();
  const openssl = (...args) => execFileSync("openssl", args, { cwd: folder, stdio: "pipe" });
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  openssl("req", "-x509", ...key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=The test's own", "-days", "30");
  const made = {};
  for (const [name, host, by] of [["good", "good.test", "ca"], ["of another", "other.test", "ca"], ["nobody's", "good.test", null]]) {
    const files = ["-keyout", "this.key", "-subj", "/CN=site", "-addext", `subjectAltName=DNS:${host}`];
    if (by) {
      openssl("req", ...key, ...files, "-out", "this.csr");
      openssl("x509", "-req", "-in", "this.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-days", "1", "-copy_extensions", "copy", "-out", "this.pem");
    } else {
      openssl("req", "-x509", ...key, ...files, "-days", "1", "-out", "this.pem");
    }
    made[name] = { cert: readFileSync(join(folder, "this.pem")), key: readFileSync(join(folder, "this.key")) };
  }
  return { made, ca: join(folder, "ca.pem") };
}

async function startTls(made, target) {
  const server = https.createServer({ ...made.good, keepAliveTimeout: 60000 }, (request, response) => {
    const url = new URL(request.url, target());
    const onward = http.request(url, { method: request.method, headers: { ...request.headers, host: url.host } }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    });
    onward.on("error", () => response.destroy());
    request.pipe(onward);
  });
  server.on("tlsClientError", () => {});
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `https://good.test:${server.address().port}`,
    show(name) {
      server.setSecureContext(made[name]);
      server.closeAllConnections();
    },
    stop() {
      server.closeAllConnections();
      server.close();
    },
  };
}

suite("certificates that are no good", () => {
  const { made, ca } = skip ? {} : certificates();
  const DAYS = 2 * 24 * 3600;
  let front;
  let ear;
  const w = belowWorld({
    ca,
    ready: async () => {
      ear = await startEar();
      front = await startTls(made, () => w.sandbox.url);
      w.env.PARLEY_TELEGRAM_API_URL = front.url;
      w.below.order("resolve", { text: "good.test" });
    },
  });
  after(() => {
    front?.stop();
    ear?.stop();
  });

  const troubles = {
    "of another": { shows: "of another", says: /certificate|subject name/ },
    "nobody's": { shows: "nobody's", says: /self.signed certificate|unable to get local issuer/ },
    "expired": { shows: "good", seconds: DAYS, says: /certificate has expired/ },
  };
  const begin = async ({ shows, seconds }) => {
    const said = w.server.log.length;
    w.below.order("resolve", { text: "good.test" });
    if (!seconds) return shows;
    w.below.order("clock", { value: seconds });
    await until(() => w.server.log.slice(said).some(({ msg }) => /clock was set forward/.test(msg)), "it is seen that the clock was set");
    return shows;
  };
  const end = () => {
    w.below.clear();
    w.below.order("resolve", { text: "good.test" });
  };

  for (const [name, trouble] of Object.entries(troubles)) {
    test(`at a platform: ${name}; nothing is sent, and all is when it is mended`, async () => {
      w.below.clear();
      front.show(await begin(trouble));
      const message = await w.first.send(`past a certificate: ${name}`);
      const waiting = await w.first.reaches(message, "failed_waiting_for_retry");
      assert.match(waiting.error_message, trouble.says);
      assert.ok(!(await outTexts(w.first)).includes(message.body));
      front.show("good");
      end();
      assert.ok(!(await w.first.reaches(message, "published")).platform_data?.possible_duplicate);
      assert.equal((await outTexts(w.first)).filter((text) => text === message.body).length, 1);
    });

    test(`at an endpoint: ${name}; the log of its deliveries says so`, async () => {
      const endpoint = await startTls(made, () => ear.url);
      w.below.clear();
      endpoint.show(await begin(trouble));
      const hook = await w.api.post("/api/webhooks", { url: `${endpoint.url}/events`, events: ["message.received"] });
      const before = ear.attempts;
      const heard = await w.first.hear(`told past a certificate: ${name}`);
      const tried = await until(async () => (await w.api.get(`/api/webhooks/${hook.id}/deliveries`)).data[0], "it is tried");
      assert.match(tried.error, trouble.says);
      assert.equal(ear.attempts, before);
      endpoint.show("good");
      end();
      await until(() => ear.of("message.received", ({ message }) => message.id === heard.id).length > 0, "it is told");
      await w.api.delete(`/api/webhooks/${hook.id}`);
      endpoint.stop();
    });
  }
});

describe("trouble from below", { skip, concurrency: 4 }, () => {
  for (const [name, tests] of suites) describe(name, { concurrency: 1 }, tests); // each in its own order
});
