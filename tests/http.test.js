// The protocol itself: methods, limits, framing, and what must never be taken for a request.
import assert from "node:assert/strict";
import net from "node:net";
import { describe, test } from "node:test";

import { parseResponses, raw } from "./lib/api.js";
import { checkResponse } from "./lib/contract.js";
import { until } from "./lib/until.js";
import { KEY, world } from "./lib/world.js";

const w = world({ env: { PARLEY_REQUEST_TIMEOUT: "2s", PARLEY_IDLE_TIMEOUT: "3s" } });
const auth = `Authorization: Bearer ${KEY}\r\n`;
const host = "Host: parley.example\r\n";
const groups = async () => (await w.api.get("/api/profile_groups")).data;
const create = (name, more = "") => {
  const body = JSON.stringify({ name });
  return `POST /api/profile_groups HTTP/1.1\r\n${host}${auth}Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n${more}\r\n${body}`;
};
const health = `GET /healthz HTTP/1.1\r\n${host}\r\n`;

/** The responses to these bytes; whoever sends them closes. Each response keeps to the contract. */
async function talkRaw(bytes, options) {
  const answer = await raw(w.api.url, bytes, options);
  for (const response of answer.responses)
    if (response.status >= 400)
      assert.ok(JSON.parse(response.body.toString()).error, `${response.status} says why`);
  return answer;
}

