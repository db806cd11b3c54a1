// What strangers, tenants and hostile servers may not do, across the whole server. Framing is in http.test.js, addresses of
// media in media.test.js, the sandbox's pages in sandbox.test.js; the parts have tables of their own beside their code.
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync, readdirSync } from "node:fs";
import net from "node:net";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

import { browser, Browser } from "./lib/browser.js";
import { META } from "./lib/meta.js";
import { Receiver } from "./lib/receiver.js";
import { until } from "./lib/until.js";
import { aboutFile, KEY, world } from "./lib/world.js";

const dataUri = (bytes, type) => `data:${type};base64,${Buffer.from(bytes).toString("base64")}`;

/** Sends bytes as they are and gives all that comes back until the server closes. */
async function sendRaw(url, bytes) {
  const { hostname, port } = new URL(url);
  const socket = net.connect(port, hostname);
  const pieces = [];
  socket.on("data", (piece) => pieces.push(piece));
  socket.on("error", () => {}); // closing while we still write is the server's right
  await once(socket, "connect");
  socket.write(bytes);
  await once(socket, "close");
  return Buffer.concat(pieces).toString("latin1");
}

describe("tenants", () => {
  const w = world();

  async function tenant(name) {
    const group = await w.api.post("/api/profile_groups", { name });
    const { stdout } = await w.command(["key", "create", name, group.id]);
    const key = stdout.trim();
    w.secrets.push(key);
    const bot = await w.makeBot();
    const profile = await w.connect(bot, group.id);
    return { group, key, profile, api: w.api.with(key) };
  }
  let one, two;
  before(async () => {
    [one, two] = [await tenant("one"), await tenant("two")];
  });

  test("do not meet in their Idempotency-Keys", async () => {
    const headers = { "Idempotency-Key": "order-1" };
    const chat = (t, person) => t.api.ask("POST", `/api/profiles/${t.profile.id}/chats`, { json: { participant_external_id: person }, headers });
    const [mine, theirs] = [await chat(one, "4711"), await chat(two, "4712")];
    assert.deepEqual([mine.status, theirs.status], [201, 201]);
    assert.notEqual(mine.json.id, theirs.json.id);
    assert.deepEqual((await chat(one, "4711")).json, mine.json);
    assert.equal((await chat(one, "4713")).status, 422);
  });

  test("find nothing of each other's, by whatever id", async () => {
    const chat = await one.api.post(`/api/profiles/${one.profile.id}/chats`, { participant_external_id: "4811" });
    const hook = await one.api.post("/api/webhooks", { url: "https://hooks.example/one", events: ["*"] });
    for (const [method, path, json] of [
      ["GET", `/api/profile_groups/${one.group.id}`],
      ["DELETE", `/api/profile_groups/${one.group.id}`],
      ["POST", `/api/profile_groups/${one.group.id}/initialize_connection`, { platform: "telegram", bot_token: "1:x" }],
      ["GET", `/api/profiles/${one.profile.id}`],
      ["DELETE", `/api/profiles/${one.profile.id}`],
      ["GET", `/api/profiles/${one.profile.id}/chats`],
      ["GET", `/api/chats/${chat.id}`],
      ["GET", `/api/chats/${chat.id}/messages`],
      ["POST", `/api/chats/${chat.id}/messages`, { body: "x" }],
      ["GET", `/api/webhooks/${hook.id}`],
      ["PATCH", `/api/webhooks/${hook.id}`, { enabled: false }],
      ["GET", `/api/webhooks/${hook.id}/deliveries`],
      ["POST", `/api/webhooks/${hook.id}/rotate_secret`, {}],
      ["POST", `/api/webhooks/${hook.id}/test`],
      ["DELETE", `/api/webhooks/${hook.id}`],
      ["GET", `/api/profiles?profile_group_id=${one.group.id}`],
      ["GET", `/api/events?profile_group_id=${one.group.id}`],
    ])
      assert.equal((await two.api.ask(method, path, { json })).status, 404, `${method} ${path}`);
    for (const path of ["/api/profiles", "/api/webhooks", "/api/events", "/api/posts", "/api/profile_groups"])
      assert.ok(!(await two.api.ask("GET", path)).text.includes(one.profile.id), path);
    assert.equal((await one.api.get(`/api/webhooks/${hook.id}`)).enabled, true);
  });

  test("are shut out when their key is revoked, on every connection", async () => {
    const { stdout } = await w.command(["key", "create", "brief", one.group.id]);
    const api = w.api.with(stdout.trim());
    w.secrets.push(stdout.trim());
    const ask = () => api.ask("GET", "/api/profiles").then(({ status }) => status);
    assert.deepEqual(new Set(await Promise.all(Array.from({ length: 20 }, ask))), new Set([200]));
    const { stdout: said } = await w.command(["key", "revoke", "brief"]);
    assert.match(said, /refuse it within a second or two/);
    await until(async () => (await Promise.all(Array.from({ length: 20 }, ask))).every((status) => status === 401), "it is shut out everywhere");
  });
});

