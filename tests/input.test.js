// Bad input: whatever is missing, of the wrong kind, too long, or hostile is a 4xx with a sentence, and nothing changes.
import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { world } from "./lib/world.js";

let talk;
let sent;
const w = world({
  async ready(here) {
    talk = await here.talk();
    sent = await talk.say("The one message");
  },
});

/** Everything a caller could have changed. */
async function everything() {
  const profiles = (await w.api.get("/api/profiles")).data;
  const chats = await Promise.all(profiles.map((profile) => w.api.get(`/api/profiles/${profile.id}/chats?per_page=100`)));
  const messages = await Promise.all(chats.flatMap((list) => list.data).map((chat) => w.api.get(`/api/chats/${chat.id}/messages?per_page=100`)));
  return { groups: (await w.api.get("/api/profile_groups")).data, profiles, chats, messages };
}

/** Makes the requests, each of which must be refused, and compares before and after. */
async function refused(requests) {
  const unchanged = await everything();
  const calls = (await talk.calls()).filter((call) => /^(send|edit|set|delete)/.test(call.method)).length;
  for (const [method, path, options, fits = (status) => status === 400 || status === 422] of requests) {
    const answer = await w.api.ask(method, path, options);
    const what = `${method} ${path.slice(0, 100)} ${(JSON.stringify(options) ?? "").slice(0, 200)}`;
    assert.ok(answer.status >= 400 && answer.status < 500 && fits(answer.status), `${what}\nanswered ${answer.status} ${answer.text.slice(0, 300)}`);
    assert.ok(answer.json.error.length >= 5 && answer.json.error.length < 1000, answer.text.slice(0, 2000));
    assert.doesNotMatch(answer.json.error, /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffd]|SQL|sqlite|\.c:\d|errno|0x[0-9a-f]{6}/i, what);
  }
  assert.deepEqual(await everything(), unchanged);
  assert.equal((await talk.calls()).filter((call) => /^(send|edit|set|delete)/.test(call.method)).length, calls);
}

// Where strings are wanted: every value that is none.
const notText = [5, 1.5, true, [], {}, ["a"], { a: 1 }, 1e308, -1];
const writes = () => ({
  group: ["POST", "/api/profile_groups", "name", {}],
  platform: ["POST", `/api/profile_groups/${w.groupId}/initialize_connection`, "platform", { bot_token: "1:a" }],
  token: ["POST", `/api/profile_groups/${w.groupId}/initialize_connection`, "bot_token", { platform: "telegram" }],
  participant: ["POST", `/api/profiles/${talk.profile.id}/chats`, "participant_external_id", {}],
  body: ["POST", talk.messagesPath, "body", {}],
  edit: ["PATCH", `/api/messages/${sent.id}`, "body", {}],
});