describe("methods and paths", () => {
  test("HEAD works wherever GET does", async () => {
    const talk = await w.talk();
    const message = (await talk.list())[0];
    for (const path of ["/api/profile_groups", `/api/profile_groups/${w.groupId}`, "/api/profiles", `/api/profiles/${talk.profile.id}`, `/api/profiles/${talk.profile.id}/placements`,
      `/api/profiles/${talk.profile.id}/chats`, `/api/chats/${talk.chat.id}`, `/api/chats/${talk.chat.id}/messages`, `/api/messages/${message.id}`, "/healthz", "/readyz", "/openapi.yaml", "/metrics"]) {
      const [get, head] = [await w.api.ask("GET", path), await w.api.ask("HEAD", path)];
      assert.equal(head.status, 200, path);
      assert.equal(head.bytes.length, 0);
      assert.equal(head.headers.get("content-type"), get.headers.get("content-type"));
      if (path !== "/metrics") assert.equal(head.headers.get("content-length"), String(get.bytes.length), path);
    }
    assert.equal((await w.api.ask("HEAD", "/api/chats/chat_11111111111")).status, 404);
    assert.equal((await w.api.with(null).ask("HEAD", "/api/profiles")).status, 401);
  });

  test("a trailing slash is accepted", async () => {
    const talk = await w.talk();
    for (const path of ["/api/profile_groups/", "/api/profiles/", `/api/profiles/${talk.profile.id}/`, `/api/profiles/${talk.profile.id}/chats/`, `/api/chats/${talk.chat.id}/messages/?per_page=1`])
      assert.equal((await w.api.ask("GET", path)).status, 200, path);
    const message = await w.api.post(`/api/chats/${talk.chat.id}/messages/`, { body: "x" }, { status: 202 });
    await talk.reaches(message, "published");
    assert.equal((await w.api.ask("POST", `/api/chats/${talk.chat.id}/archive/`)).status, 422);
  });

  test("a path without the method is a 405 that says which it has", async () => {
    const talk = await w.talk();
    const message = (await talk.list())[0];
    for (const [path, allowed] of [
      ["/api/profile_groups", ["GET", "HEAD", "POST"]],
      [`/api/profile_groups/${w.groupId}`, ["DELETE", "GET", "HEAD"]],
      [`/api/profile_groups/${w.groupId}/initialize_connection`, ["POST"]],
      ["/api/profiles", ["GET", "HEAD"]],
      [`/api/profiles/${talk.profile.id}`, ["DELETE", "GET", "HEAD"]],
      [`/api/profiles/${talk.profile.id}/placements`, ["GET", "HEAD"]],
      [`/api/profiles/${talk.profile.id}/chats`, ["GET", "HEAD", "POST"]],
      [`/api/chats/${talk.chat.id}`, ["GET", "HEAD"]],
      [`/api/chats/${talk.chat.id}/archive`, ["DELETE", "POST"]],
      [`/api/chats/${talk.chat.id}/messages`, ["GET", "HEAD", "POST"]],
      [`/api/messages/${message.id}`, ["GET", "HEAD", "PATCH"]],
      [`/api/messages/${message.id}/react`, ["POST"]],
      [`/api/messages/${message.id}/unreact`, ["DELETE"]],
      ["/healthz", ["GET", "HEAD"]],
      ["/metrics", ["GET", "HEAD"]],
      [`/webhooks/telegram/${talk.profile.id}`, ["POST"]],
    ])
      for (const method of ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]) {
        if (allowed.includes(method)) continue;
        const answer = await w.api.ask(method, path);
        assert.equal(answer.status, 405, `${method} ${path}`);
        const allow = answer.headers.get("allow").split(/,\s*/).filter((m) => m !== "OPTIONS").sort();
        assert.deepEqual(allow, allowed, path);
      }
    const { responses } = await talkRaw(`BREW /api/profiles HTTP/1.1\r\n${host}${auth}Connection: close\r\n\r\n`);
    assert.ok([400, 405, 501].includes(responses[0].status));
  });

  test("other paths are a 404", async () => {
    for (const path of ["/api", "/api/", "/api/nothing", "/API/profiles", "/api/profiles/x/y/z", "/api//profiles", "//api/profiles", "/api/profile", "/api/chats", "/api/messages", "/webhooks/telegram", "/storage", "/.git/config", "/api/post/1", "/api/posts/1/comments/2/3"])
      for (const method of ["GET", "POST", "DELETE"]) {
        const { status } = await w.api.ask(method, path);
        assert.equal(status, 404, `${method} ${path}`);
      }
  });

  test("a path that exists, but not so, is a 405", async () => {
    for (const [path, methods, allowed] of [["/api/posts/1", ["POST", "DELETE"], "GET"], ["/api/posts/1/comments/2/private_reply", ["GET", "DELETE"], "POST"], ["/webhooks/meta", ["DELETE", "PUT"], "POST"]])
      for (const method of methods) {
        const answer = await w.api.ask(method, path);
        assert.equal(answer.status, 405, `${method} ${path}`);
        assert.ok(answer.headers.get("allow").includes(allowed), `${method} ${path}`);
      }
  });

  test("dots do not climb, encoded slashes do not split", async () => {
    for (const path of ["/api/chats/../profiles", "/api/./profiles", "/healthz/../api/profiles", "/api/chats/%2e%2e/profiles", "/api%2Fprofiles", "/api/%70rofiles/%2e%2e"]) {
      const { responses } = await talkRaw(`GET ${path} HTTP/1.1\r\n${host}Connection: close\r\n\r\n`);
      assert.ok([400, 401, 404].includes(responses[0].status), `${path}: ${responses[0].status}`);
    }
  });

  test("CORS is off", async () => {
    for (const [method, headers] of [["OPTIONS", { Origin: "https://evil.example", "Access-Control-Request-Method": "POST" }], ["GET", { Origin: "https://evil.example" }]]) {
      const answer = await w.api.ask(method, "/api/profiles", { headers });
      assert.deepEqual([...answer.headers.keys()].filter((name) => name.startsWith("access-control")), []);
    }
  });

  test("a request id comes back when it is plain, else one is made", async () => {
    const ask = async (id) => (await w.api.ask("GET", "/healthz", { headers: id === undefined ? {} : { "X-Request-Id": id } })).headers.get("x-request-id");
    for (const id of ["abc-123", "0af7651916cd43dd8448eb211c80319c", "A_b.c-d"]) assert.equal(await ask(id), id);
    const made = await ask();
    assert.ok(made.length >= 8);
    assert.notEqual(await ask(), made);
    for (const id of ["", "a b", "<script>", "x".repeat(500), "é", "a\"b", "{}"]) {
      const answer = await ask(id);
      assert.notEqual(answer, id);
      assert.match(answer, /^[\w.-]{1,128}$/);
    }
    const error = await w.api.ask("GET", "/api/nothing", { headers: { "X-Request-Id": "find-me-7" } });
    assert.equal(error.json.request_id, "find-me-7");
    await until(() => w.server.log.some((line) => line.id === "find-me-7"), "the log has it");
  });
});

