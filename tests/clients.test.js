// What published clients send: the SDK of the API that this one speaks, and habits of other clients.
import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { AuthenticationError, BadRequestError, NotFoundError, PostProxy, PostProxyError, ValidationError } from "postproxy-sdk";

import { raw } from "./lib/api.js";
import { checkResponse } from "./lib/contract.js";
import { png } from "./lib/sandbox.js";
import { KEY, world } from "./lib/world.js";

const w = world();
const client = (options) => new PostProxy(KEY, { baseUrl: w.api.url, ...options });
const rejectedAs = (kind, message) => (error) => error instanceof kind && (message === undefined || error.message === message || assert.fail(error.message));

describe("postproxy-sdk", () => {
  test("groups: made, listed, read, deleted", async () => {
    const { profileGroups } = client();
    const group = await profileGroups.create("From the SDK");
    assert.equal(group.name, "From the SDK");
    assert.equal(group.profiles_count, 0);
    assert.ok((await profileGroups.list()).data.some(({ id }) => id === group.id));
    assert.deepEqual(await profileGroups.get(group.id), group);
    assert.deepEqual(await profileGroups.delete(group.id), { deleted: true });
    await assert.rejects(profileGroups.get(group.id), rejectedAs(NotFoundError));
  });

  test("profiles: listed, read, their placements, deleted", async () => {
    const { profile } = await w.bot();
    const { profiles } = client();
    assert.ok((await profiles.list()).data.some(({ id }) => id === profile.id));
    assert.deepEqual(await profiles.get(profile.id), profile);
    assert.deepEqual(await profiles.placements(profile.id), { data: [] });
    assert.deepEqual(await profiles.delete(profile.id), { success: true });
    await assert.rejects(profiles.get(profile.id), rejectedAs(NotFoundError));
  });

  test("a default group goes with every request", async () => {
    const group = await client().profileGroups.create("Default of a client");
    const bot = await w.makeBot();
    const inside = await w.connect(bot, group.id);
    const outside = await w.bot();
    const limited = client({ profileGroupId: group.id });
    assert.deepEqual((await limited.profiles.list()).data.map(({ id }) => id), [inside.id]);
    assert.equal((await limited.profiles.get(inside.id)).id, inside.id);
    await assert.rejects(limited.profiles.get(outside.profile.id), rejectedAs(NotFoundError));
    assert.equal((await client().profiles.list({ profileGroupId: group.id })).data.length, 1);
  });

  test("connecting by the OAuth form leads to the platform, or is refused with a sentence", async () => {
    const { profileGroups } = client();
    const { success, url } = await profileGroups.initializeConnection(w.groupId, "facebook", "https://app.example/back");
    assert.deepEqual([success, new URL(url).origin], [true, w.sandbox.url]);
    await assert.rejects(profileGroups.initializeConnection(w.groupId, "tiktok", "https://app.example/back"), rejectedAs(ValidationError, "Direct messages are not supported on tiktok"));
    await assert.rejects(profileGroups.initializeConnection(w.groupId, "telegram", "https://app.example/back"), rejectedAs(BadRequestError, "bot_token is required"));
  });

  test("errors carry the sentence and the whole body", async () => {
    await assert.rejects(new PostProxy("wrong", { baseUrl: w.api.url }).profiles.list(), rejectedAs(AuthenticationError));
    await assert.rejects(client().profileGroups.create(""), rejectedAs(BadRequestError, "name is required"));
    await assert.rejects(client().request("PUT", "/profiles"), (error) => error instanceof PostProxyError && error.statusCode === 405 && error.response.error === error.message);
  });

  test("chats and messages, by its own way of asking", async () => {
    const talk = await w.talk();
    const sdk = client({ profileGroupId: w.groupId });
    const chat = await sdk.request("POST", `/profiles/${talk.profile.id}/chats`, { json: { participant_external_id: String(talk.person.id), participant_username: "jane_doe" } });
    assert.equal(chat.id, talk.chat.id);
    assert.equal(chat.participant_username, "jane_doe");
    const chats = await sdk.request("GET", `/profiles/${talk.profile.id}/chats`, { params: { page: "0", per_page: "20" } });
    assert.deepEqual([chats.total, chats.page, chats.per_page], [1, 0, 20]);
    assert.equal((await sdk.request("GET", `/chats/${chat.id}`)).id, chat.id);
    const sent = await sdk.request("POST", `/chats/${chat.id}/messages`, { json: { body: "Yes, we ship worldwide!" } });
    assert.equal(sent.status, "pending");
    await talk.reaches(sent, "published");
    const inbound = await sdk.request("GET", `/chats/${chat.id}/messages`, { params: { direction: "inbound" } });
    assert.deepEqual(inbound.data.map((message) => message.body), ["/start"]);
    assert.deepEqual(inbound.data[0].attachments, []);
    const edited = await sdk.request("PATCH", `/messages/${sent.id}`, { json: { body: "Updated answer" } });
    assert.ok(edited.external_edited_at);
    for (const [method, path] of [["POST", `/messages/${sent.id}/react`], ["DELETE", `/messages/${sent.id}/unreact`], ["POST", `/chats/${chat.id}/archive`], ["DELETE", `/chats/${chat.id}/archive`]])
      await assert.rejects(sdk.request(method, path), rejectedAs(ValidationError));
    await assert.rejects(sdk.request("POST", `/chats/${chat.id}/messages`, { json: {} }), rejectedAs(BadRequestError, "body or media is required"));
    await assert.rejects(sdk.request("POST", `/chats/${chat.id}/messages`, { json: { body: "x", media: ["https://a.example/b.png"] } }),
      rejectedAs(ValidationError, "Direct messages support either text or attachment per send, not both"));
    await assert.rejects(sdk.request("POST", "/posts/POST_ID/comments/COMMENT_ID/private_reply", { params: { profile_id: talk.profile.id }, json: { text: "Thanks" } }), rejectedAs(ValidationError));
  });

  test("files as it uploads them", async () => {
    const talk = await w.talk();
    const formData = new FormData();
    formData.append("media[]", new Blob([png(20, 10)], { type: "image/png" }), "photo.png");
    const sent = await client({ profileGroupId: w.groupId }).request("POST", `/chats/${talk.chat.id}/messages`, { formData });
    assert.equal(sent.attachments[0].file_name, "photo.png");
    await talk.reaches(sent, "published");
  });
});