describe("fields", () => {
  for (const name of ["group", "platform", "token", "body", "edit"])
    test(`of the wrong type: ${name}`, async () => {
      const [method, path, field, rest] = writes()[name];
      await refused(notText.map((value) => [method, path, { json: { ...rest, [field]: value } }]));
    });

  test("of the wrong type: participant_external_id, where a number may stand for its digits", async () => {
    const [method, path, field] = writes().participant;
    await refused(notText.filter((value) => typeof value !== "number").map((value) => [method, path, { json: { [field]: value } }]));
  });

  test("of the wrong type beside a good one", async () => {
    const chats = `/api/profiles/${talk.profile.id}/chats`;
    const participant_external_id = String(talk.person.id);
    await refused([
      ...[[], {}, true].map((participant_name) => ["POST", chats, { json: { participant_external_id, participant_name } }]),
      ...[[], {}, true].map((participant_username) => ["POST", chats, { json: { participant_external_id, participant_username } }]),
      ...[[], {}, true].map((reply_to_external_id) => ["POST", talk.messagesPath, { json: { body: "x", reply_to_external_id } }]),
      ...[[], 5, true, "x"].map((reply_markup) => ["POST", talk.messagesPath, { json: { body: "x", reply_markup } }]),
      ["POST", "/api/profile_groups", { json: { profile_group: "name" } }],
      ["POST", "/api/profile_groups", { json: { profile_group: ["name"] } }],
      ["POST", "/api/profile_groups", { json: { profile_group: { name: 5 } } }],
    ]);
  });

  test("too long", async () => {
    const long = "x".repeat(500000);
    const chats = `/api/profiles/${talk.profile.id}/chats`;
    await refused([
      ["POST", "/api/profile_groups", { json: { name: long } }],
      ["POST", chats, { json: { participant_external_id: long } }],
      ["POST", chats, { json: { participant_external_id: String(talk.person.id), participant_name: long } }],
      ["POST", chats, { json: { participant_external_id: String(talk.person.id), participant_username: long } }],
      ["POST", `/api/profile_groups/${w.groupId}/initialize_connection`, { json: { platform: "telegram", bot_token: long } }],
      ["POST", `/api/profile_groups/${w.groupId}/initialize_connection`, { json: { platform: long } }],
      ["POST", talk.messagesPath, { json: { body: long } }],
      ["POST", talk.messagesPath, { json: { media: [`https://a.example/${long}`] } }],
      ["PATCH", `/api/messages/${sent.id}`, { json: { body: long } }],
    ]);
  });

  test("with a NUL", async () => {
    const chats = `/api/profiles/${talk.profile.id}/chats`;
    await refused([
      ["POST", "/api/profile_groups", { json: { name: "a\0b" } }],
      ["POST", chats, { json: { participant_external_id: "1\0" } }],
      ["POST", chats, { json: { participant_external_id: String(talk.person.id), participant_name: "a\0b" } }],
      ["POST", `/api/profile_groups/${w.groupId}/initialize_connection`, { json: { platform: "telegram\0", bot_token: "1:a" } }],
      ["POST", `/api/profile_groups/${w.groupId}/initialize_connection`, { json: { platform: "telegram", bot_token: "1:a\0b" } }],
      ["POST", "/api/profile_groups", { form: { name: "a\0b" } }],
      ["GET", "/api/chats/a%00b", {}, (status) => status === 400 || status === 404],
      ["GET", `/api/profiles/${talk.profile.id}/chats?before=2026-01-01T00:00:00Z%00`, {}],
      ["GET", `${talk.messagesPath}?direction=inbound%00`, {}],
    ]);
  });

  test("in invalid UTF-8", async () => {
    const json = { "Content-Type": "application/json" };
    const form = { "Content-Type": "application/x-www-form-urlencoded" };
    const bad = [[0xff], [0xc3], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xe2, 0x82], [0xf8, 0x88, 0x80, 0x80, 0x80]];
    const around = (before, bytes, after) => Buffer.concat([Buffer.from(before), Buffer.from(bytes), Buffer.from(after)]);
    const escaped = (bytes) => bytes.map((byte) => `%${byte.toString(16).padStart(2, "0")}`).join("");
    await refused(bad.flatMap((bytes) => [
      ["POST", "/api/profile_groups", { body: around("{\"name\":\"a", bytes, "\"}"), headers: json }],
      ["POST", talk.messagesPath, { body: around("{\"body\":\"a", bytes, "\"}"), headers: json }],
      ["POST", talk.messagesPath, { body: around("{\"body\":\"a\",\"x", bytes, "\":1}"), headers: json }],
      ["POST", talk.messagesPath, { body: `body=a${escaped(bytes)}`, headers: form }],
      ["POST", talk.messagesPath, { body: around("body=a", bytes, ""), headers: form }],
      ["POST", talk.messagesPath, { body: around("--b\r\nContent-Disposition: form-data; name=\"body\"\r\n\r\na", bytes, "\r\n--b--\r\n"), headers: { "Content-Type": "multipart/form-data; boundary=b" } }],
      ["GET", `/api/chats/a${escaped(bytes)}`, {}, (status) => status === 400 || status === 404],
      ["GET", `/api/profiles/${talk.profile.id}/chats?after=${escaped(bytes)}`, {}],
    ]));
  });

  test("with lone surrogates", async () => {
    const json = { "Content-Type": "application/json" };
    await refused(["\\ud800", "\\udc00", "\\ud800x", "\\udc00\\ud800"].map((text) => ["POST", talk.messagesPath, { body: `{"body":"a${text}"}`, headers: json }]));
  });

  test("given twice: the last one, or none, but never both", async () => {
    const json = { "Content-Type": "application/json" };
    const answer = await w.api.ask("POST", "/api/profile_groups", { body: "{\"name\":\"one\",\"name\":\"two\"}", headers: json });
    assert.ok(answer.status === 400 || ["one", "two"].includes(answer.json.name));
  });
});