describe("bodies", () => {
  test("the content types that are taken, and the others", async () => {
    const name = JSON.stringify({ name: "Types" });
    for (const type of ["application/json", "application/json; charset=utf-8", "Application/JSON", "application/json;charset=UTF-8"])
      assert.equal((await w.api.ask("POST", "/api/profile_groups", { body: name, headers: { "Content-Type": type } })).status, 201, type);
    for (const type of ["text/xml", "text/plain", "application/octet-stream", "application/x-yaml", "image/png", "application/jsonx", "json", "multipart/mixed; boundary=x"])
      assert.equal((await w.api.ask("POST", "/api/profile_groups", { body: name, headers: { "Content-Type": type } })).status, 415, type);
    for (const type of ["multipart/form-data", "multipart/form-data; boundary=", `multipart/form-data; boundary=${"b".repeat(300)}`])
      assert.ok([400, 415].includes((await w.api.ask("POST", "/api/profile_groups", { body: "x", headers: { "Content-Type": type } })).status), type);
    const { responses } = await talkRaw(`POST /api/profile_groups HTTP/1.1\r\n${host}${auth}Content-Length: ${name.length}\r\nConnection: close\r\n\r\n${name}`);
    assert.ok([201, 400, 415].includes(responses[0].status), "no type: it may be guessed or refused");
  });

  test("what published clients send: a type without a body, and neither", async () => {
    const talk = await w.talk();
    const message = (await talk.list())[0];
    const json = { "Content-Type": "application/json" };
    for (const [method, path, status] of [
      ["POST", `/api/chats/${talk.chat.id}/archive`, 422],
      ["DELETE", `/api/chats/${talk.chat.id}/archive`, 422],
      ["POST", `/api/messages/${message.id}/react`, 422],
      ["DELETE", `/api/messages/${message.id}/unreact`, 422],
      ["POST", `/api/chats/${talk.chat.id}/messages`, 400],
      ["POST", "/api/profile_groups", 400],
      ["GET", "/api/profiles", 200],
      ["GET", `/api/chats/${talk.chat.id}/messages`, 200],
    ]) {
      assert.equal((await w.api.ask(method, path, { headers: json })).status, status, `${method} ${path}`);
      assert.equal((await w.api.ask(method, path)).status, status, `${method} ${path}`);
      const { responses } = await talkRaw(`${method} ${path} HTTP/1.1\r\n${host}${auth}Connection: close\r\n\r\n`);
      assert.equal(responses[0].status, status, `${method} ${path} without a length`);
    }
  });

  test("an empty body and null are no JSON object", async () => {
    for (const body of ["", " ", "null", "[]", "5", "\"x\"", "true", "{", "{}{}", "{\"name\":}", "{\"name\":\"a\",}", "{'name':'a'}", "{\"name\":\"a\"} x", "\ufeff{\"name\":\"", "{\"name\":\"\\ud800\"}", "{\"name\":\"a\u0001\"}", "NaN", "{\"name\":nul"]) {
      const answer = await w.api.ask("POST", "/api/profile_groups", { body, headers: { "Content-Type": "application/json" } });
      assert.equal(answer.status, 400, `${body}: ${answer.text}`);
    }
  });

  test("a body that is too large is a 413, said beforehand or found on the way", async () => {
    const before = await groups();
    const big = { name: "x".repeat(1100000) };
    assert.equal((await w.api.ask("POST", "/api/profile_groups", { json: big })).status, 413);
    assert.equal((await w.api.ask("POST", "/api/profile_groups", { form: big })).status, 413);
    const { responses } = await talkRaw(`POST /api/profile_groups HTTP/1.1\r\n${host}${auth}Content-Type: application/json\r\nContent-Length: 999999999999\r\n\r\n`, { enough: (r) => r.length === 1 });
    assert.equal(responses[0].status, 413);
    const chunk = `10000\r\n${"a".repeat(0x10000)}\r\n`;
    const chunked = await talkRaw([`POST /api/profile_groups HTTP/1.1\r\n${host}${auth}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n`, chunk.repeat(20), "0\r\n\r\n"], { enough: (r) => r.length === 1 });
    assert.equal(chunked.responses[0].status, 413);
    assert.deepEqual(await groups(), before);
    assert.equal((await w.api.ask("POST", "/api/profile_groups", { json: { name: "n", padding: "x".repeat(900000) } })).status, 201);
  });

  test("without a key, a body of some size is refused before it comes", async () => {
    const head = (path, length, key) => `POST ${path} HTTP/1.1\r\n${host}Authorization: Bearer ${key}\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n\r\n`;
    for (const path of ["/api/profile_groups", "/api/chats/chat_11111111111/messages"]) {
      const { responses } = await talkRaw(head(path, 100000, "of-nobody"), { enough: (r) => r.length === 1 });
      assert.equal(responses[0].status, 401, path);
      const chunked = head(path, 0, "of-nobody").replace(/Content-Length.*/, "Transfer-Encoding: chunked");
      assert.equal((await talkRaw(chunked, { enough: (r) => r.length === 1 })).responses[0].status, 401, path);
    }
    const open = `GET /healthz HTTP/1.1\r\n${host}Content-Length: 100000\r\n\r\n`;
    assert.equal((await talkRaw(open, { enough: (r) => r.length === 1 })).responses[0].status, 413);
  });

  test("a head that is too large is a 431, a long target a 414 or 431", async () => {
    for (const [bytes, statuses] of [
      [`GET /healthz HTTP/1.1\r\n${host}X-Big: ${"a".repeat(100000)}\r\n\r\n`, [431]],
      [`GET /healthz HTTP/1.1\r\n${host}${"X-Many: 1\r\n".repeat(20000)}\r\n`, [431]],
      [`GET /${"a".repeat(100000)} HTTP/1.1\r\n${host}\r\n`, [414, 431]],
    ]) {
      const { responses } = await talkRaw(bytes, { enough: (r) => r.length === 1 });
      assert.ok(statuses.includes(responses[0]?.status), `${responses[0]?.status}`);
    }
  });

  test("chunked bodies are read", async () => {
    const bytes = `POST /api/profile_groups HTTP/1.1\r\n${host}${auth}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n`
      + "8\r\n{\"name\":\r\n9;ext=1\r\n\"Chunks!\"\r\n1\r\n}\r\n0\r\n\r\n";
    const { responses } = await talkRaw(bytes);
    assert.equal(responses[0].status, 201);
    assert.equal(JSON.parse(responses[0].body).name, "Chunks!");
  });

  test("100-continue is asked for and given, or refused at once", async () => {
    const body = "{\"name\":\"Continued\"}";
    const head = (length, more = auth) => `POST /api/profile_groups HTTP/1.1\r\n${host}${more}Content-Type: application/json\r\nContent-Length: ${length}\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n`;
    const socket = net.connect(new URL(w.api.url).port, "127.0.0.1");
    let text = "";
    socket.on("data", (piece) => (text += piece));
    socket.write(head(body.length));
    await until(() => text.includes("100 Continue\r\n\r\n"), "the server says continue");
    socket.write(body);
    await until(() => text.includes("201 Created"), "and answers");
    socket.destroy();
    const big = await talkRaw(head(999999999), { enough: (r) => r.some(({ status }) => status >= 200) });
    assert.equal(big.responses.at(-1).status, 413);
    assert.equal(big.responses.length, 1, "nothing was asked for");
  });
});