describe("addresses a user names", () => {
  const w = world();
  const inside = ["http://127.0.0.1:1/", "http://localhost/", "http://a.localhost/", "http://2130706433/", "http://0177.0.0.1/", "http://0x7f.1/", "http://127.1/", "http://0/",
    "http://10.0.0.1/", "http://172.16.0.1/", "http://192.168.1.1/", "http://100.64.0.1/", "http://169.254.169.254/latest/meta-data/", "http://[::1]/", "http://[::]/",
    "http://[::ffff:127.0.0.1]/", "http://[64:ff9b::7f00:1]/", "http://[2002:7f00:1::]/", "http://[fd00::1]/", "http://[fe80::1]/", "http://224.0.0.1/", "http://255.255.255.255/",
    "http://%31%32%37.0.0.1/", "http://127.0.0.1./", "http://①②⑦.0.0.1/", "http://a@127.0.0.1/", "http://a:b@hooks.example/"];
  const none = ["ftp://hooks.example/", "file:///etc/passwd", "gopher://hooks.example/", "javascript:alert(1)", "dict://hooks.example/", "unix:///run/x", "http://", "http:///x", "//hooks.example/",
    "http://hooks.example/\r\nX: y", "http://hooks.example/ x", "http://hooks.example:0/", "http://hooks.example:65536/", `http://hooks.example/${"x".repeat(5000)}`];

  test("lead nowhere inside, as webhooks: new ones and changed ones", async () => {
    const hook = await w.api.post("/api/webhooks", { url: "https://hooks.example/", events: ["*"] });
    for (const url of [...inside, ...none]) {
      assert.match(await w.api.refusal("POST", "/api/webhooks", { url, events: ["*"] }), /^4(00|22) .*url/, url);
      assert.match(await w.api.refusal("PATCH", `/api/webhooks/${hook.id}`, { url }), /^4(00|22) .*url/, url);
    }
    assert.equal((await w.api.get(`/api/webhooks/${hook.id}`)).url, "https://hooks.example/");
  });

  test("lead nowhere inside, as a Bluesky account's server", async () => {
    const path = `/api/profile_groups/${w.groupId}/initialize_connection`;
    for (const service of [...inside, ...none])
      assert.match(await w.api.refusal("POST", path, { platform: "bluesky", identifier: "a.example", app_password: "x", service }), /^4(00|22) .*service/, service);
  });

  test("cannot put a header into a redirect", async () => {
    const path = `/api/profile_groups/${w.groupId}/initialize_connection`;
    for (const redirect_url of ["https://app.example/\r\nSet-Cookie: a=b", "https://app.example/\nX: y", "https://app.example/\u0000", "javascript:alert(1)", "data:text/html,x", "//evil.example", "/x"])
      assert.match(await w.api.refusal("POST", path, { platform: "facebook", redirect_url }), /^4(00|22) /, redirect_url);
    const { url } = await w.api.post(path, { platform: "facebook", redirect_url: "https://app.example/done" }, { status: 200 });
    const state = new URL(url).searchParams.get("state");
    const said = encodeURIComponent("no\r\nSet-Cookie: a=b\r\n\r\n<script>alert(1)</script>");
    const text = await sendRaw(w.api.url, `GET /connect/meta/callback?error=x&error_description=${said}&state=${state} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
    const [head] = text.split("\r\n\r\n");
    assert.match(head, /^HTTP\/1\.1 303 /);
    assert.match(head, /\r\nLocation: https:\/\/app\.example\/done\?success=false&error=no%0D%0ASet-Cookie/);
    assert.doesNotMatch(head, /^Set-Cookie/im);
  });
});

describe("proxies of the environment", () => {
  let asked = 0;
  const proxy = net.createServer((socket) => {
    asked++;
    socket.destroy();
  });
  const env = {};
  before(async () => {
    proxy.listen(0, "127.0.0.1");
    await once(proxy, "listening");
    for (const name of ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"]) env[name] = `http://127.0.0.1:${proxy.address().port}`;
  });
  after(() => proxy.close());
  const w = world({ env });

  test("would hide addresses from the guard, so they are not used", async () => {
    const talk = await w.talk();
    await talk.say("Past the proxy");
    const answer = await w.api.ask("POST", talk.messagesPath, { json: { media: ["http://nobody.invalid/a.png"] } });
    await talk.reaches(answer.json, "failed", 30).catch(async () => assert.equal((await w.api.get(`/api/messages/${answer.json.id}`)).status, "failed_waiting_for_retry"));
    assert.equal(asked, 0);
  });
});

describe("stored files", () => {
  const w = world();
  let talk;
  before(async () => {
    talk = await w.talk();
  });

  test("are reached by no path but their own", async () => {
    const up = ["..", "%2e%2e", "%252e%252e", "%c0%ae%c0%ae", "%e0%80%ae%e0%80%ae", "..%00", "..;", "....//", "%2e."];
    const down = ["/", "%2f", "%252f", "\\", "%5c", "%255c", "%c0%af", "%e0%80%af", "//"];
    const goals = ["secret.key", "parley.db", "etc/passwd"];
    const paths = up.flatMap((u) => down.flatMap((d) => goals.flatMap((goal) => [`/storage/${u}${d}${goal}`, `/storage/${u}${d}${u}${d}${u}${d}${goal}`])))
      .concat(["/storage//etc/passwd", "/storage/%2fetc%2fpasswd", "/storage/file:%2f%2f%2fetc%2fpasswd", "/storage/C:%5Cwindows", "/storage/.%00/x", "/storage/secret.key%00.png", "/storage/~root", "//storage/secret.key",
        "/storage/./secret.key", "/storage/.", "/storage/spool", "/storage/tmp"]);
    for (let i = 0; i < paths.length; i += 20)
      await Promise.all(paths.slice(i, i + 20).map(async (path) => {
        const text = await sendRaw(w.api.url, `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
        assert.match(text, /^HTTP\/1\.1 40[04] /, path);
        assert.doesNotMatch(text, /root:|SQLite format/, path);
      }));
  });

  const active = {
    "a page": ["<!doctype html><script>alert(1)</script>", "text/html"],
    "a page that says it is a picture": ["<html><body onload=alert(1)>", "image/png"],
    "a drawing": ["<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "image/svg+xml"],
    XML: ["<?xml version='1.0'?><x:script xmlns:x='http://www.w3.org/1999/xhtml'>alert(1)</x:script>", "application/xml"],
    XHTML: ["<?xml version='1.0'?><html xmlns='http://www.w3.org/1999/xhtml'><script>alert(1)</script></html>", "application/xhtml+xml"],
    "a script": ["alert(document.cookie)//", "text/javascript"],
    "a style sheet": ["body{background:url(//evil.example)}", "text/css"],
    "a page in UTF-7": ["+ADw-script+AD4-alert(1)+ADw-/script+AD4-", "text/html; charset=utf-7"],
    nothing: ["", "text/html"],
  };
  for (const [name, [bytes, type]] of Object.entries(active))
    test(`${name} can do nothing in a browser`, async () => {
      const answer = await w.api.ask("POST", talk.messagesPath, { json: { media: [{ data: Buffer.from(bytes).toString("base64"), filename: "a\".html\r\nX: y", content_type: type }] } });
      if (answer.status !== 202) return assert.match(`${answer.status}`, /^4(00|22)$/, answer.text);
      const { headers } = await w.api.with(null).ask("GET", new URL(answer.json.attachments[0].url).pathname);
      assert.equal(headers.get("x-content-type-options"), "nosniff");
      assert.match(headers.get("content-security-policy"), /default-src 'none'; sandbox/);
      assert.match(headers.get("content-disposition"), /^attachment/, headers.get("content-type"));
      return assert.equal(headers.get("x"), null);
    });
});

describe("bombs", () => {
  const w = world();
  const memory = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${w.server.child.pid}/status`, "utf8"))[1]);
  let talk;
  before(async () => {
    talk = await w.talk();
  });

  test("numbers without end, and nesting without end, are refused or taken for what they are", async () => {
    const headers = { "Content-Type": "application/json" };
    const digits = "9".repeat(900000);
    for (const body of [`{"body":${digits}}`, `{"body":"x","reply_markup":{"a":1e${digits}}}`, `{"body":1e999999999}`, `{"body":-${digits}.${"1".repeat(10)}}`, "[".repeat(900000), "{\"a\":".repeat(150000),
      `{"body":"x","a":${"[".repeat(65)}${"]".repeat(65)}}`, `{${"\"a\":1,".repeat(100000)}"body":["x"]}`, `{"body":"${"\\ud800".repeat(100000)}"}`]) {
      const { status } = await w.api.ask("POST", talk.messagesPath, { body, headers });
      assert.ok([400, 413, 422].includes(status), `${body.slice(0, 40)}: ${status}`);
    }
  });

  test("a hundred thousand parts are refused, and leave nothing behind", async () => {
    const part = "--b\r\nContent-Disposition: form-data; name=\"media[]\"; filename=\"a\"\r\n\r\nx\r\n";
    const before = memory();
    const { status } = await w.api.ask("POST", talk.messagesPath, { body: `${part.repeat(100000)}--b--\r\n`, headers: { "Content-Type": "multipart/form-data; boundary=b" } });
    assert.ok([400, 413].includes(status), `${status}`);
    const left = readdirSync(w.folder, { recursive: true }).filter((name) => /spool|upload/.test(name) && !/(spool|upload)$/.test(name));
    assert.deepEqual(left, []);
    assert.ok(memory() - before < 150000, `${memory() - before} KB more`);
  });

  test("what is declared small and sent large is not read on", async () => {
    const hidden = `POST /api/profile_groups HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${KEY}\r\nContent-Type: application/json\r\nContent-Length: 17\r\n\r\n{"name":"Hidden"}`;
    const head = (length) => `POST ${talk.messagesPath} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${KEY}\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n\r\n`;
    const groups = (await w.api.get("/api/profile_groups")).data.length;
    const text = await sendRaw(w.api.url, `${head(2)}{}${"x".repeat(1000000)}${hidden}`);
    const statuses = [...text.matchAll(/^HTTP\/1\.1 (\d+)/gm)].map((match) => match[1]);
    assert.ok(statuses.length >= 1 && statuses.length <= 2 && statuses.every((status) => status === "400"), statuses.join());
    assert.equal((await w.api.get("/api/profile_groups")).data.length, groups);
  });

  test("pictures a hundred thousand pixels wide are sizes, not memory", async () => {
    const png = Buffer.alloc(64);
    Buffer.from("89504e470d0a1a0a0000000d49484452", "hex").copy(png);
    for (const [width, height] of [[100000, 100000], [0x7fffffff, 0x7fffffff], [0xffffffff, 1], [0, 0]]) {
      png.writeUInt32BE(width, 16);
      png.writeUInt32BE(height, 20);
      const before = memory();
      const { status } = await w.api.ask("POST", talk.messagesPath, { json: { media: [dataUri(png, "image/png")] } });
      assert.ok([202, 422].includes(status), `${status}`);
      assert.ok(memory() - before < 50000, `${memory() - before} KB more`);
    }
  });
});

describe("secrets", () => {
  const secretKey = Buffer.alloc(32, "a-sealing-key-of-the-tests").toString("base64");
  const w = world({ env: { PARLEY_LOG_LEVEL: "debug", PARLEY_SECRET_KEY: secretKey, PARLEY_ALLOW_PRIVATE_ADDRESSES: "127.0.0.0/8" }, ready: ({ meta }) => meta.setCallback() });
  const receiver = new Receiver();
  before(() => receiver.start());
  after(() => receiver.stop());

  test("are nowhere to be read after a life with trouble in it", { skip: aboutFile }, async () => {
    const said = [];
    const hook = await w.api.post("/api/webhooks", { url: `${receiver.url}/hook`, events: ["*"] });
    receiver.answers["/hook"] = 500;
    const rotated = await w.api.post(`/api/webhooks/${hook.id}/rotate_secret`, {});
    const talks = [await w.bluesky.talk(), await w.meta.talk("facebook"), await w.meta.talk("instagram by itself")];
    const secrets = [secretKey, KEY, META.app.secret, META.instagram.secret, META.app.verify_token, hook.secret, rotated.secret, hook.secret.slice(6),
      ...w.secrets.filter((secret) => secret.length > 8), talks[0].account.password];
    for (const [n, talk] of talks.entries())
      for (const [kind, more] of [["status", { status: 400, description: "no" }], ["status", { status: 500, description: "no" }], ["garbage", {}], ["html", { status: 502 }], ["cut_after", {}]]) {
        const order = n === 0 ? { platform: "bluesky", on: "sendMessage", account: talk.account.did } : { platform: "meta", on: "messages", bot: talk.account.page ?? talk.account.id };
        await w.sandbox.fault({ ...order, kind, count: 1, ...more });
        const message = await talk.send({ body: `x ${kind}` });
        said.push(JSON.stringify(await until(async () => {
          const now = await w.api.get(`/api/messages/${message.id}`);
          return /^(failed|published|failed_waiting_for_retry)$/.test(now.status) && now;
        }, "it is tried")));
      }
    const path = `/api/profile_groups/${w.groupId}/initialize_connection`;
    for (const json of [{ platform: "facebook", page_id: "1", access_token: "EAAaSecretThatIsWrong0123456789" }, { platform: "bluesky", identifier: "a.sandbox.test", app_password: "wron-gpas-swor-dxyz" },
      { platform: "telegram", bot_token: "123456:AAaSecretThatIsWrong0123456789" }]) {
      const secret = Object.values(json).at(-1);
      secrets.push(secret);
      w.secrets.push(secret);
      said.push((await w.api.ask("POST", path, { json })).text);
    }
    await receiver.await("/hook", 3);
    for (const url of ["/metrics", "/api/profiles", "/api/events?limit=1000", "/readyz", `/api/webhooks/${hook.id}/deliveries`]) said.push((await w.api.ask("GET", url)).text);
    const { pid } = w.server.child;
    said.push(readFileSync(`/proc/${pid}/cmdline`, "latin1"), readFileSync(`/proc/${pid}/comm`, "latin1"), w.server.lines.join("\n"));
    const files = readdirSync(w.folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath ?? entry.path, entry.name));
    assert.ok(files.some((name) => name.endsWith("parley.db")));
    for (const secret of new Set(secrets)) {
      assert.equal(said.find((text) => text.includes(secret)), undefined, secret);
      for (const file of files) assert.ok(!readFileSync(file).includes(secret), `${file} holds ${secret}`);
    }
    assert.match(readFileSync(`/proc/${pid}/status`, "latin1"), /VmRSS/);
  });
});

describe("the sandbox's pages in a browser", { skip: !browser && "there is no Chromium" }, () => {
  const w = world();
  let window;
  before(() => (window = new Browser()));
  after(() => window.close());
  const markup = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>\"'><b>";

  test("show names and texts with markup in them as text", async () => {
    const bot = (await w.sandbox.control("GET", "/telegram/bots")).data.find(({ username }) => username === "sandbox_bot"); // these two are shown at first
    const person = (await w.sandbox.control("GET", "/telegram/users")).data.find(({ username }) => username === "mina");
    await w.sandbox.control("POST", "/telegram/users", { first_name: markup, last_name: markup });
    await w.sandbox.control("POST", `/telegram/bots/${bot.id}/chats/${person.id}/messages`, { text: markup });
    await w.meta.control("POST", "/accounts", { kind: "page", name: markup, username: "page.markup" });
    await w.bluesky.makeAccount({ display_name: markup });
    for (const [path, where] of [["/", "#messages"], ["/", "#people"], ["/meta", "body"], ["/bluesky", "body"]]) {
      const page = await window.open(`${w.sandbox.url}${path}`);
      const holds = `document.querySelector("${where}")?.textContent.includes(${JSON.stringify(markup)})`;
      await page.find(holds, `${path} shows it in ${where}`);
      assert.equal(await page.evaluate("document.querySelectorAll('img[src=x], main script, aside script, b').length"), 0, path);
      assert.notEqual(await page.evaluate("document.title"), "owned", path);
    }
  });

  test("cannot be framed by others", async () => {
    for (const path of ["/", "/meta", "/bluesky"])
      assert.match((await fetch(w.sandbox.url + path)).headers.get("content-security-policy"), /frame-ancestors 'none'/, path);
  });
});