describe("numbers", () => {
  test("that are huge, in queries and bodies", async () => {
    const json = { "Content-Type": "application/json" };
    const list = `/api/profiles/${talk.profile.id}/chats`;
    await refused([
      ...["9223372036854775808", "-9223372036854775809", "1e400", "99999999999999999999999999", "0x10", "1_000", "٣", "NaN", "Infinity", "+1", "-0.0"].flatMap((n) => [
        ["GET", `${list}?page=${n}`],
        ["GET", `${list}?per_page=${n}`],
        ["GET", `${talk.messagesPath}?page=${encodeURIComponent(n)}`],
      ]),
      ["POST", talk.messagesPath, { body: `{"body":${"9".repeat(1000)}}`, headers: json }],
      ["POST", talk.messagesPath, { body: "{\"body\":1e999}", headers: json }],
    ]);
  });

  test("a page far away is empty, not an error and not slow", async () => {
    const list = await w.api.get(`/api/profiles/${talk.profile.id}/chats?page=2000000000&per_page=100`).catch((error) => error);
    if (list instanceof Error) assert.match(list.message, /answered 400/);
    else assert.deepEqual(list.data, []);
  });
});

describe("structure", () => {
  test("too deep", async () => {
    const json = { "Content-Type": "application/json" };
    const deep = (open, close, depth) => open.repeat(depth) + close.repeat(depth);
    await refused([
      ["POST", talk.messagesPath, { body: deep("[", "]", 100000), headers: json }],
      ["POST", talk.messagesPath, { body: `{"body":"x","a":${deep("[", "]", 1000)}}`, headers: json }],
      ["POST", talk.messagesPath, { body: `{"body":"x","reply_markup":${"{\"a\":".repeat(200)}1${"}".repeat(200)}}`, headers: json }],
      ["POST", talk.messagesPath, { body: "{\"a\":".repeat(50000), headers: json }],
    ]);
  });

  test("of multipart bodies, broken", async () => {
    const headers = { "Content-Type": "multipart/form-data; boundary=b" };
    const part = (head, body = "x") => `--b\r\n${head}\r\n\r\n${body}\r\n`;
    const good = part("Content-Disposition: form-data; name=\"body\"", "hello");
    await refused([
      "", "x", "--b", "--b\r\n", "--b--", "--b--\r\n", "\r\n--c\r\n\r\nx\r\n--c--\r\n",
      good, `${good}--b`, part("Content-Disposition: form-data", "hello") + "--b--\r\n", part("X: y") + "--b--\r\n", part("Content-Disposition: attachment; name=\"body\"") + "--b--\r\n",
      part("nonsense") + "--b--\r\n", "--b\r\nContent-Disposition: form-data; name=\"body\"\r\nhello\r\n--b--\r\n", part(`Content-Disposition: form-data; name="${"n".repeat(20000)}"`) + "--b--\r\n",
      part(`X-Big: ${"y".repeat(100000)}\r\nContent-Disposition: form-data; name="body"`) + "--b--\r\n",
      `${part("Content-Disposition: form-data; name=\"a\"", "x").repeat(5000)}--b--\r\n`,
    ].map((body) => ["POST", talk.messagesPath, { body, headers }, (status) => [400, 413, 422].includes(status)]));
  });

  test("of forms, odd", async () => {
    const headers = { "Content-Type": "application/x-www-form-urlencoded" };
    await refused(["", "&&&", "=", "=x", "body", "body=", "body=%", "body=%zz", "body=%f", "bod%79", "body=%00", "a=1&".repeat(50000)]
      .map((body) => ["POST", talk.messagesPath, { body, headers }, (status) => [400, 413, 422].includes(status)]));
  });

  test("names that mean something elsewhere", async () => {
    const before = await everything();
    for (const field of ["__proto__", "constructor", "id", "status", "../x", "", "a.b", "a[b]", "\"", "'; DROP TABLE message; --"]) {
      const answer = await w.api.ask("POST", talk.messagesPath, { json: { [field]: "x" } });
      assert.equal(answer.status, 400, field);
    }
    assert.deepEqual(await everything(), before);
  });
});