describe("connections", () => {
  test("requests in a pipeline are answered in order", async () => {
    const paths = ["/healthz", "/api/profiles", "/readyz", "/api/nothing", "/healthz"];
    const bytes = paths.map((path) => `GET ${path} HTTP/1.1\r\n${host}${auth}X-Request-Id: at-${paths.indexOf(path)}\r\n\r\n`).join("");
    const { responses } = await talkRaw(bytes, { enough: (r) => r.length === paths.length });
    assert.deepEqual(responses.map(({ status }) => status), [200, 200, 200, 404, 200]);
    assert.deepEqual(responses.map(({ headers }) => headers.get("x-request-id")), ["at-0", "at-1", "at-2", "at-3", "at-0"]);
    for (const [n, response] of responses.entries()) checkResponse({ method: "GET", path: paths[n], ...response });
  });

  test("writes and reads in a pipeline see each other", async () => {
    const list = `GET /api/profile_groups HTTP/1.1\r\n${host}${auth}\r\n`;
    const { responses } = await talkRaw(create("Piped 1") + list + create("Piped 2") + list, { enough: (r) => r.length === 4 });
    assert.deepEqual(responses.map(({ status }) => status), [201, 200, 201, 200]);
    const names = (n) => JSON.parse(responses[n].body).data.map((group) => group.name);
    assert.ok(names(1).includes("Piped 1") && !names(1).includes("Piped 2") && names(3).includes("Piped 2"));
  });

  test("HTTP/1.0 and Connection: close end the connection, keep-alive keeps it", async () => {
    assert.equal((await talkRaw("GET /healthz HTTP/1.0\r\n\r\n")).closed, true);
    assert.equal((await talkRaw(`GET /healthz HTTP/1.1\r\n${host}Connection: close\r\n\r\n`)).closed, true);
    const { responses } = await talkRaw(`GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /healthz HTTP/1.0\r\n\r\n`);
    assert.equal(responses.length, 2);
  });

  test("a request in single bytes is one", async () => {
    const bytes = [...create("Bytes")].map((byte) => Buffer.from(byte));
    const { responses } = await talkRaw(bytes, { enough: (r) => r.length === 1 });
    assert.equal(responses[0].status, 201);
  });

  test("one that takes too long to arrive is cut off with a 408", async () => {
    const { responses, closed } = await talkRaw(`POST /api/profile_groups HTTP/1.1\r\n${host}${auth}Content-Type: application/json\r\nContent-Length: 50\r\n\r\n{"name":`);
    assert.equal(closed, true);
    assert.deepEqual(responses.map(({ status }) => status), [408]);
    const half = await talkRaw("GET /healthz HTTP/1.1\r\nHost: x\r\nX-Half");
    assert.equal(half.closed, true);
  });

  test("a silent connection is closed without a word", async () => {
    const { responses, closed } = await talkRaw("");
    assert.deepEqual([responses.length, closed], [0, true]);
  });

  test("someone who leaves in the middle leaves nothing behind", async () => {
    const before = await groups();
    for (let n = 0; n < 20; n++)
      await new Promise((resolve) => {
        const socket = net.connect(new URL(w.api.url).port, "127.0.0.1", () => {
          socket.write(create("Half").slice(0, -5));
          setImmediate(() => socket.resetAndDestroy());
        });
        socket.on("close", resolve);
        socket.on("error", () => {});
      });
    assert.deepEqual(await groups(), before);
  });
});