describe("habits of other clients", () => {
  const host = "Host: parley.example\r\n";
  const auth = `Authorization: Bearer ${KEY}\r\n`;
  async function exact(method, path, head, body = "") {
    const bytes = Buffer.concat([Buffer.from(`${method} ${path} HTTP/1.1\r\n${host}${auth}${head}Connection: close\r\n\r\n`), Buffer.from(body)]);
    const { responses } = await raw(w.api.url, bytes, { methods: [method] });
    assert.equal(responses.length, 1);
    checkResponse({ method, path, ...responses[0] });
    return { status: responses[0].status, json: JSON.parse(responses[0].body.toString()) };
  }

  test("curl -d: a form type without being asked for one", async () => {
    const talk = await w.talk();
    const message = (await talk.list())[0];
    const body = "reaction=love&emoji=%E2%9D%A4%EF%B8%8F";
    const answer = await exact("POST", `/api/messages/${message.id}/react`, `Content-Type: application/x-www-form-urlencoded\r\nContent-Length: ${body.length}\r\n`, body);
    assert.equal(answer.status, 422);
  });

  test("curl -F with a file", async () => {
    const talk = await w.talk();
    const picture = png(20, 10);
    const boundary = "------------------------d74496d66958873e";
    const body = Buffer.concat([Buffer.from(`--${boundary}\r\nContent-Disposition: form-data; name="media[]"; filename="photo.png"\r\nContent-Type: image/png\r\n\r\n`), picture, Buffer.from(`\r\n--${boundary}--\r\n`)]);
    const answer = await exact("POST", talk.messagesPath, `Content-Type: multipart/form-data; boundary=${boundary}\r\nContent-Length: ${body.length}\r\n`, body);
    assert.equal(answer.status, 202);
    assert.equal(answer.json.attachments[0].file_name, "photo.png");
  });

  test("a multipart field named media[][], with a length of its own and a quoted boundary", async () => {
    const talk = await w.talk();
    const body = Buffer.concat([Buffer.from("--=_a b\r\nContent-Type: image/png\r\nContent-Length: 61\r\nContent-Disposition: form-data; filename=photo.png; name=\"media[][]\"\r\n\r\n"), png(20, 10), Buffer.from("\r\n--=_a b--")]);
    const answer = await exact("POST", talk.messagesPath, `Content-Type: multipart/form-data; boundary="=_a b"\r\nContent-Length: ${body.length}\r\n`, body);
    assert.equal(answer.status, 202, JSON.stringify(answer.json));
  });

  test("Go and Java: application/json on GET and DELETE, Content-Length: 0 on POST", async () => {
    const talk = await w.talk();
    const json = "Content-Type: application/json\r\n";
    assert.equal((await exact("GET", `/api/chats/${talk.chat.id}`, json)).status, 200);
    assert.equal((await exact("GET", `/api/chats/${talk.chat.id}`, `${json}Content-Length: 0\r\n`)).status, 200);
    assert.equal((await exact("POST", `/api/chats/${talk.chat.id}/archive`, `${json}Content-Length: 0\r\n`)).status, 422);
    assert.equal((await exact("DELETE", `/api/chats/${talk.chat.id}/archive`, json)).status, 422);
    assert.equal((await exact("DELETE", `/api/chats/${talk.chat.id}/archive`, `${json}Transfer-Encoding: chunked\r\n`, "0\r\n\r\n")).status, 422);
    assert.equal((await exact("DELETE", `/api/chats/${talk.chat.id}/archive`, `${json}Content-Length: 2\r\n`, "{}")).status, 422);
  });

  test("PHP: an offset of hours with a plus, as it is and encoded", async () => {
    const talk = await w.talk();
    for (const time of ["2026-11-22T07:35:46+00:00", "2026-11-22T07:35:46%2B00:00", "2026-11-22T08%3A35%3A46%2B01%3A00", "2026-11-22T07:35:46Z", "2026-11-22T07:35:46.123456Z", "2026-11-22T02:35:46-05:00"]) {
      const answer = await exact("GET", `/api/profiles/${talk.profile.id}/chats?after=2020-01-01T00:00:00Z&before=${time}`, "");
      assert.equal(answer.status, 200, time);
    }
  });

  test("Ruby: Accept and Accept-Encoding headers of any kind", async () => {
    for (const head of ["Accept: */*\r\n", "Accept: application/json\r\n", "Accept: text/html\r\nAccept-Encoding: gzip;q=1.0,deflate;q=0.6,identity;q=0.3\r\n", "Accept-Encoding: br\r\n", "User-Agent: \r\n", "Cookie: a=b; c=d\r\n"])
      assert.equal((await exact("GET", "/api/profiles", head)).status, 200, head);
  });

  test("JSON with escapes, a byte order mark or line ends around it", async () => {
    const json = "Content-Type: application/json\r\n";
    for (const body of ["{\"name\":\"\\u00dc\\ud83d\\ude00\\/\"}", "\r\n {\"name\" : \"Ü😀/\"}\r\n"]) {
      const answer = await exact("POST", "/api/profile_groups", `${json}Content-Length: ${Buffer.byteLength(body)}\r\n`, body);
      assert.equal(answer.status, 201);
      assert.equal(answer.json.name, "Ü😀/");
    }
  });

  test("platform ids in a path as they are", async () => {
    const talk = await w.talk();
    for (const id of ["m_AbC-_=", "aWdfZAG1f==", "a+b", "did:plc:x", "3lz5kqb,;@$&!*'()"])
      assert.equal((await exact("GET", `/api/messages/${id}`, "")).status, 404, id);
    assert.equal((await exact("GET", `/api/chats/${talk.person.id}`, "")).json.id, talk.chat.id);
  });
});