describe("ids", () => {
  const odd = ["msg_11111111111", "chat_11111111111", "grp_zzzzzzzzzzz", "prof_1", "msg_", "_", "-1", "0", "9223372036854775808", "' OR 1=1 --", "%", "*", "a/b", "..", "\u202e", "msg_ÄÖÜ", "null", "undefined",
    "[object Object]", "{}", "msg_1111111111111111111111111111", "chat_IIIIIIIIIII"].map(encodeURIComponent).concat(["%25", "%2F", "x".repeat(4000)]);

  test("that name nothing are a 404 everywhere", async () => {
    const missing = (status) => status === 404;
    await refused(odd.filter((id) => id !== "..").flatMap((id) => [
      ["GET", `/api/profile_groups/${id}`, {}, missing],
      ["DELETE", `/api/profile_groups/${id}`, {}, missing],
      ["POST", `/api/profile_groups/${id}/initialize_connection`, { json: { platform: "telegram", bot_token: "1:a" } }, missing],
      ["GET", `/api/profiles/${id}`, {}, missing],
      ["DELETE", `/api/profiles/${id}`, {}, missing],
      ["GET", `/api/profiles/${id}/placements`, {}, missing],
      ["GET", `/api/profiles/${id}/chats`, {}, missing],
      ["POST", `/api/profiles/${id}/chats`, { json: { participant_external_id: "1" } }, missing],
      ["GET", `/api/chats/${id}`, {}, missing],
      ["GET", `/api/chats/${id}/messages`, {}, missing],
      ["POST", `/api/chats/${id}/messages`, { json: { body: "x" } }, missing],
      ["POST", `/api/chats/${id}/archive`, {}, missing],
      ["DELETE", `/api/chats/${id}/archive`, {}, missing],
      ["GET", `/api/messages/${id}`, {}, missing],
      ["PATCH", `/api/messages/${id}`, { json: { body: "x" } }, missing],
      ["POST", `/api/messages/${id}/react`, {}, missing],
      ["DELETE", `/api/messages/${id}/unreact`, {}, missing],
      ["POST", `/api/posts/1/comments/2/private_reply?profile_id=${id}`, { json: { text: "x" } }, missing],
    ]));
  });

  test("of another kind are a 404", async () => {
    const missing = (status) => status === 404;
    await refused([
      ["GET", `/api/messages/${talk.chat.id}`, {}, missing],
      ["GET", `/api/chats/${sent.id}`, {}, missing],
      ["GET", `/api/profiles/${talk.chat.id}`, {}, missing],
      ["GET", `/api/profile_groups/${talk.profile.id}`, {}, missing],
      ["GET", `/api/chats/${talk.chat.id.replace("chat_", "msg_")}`, {}, missing],
      ["GET", `/api/messages/${sent.id.replace("msg_", "")}`, {}, missing],
      ["GET", `/api/profiles/${String(talk.bot.id)}`, {}, missing],
    ]);
  });
});

describe("private replies", () => {
  test("need their parameters", async () => {
    const path = "/api/posts/17841/comments/17858/private_reply";
    await refused([
      ["POST", path, { json: { text: "x" } }, (status) => status === 400],
      ["POST", `${path}?profile_id=`, { json: { text: "x" } }, (status) => status === 400],
      ["POST", `${path}?profile_id=${talk.profile.id}`, { json: { text: "x" } }, (status) => status === 422],
      ["POST", `${path}?profile_id=${talk.profile.id}`, { form: { text: "x" } }, (status) => status === 422],
      ["POST", `${path}?profile_id=${talk.profile.id}`, { json: {} }],
      ["POST", `${path}?profile_id=${talk.profile.id}`, { json: { text: 5 } }],
    ]);
  });
});