describe("what must never pass for a request", () => {
  const name = JSON.stringify({ name: "Smuggled" });
  const post = (headers, body = name) => `POST /api/profile_groups HTTP/1.1\r\n${host}${auth}Content-Type: application/json\r\n${headers}\r\n${body}`;
  const cases = {
    "two different lengths": post(`Content-Length: ${name.length}\r\nContent-Length: 5\r\n`),
    "a list of lengths": post(`Content-Length: ${name.length}, 5\r\n`),
    "a length and chunks": post(`Content-Length: ${name.length}\r\nTransfer-Encoding: chunked\r\n`, `14\r\n${name}\r\n0\r\n\r\n`),
    "chunks and a length": post(`Transfer-Encoding: chunked\r\nContent-Length: 4\r\n`, `14\r\n${name}\r\n0\r\n\r\n`),
    "a length with a plus": post(`Content-Length: +${name.length}\r\n`),
    "a negative length": post("Content-Length: -1\r\n"),
    "a length that is no number": post("Content-Length: ten\r\n"),
    "a hexadecimal length": post("Content-Length: 0x14\r\n"),
    "a length that overflows": post("Content-Length: 18446744073709551636\r\n"),
    "an empty length": post("Content-Length: \r\n"),
    "an unknown transfer encoding": post("Transfer-Encoding: xchunked\r\n", `14\r\n${name}\r\n0\r\n\r\n`),
    "a transfer encoding that is not chunked at the end": post("Transfer-Encoding: chunked, identity\r\n", `14\r\n${name}\r\n0\r\n\r\n`),
    "chunked twice": post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", `14\r\n${name}\r\n0\r\n\r\n`),
    "a transfer encoding with a tab": post("Transfer-Encoding:\tx chunked\r\n", `14\r\n${name}\r\n0\r\n\r\n`),
    "a space before the colon": post(`Content-Length : ${name.length}\r\n`),
    "a folded line": post(`X-Fold: a\r\n b\r\nContent-Length: ${name.length}\r\n`),
    "a bare CR in a header": post(`X-A: b\rContent-Length: 3\r\nContent-Length: ${name.length}\r\n`),
    "a bare LF in a header": post(`X-A: b\nTransfer-Encoding: chunked\r\nContent-Length: ${name.length}\r\n`),
    "a NUL in a header": post(`X-A: b\0c\r\nContent-Length: ${name.length}\r\n`),
    "a header without a name": post(`: x\r\nContent-Length: ${name.length}\r\n`),
    "a header without a colon": post(`Nonsense\r\nContent-Length: ${name.length}\r\n`),
    "a chunk size that is no number": post("Transfer-Encoding: chunked\r\n", `zz\r\n${name}\r\n0\r\n\r\n`),
    "a chunk size that overflows": post("Transfer-Encoding: chunked\r\n", `fffffffffffffffff\r\n${name}\r\n0\r\n\r\n`),
    "a negative chunk size": post("Transfer-Encoding: chunked\r\n", `-14\r\n${name}\r\n0\r\n\r\n`),
    "a chunk size with 0x": post("Transfer-Encoding: chunked\r\n", `0x14\r\n${name}\r\n0\r\n\r\n`),
    "a chunk that is longer than it says": post("Transfer-Encoding: chunked\r\n", `10\r\n${name}\r\n0\r\n\r\n`),
    "chunks ended by bare LF": post("Transfer-Encoding: chunked\r\n", `14\n${name}\n0\n\n`),
    "a trailer behind chunks": post("Transfer-Encoding: chunked\r\n", `14\r\n${name}\r\n0\r\nContent-Length: 5\r\n\r\n`),
    "HTTP/0.9": "GET /api/profile_groups\r\n\r\n",
    "HTTP/2.0": post(`Content-Length: ${name.length}\r\n`).replace("HTTP/1.1", "HTTP/2.0"),
    "HTTP/1.1 misspelt": post(`Content-Length: ${name.length}\r\n`).replace("HTTP/1.1", "HTP/1.1"),
    "no host": post(`Content-Length: ${name.length}\r\n`).replace(host, ""),
    "two hosts": post(`Host: other.example\r\nContent-Length: ${name.length}\r\n`),
    "a space in the target": post(`Content-Length: ${name.length}\r\n`).replace("/api/profile_groups", "/api/profile_groups x"),
    "a control character in the target": post(`Content-Length: ${name.length}\r\n`).replace("/api/profile_groups", "/api/profile_groups\x01"),
    "a method with odd characters": post(`Content-Length: ${name.length}\r\n`).replace("POST", "PO{ST"),
    "TLS": Buffer.from("16030100c8010000c40303", "hex"),
    "a preface of HTTP/2": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
  };
  for (const [title, bytes] of Object.entries(cases))
    test(`${title} is refused and the connection closed`, async () => {
      const before = await groups();
      const { responses, closed } = await talkRaw([bytes, health]);
      assert.equal(closed, true);
      assert.ok(responses.length <= 1, `${responses.length} answers: ${responses.map(({ status }) => status)}`);
      if (responses[0]) assert.ok([400, 408, 411, 413, 431, 501, 505].includes(responses[0].status), `${responses[0].status}`);
      assert.deepEqual(await groups(), before);
    });

  test("what comes after a refused request is not carried out", async () => {
    const before = await groups();
    const { responses } = await talkRaw(post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", `0\r\n\r\n${create("Hidden")}`));
    assert.deepEqual(responses.map(({ status }) => status), [400]);
    assert.deepEqual(await groups(), before);
  });

  test("the body of a refused request is not taken for the next one", async () => {
    const before = await groups();
    const hidden = create("Hidden");
    for (const path of ["/api/nothing", "/healthz", "/api/profiles"]) {
      const bytes = `POST ${path} HTTP/1.1\r\n${host}${auth}Content-Type: application/json\r\nContent-Length: ${hidden.length}\r\n\r\n${hidden}${health.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n")}`;
      const { responses } = await talkRaw(bytes);
      assert.ok(responses[0].status >= 400 && responses.slice(1).every(({ status }) => status === 200), responses.map(({ status }) => status).join());
    }
    const bytes = `POST /api/profile_groups HTTP/1.1\r\n${host}Content-Type: application/json\r\nContent-Length: ${hidden.length}\r\n\r\n${hidden}`;
    const { responses } = await talkRaw(bytes, { enough: (r) => r.length === 1 });
    assert.equal(responses[0].status, 401);
    assert.deepEqual(await groups(), before);
  });

  test("the answers of two connections do not mix", async () => {
    const answers = await Promise.all(Array.from({ length: 30 }, async (_, n) => {
      const { responses } = await talkRaw(`GET /api/nothing/${n} HTTP/1.1\r\n${host}X-Request-Id: mine-${n}\r\nConnection: close\r\n\r\n`);
      return [n, responses[0].headers.get("x-request-id"), JSON.parse(responses[0].body).request_id];
    }));
    for (const [n, header, body] of answers) assert.deepEqual([header, body], [`mine-${n}`, `mine-${n}`]);
  });

  test("this file's own reader of responses knows a response from something else", () => {
    assert.throws(() => parseResponses(Buffer.from("nonsense\r\n\r\n")));
    const two = parseResponses(Buffer.from("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhiHTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel"));
    assert.deepEqual(two.responses.map(({ status, body }) => [status, body.toString()]), [[200, "hi"], [204, ""]]);
  });
});
