// Chats: finding, creating, listing, and who may see them.
import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { until } from "./lib/until.js";
import { world } from "./lib/world.js";

const w = world();
const ids = (list) => list.data.map((item) => item.id);

describe("find or create", () => {
  test("a new chat is a 201, a known one a 200", async () => {
    const { profile } = await w.bot();
    const person = await w.makePerson();
    const path = `/api/profiles/${profile.id}/chats`;
    const body = { participant_external_id: String(person.id) };
    const chat = await w.api.post(path, { ...body, participant_username: "mateo_rz" }, { status: 201 });
    const { id, created_at } = chat;
    assert.deepEqual(chat, {
      id,
      profile_id: profile.id,
      platform: "telegram",
      participant_external_id: String(person.id),
      participant_username: "mateo_rz",
      participant_name: null,
      participant_avatar_url: null,
      external_conversation_id: chat.external_conversation_id,
      last_inbound_at: null,
      last_outbound_at: null,
      last_message_at: null,
      metadata: null,
      created_at,
    });
    assert.ok(Math.abs(Date.parse(created_at) - Date.now()) < 60000);
    const known = await w.api.post(path, body, { status: 200 });
    assert.equal(known.id, id);
    assert.equal(known.participant_username, "mateo_rz");
    assert.equal((await w.api.get(path)).total, 1);
  });

  test("given fields update a known chat, others stay", async () => {
    const { profile } = await w.bot();
    const path = `/api/profiles/${profile.id}/chats`;
    const person = await w.makePerson();
    const find = (fields) => w.api.post(path, { participant_external_id: String(person.id), ...fields });
    await find({ participant_username: "first", participant_name: "First" });
    const named = await find({ participant_name: "Second" });
    assert.deepEqual([named.participant_username, named.participant_name], ["first", "Second"]);
    const renamed = await find({ participant_username: "second" });
    assert.deepEqual([renamed.participant_username, renamed.participant_name], ["second", "Second"]);
    const same = await find({});
    assert.deepEqual([same.participant_username, same.participant_name], ["second", "Second"]);
    assert.deepEqual(await w.api.get(`/api/chats/${named.id}`), same);
  });

  test("participant_external_id is required", async () => {
    const { profile } = await w.bot();
    const path = `/api/profiles/${profile.id}/chats`;
    for (const body of [{}, { participant_external_id: "" }, { participant_external_id: null }, { participant_name: "x" }, { participant_external_id: "  " }])
      assert.equal(await w.api.refusal("POST", path, body), "400 participant_external_id is required", JSON.stringify(body));
    assert.equal((await w.api.get(path)).total, 0);
  });

  test("a form and a multipart body do as well", async () => {
    const { profile } = await w.bot();
    const path = `/api/profiles/${profile.id}/chats`;
    const person = await w.makePerson();
    const chat = await w.api.take("POST", path, { form: { participant_external_id: String(person.id), participant_name: "Zoë & Co" }, status: 201 });
    assert.equal(chat.participant_name, "Zoë & Co");
    const multipart = new FormData();
    multipart.append("participant_external_id", String(person.id));
    multipart.append("participant_name", "Ünal");
    const again = await w.api.take("POST", path, { multipart, status: 200 });
    assert.deepEqual([again.id, again.participant_name], [chat.id, "Ünal"]);
  });

  test("twenty at once make one chat", async () => {
    const { profile } = await w.bot();
    const person = await w.makePerson();
    const path = `/api/profiles/${profile.id}/chats`;
    const answers = await Promise.all(Array.from({ length: 20 }, () =>
      w.api.ask("POST", path, { json: { participant_external_id: String(person.id), participant_name: "Same" } })));
    assert.equal(new Set(answers.map((answer) => answer.json.id)).size, 1);
    assert.deepEqual(answers.map((answer) => answer.status).sort(), [...Array(19).fill(200), 201]);
    assert.equal((await w.api.get(path)).total, 1);
  });

  test("a chat made here is the one the person's message lands in", async () => {
    const talk = await w.silence();
    const message = await talk.hear("Hello!");
    assert.equal(message.chat_id, talk.chat.id);
    assert.equal((await w.api.get(`/api/profiles/${talk.profile.id}/chats`)).total, 1);
    const chat = await until(async () => {
      const now = await talk.readChat();
      return now.metadata && now;
    }, "the person is known");
    assert.equal(chat.participant_name, `${talk.person.first_name} Test`);
    assert.equal(chat.participant_username, talk.person.username);
    assert.equal(chat.last_inbound_at, message.external_posted_at);
  });

  test("the same person with two bots has two chats", async () => {
    const one = await w.talk();
    const other = await w.bot();
    const chat = await w.api.post(`/api/profiles/${other.profile.id}/chats`, { participant_external_id: String(one.person.id) }, { status: 201 });
    assert.notEqual(chat.id, one.chat.id);
  });
});

describe("getting one", () => {
  test("by either id", async () => {
    const talk = await w.talk();
    const chat = await talk.readChat();
    assert.equal(chat.external_conversation_id, String(talk.person.id));
    assert.deepEqual(await w.api.get(`/api/chats/${chat.external_conversation_id}`), chat);
    assert.deepEqual(await w.api.get(`/api/chats/${encodeURIComponent(chat.id)}/`), chat);
    const digits = [...String(talk.person.id)].map((digit) => `%3${digit}`).join("");
    assert.deepEqual(await w.api.get(`/api/chats/${digits}`), chat);
  });

  test("a platform id of two chats is a 409 that names both", async () => {
    const one = await w.talk();
    const bot = await w.bot();
    await w.sandbox.write("/start", one.person.id, bot.id);
    const other = await until(async () => (await w.api.get(`/api/profiles/${bot.profile.id}/chats`)).data[0], "the other chat");
    const answer = await w.api.ask("GET", `/api/chats/${one.person.id}`);
    assert.equal(answer.status, 409);
    assert.deepEqual(answer.json.candidates.sort(), [one.chat.id, other.id].sort());
    for (const [method, path] of [["GET", "messages"], ["POST", "messages"], ["POST", "archive"], ["DELETE", "archive"]]) {
      const { status } = await w.api.ask(method, `/api/chats/${one.person.id}/${path}`, { json: method === "GET" ? undefined : { body: "x" } });
      assert.equal(status, 409, `${method} ${path}`);
    }
    assert.equal((await one.list("status=pending")).length, 0);
    await w.api.get(`/api/chats/${one.chat.id}`);
    await w.api.delete(`/api/profiles/${bot.profile.id}`);
    assert.equal((await w.api.get(`/api/chats/${one.person.id}`)).id, one.chat.id);
  });

  test("what does not exist is a 404", async () => {
    const talk = await w.talk();
    const broken = talk.chat.id.slice(0, -1) + (talk.chat.id.endsWith("2") ? "3" : "2");
    for (const id of ["chat_11111111111", "chat_", "chat_0OIl", "nothing", "123456", "%20", "%00", "%FF", "..%2f..", talk.profile.id, broken,
      talk.chat.id.toLowerCase() === talk.chat.id ? "x" : talk.chat.id.toLowerCase(), `${talk.chat.id}x`, "x".repeat(3000), "😀", "%F0%9F%98%80"])
      for (const [method, path] of [["GET", ""], ["GET", "/messages"], ["POST", "/archive"], ["DELETE", "/archive"]]) {
        const { status } = await w.api.ask(method, `/api/chats/${id}${path}`);
        assert.ok(status === 404 || (status === 400 && /^%(00|FF)$/.test(id)), `${method} ${id.slice(0, 50)}${path}: ${status}`);
      }
    for (const id of ["prof_11111111111", "nothing", talk.chat.id]) {
      assert.match(await w.api.refusal("GET", `/api/profiles/${id}/chats`), /^404 /);
      assert.match(await w.api.refusal("POST", `/api/profiles/${id}/chats`, { participant_external_id: "1" }), /^404 /);
    }
  });

  test("archiving is for Bluesky", async () => {
    const talk = await w.talk();
    const before = await talk.readChat();
    for (const method of ["POST", "DELETE"])
      for (const options of [{}, { headers: { "Content-Type": "application/json" } }, { json: {} }]) {
        const answer = await w.api.ask(method, `/api/chats/${talk.chat.id}/archive`, options);
        assert.equal(answer.status, 422);
        assert.match(answer.json.error, /Bluesky/);
      }
    assert.deepEqual(await talk.readChat(), before);
  });
});

describe("the list", () => {
  // Twelve chats whose last messages are an hour apart, and three without messages.
  async function crowd() {
    const bot = await w.bot();
    const start = Math.floor(Date.now() / 1000) - 20 * 3600;
    const talks = [];
    for (let n = 0; n < 12; n++) {
      const person = await w.makePerson();
      await w.sandbox.control("POST", `/telegram/bots/${bot.id}/updates`, {
        message: {
          message_id: 1,
          from: { id: person.id, is_bot: false, first_name: person.first_name },
          chat: { id: person.id, type: "private", first_name: person.first_name },
          date: start + n * 3600,
          text: `Message ${n}`,
        },
      });
      talks.push(person);
    }
    const path = `/api/profiles/${bot.profile.id}/chats`;
    await until(async () => (await w.api.get(path)).total === 12, "all have written");
    const silent = [];
    for (let n = 0; n < 3; n++) silent.push(await w.api.post(path, { participant_external_id: String((await w.makePerson()).id) }));
    const time = (n, offset = 0) => new Date((start + n * 3600) * 1000 + offset).toISOString();
    return { bot, path, talks, silent, time };
  }
  let made;
  const once = () => (made ??= crowd());

  test("has the newest first and those without messages last, the youngest of them first", async () => {
    const { path, talks, silent, time } = await once();
    const list = await w.api.get(path);
    assert.deepEqual([list.total, list.page, list.per_page, list.data.length], [15, 0, 20, 15]);
    const expected = [...talks.map((person) => String(person.id)).reverse(), ...silent.map((chat) => chat.participant_external_id).reverse()];
    assert.deepEqual(list.data.map((chat) => chat.participant_external_id), expected);
    assert.deepEqual(list.data.map((chat) => chat.last_message_at), [...Array(12).keys()].reverse().map((n) => time(n)).concat([null, null, null]));
  });

  test("a chat comes first again when something is said in it", async () => {
    const bot = await w.bot();
    const [one, other] = [await w.talk({ bot }), await w.talk({ bot })];
    const at = Math.floor(Date.now() / 1000);
    const write = (person, date) => w.sandbox.control("POST", `/telegram/bots/${bot.id}/updates`, {
      message: { message_id: 100 + date - at, from: { id: person.id, is_bot: false, first_name: "A" }, chat: { id: person.id, type: "private", first_name: "A" }, date, text: "x" },
    });
    const first = () => w.api.get(`/api/profiles/${bot.profile.id}/chats`).then((list) => list.data[0].id);
    await write(one.person, at + 10);
    await until(async () => (await first()) === one.chat.id, "one is first");
    await write(other.person, at + 20);
    await until(async () => (await first()) === other.chat.id, "the other is first");
  });

  test("comes in pages", async () => {
    const { path } = await once();
    const all = ids(await w.api.get(path));
    for (const per_page of [1, 4, 7, 15, 100]) {
      const seen = [];
      for (let page = 0; page * per_page < 15; page++) {
        const list = await w.api.get(`${path}?page=${page}&per_page=${per_page}`);
        assert.deepEqual([list.total, list.page, list.per_page], [15, page, per_page]);
        seen.push(...ids(list));
      }
      assert.deepEqual(seen, all);
    }
    for (const page of [15, 1000, 2000000]) {
      const beyond = await w.api.get(`${path}?per_page=1&page=${page}`);
      assert.deepEqual([beyond.total, beyond.page, beyond.data], [15, page, []]);
    }
  });

  for (const query of ["page=-1", "page=x", "page=1.5", "page=", "page=1e3", "page=0x1", "page=99999999999999999999", "page=%201", "per_page=0",
    "per_page=101", "per_page=-5", "per_page=all", "per_page=", "per_page=20x", "per_page=99999999999999999999", "before=yesterday", "after=2026-13-01T00:00:00Z",
    "before=2026-01-01T25:00:00Z", "before=2026-02-30T00:00:00Z", "after=", "after=1700000000x", "before=2026-01-01T00:00:00%2B99:00"])
    test(`${query} is a 400`, async () => {
      const { path } = await once();
      const answer = await w.api.ask("GET", `${path}?${query}`);
      assert.equal(answer.status, 400, answer.text);
      assert.ok(answer.json.error.includes(query.split("=")[0]), answer.text);
    });

  test("before and after are strict bounds", async () => {
    const { path, time } = await once();
    const total = async (query) => (await w.api.get(`${path}?${query}`)).total;
    assert.equal(await total(`before=${time(5)}`), 5);
    assert.equal(await total(`after=${time(5)}`), 6);
    assert.equal(await total(`before=${time(5, 1)}`), 6);
    assert.equal(await total(`after=${time(5, -1)}`), 7);
    assert.equal(await total(`after=${time(2)}&before=${time(6)}`), 3);
    assert.equal(await total(`after=${time(6)}&before=${time(2)}`), 0);
    const between = await w.api.get(`${path}?after=${time(2)}&before=${time(6)}&per_page=2&page=1`);
    assert.deepEqual([between.total, between.data.length, between.data[0].last_message_at], [3, 1, time(3)]);
  });

  test("a time may have an offset, or no fraction", async () => {
    const { path, time } = await once();
    const shifted = (offset, hours) => new Date(Date.parse(time(5)) + hours * 3600000).toISOString().replace("Z", offset);
    const total = async (value) => (await w.api.get(`${path}?before=${value}`)).total;
    assert.equal(await total(encodeURIComponent(shifted("+02:00", 2))), 5);
    assert.equal(await total(encodeURIComponent(shifted("-05:30", -5.5))), 5);
    assert.equal(await total(time(5).replace(".000Z", "Z")), 5);
    assert.equal(await total(time(5).replace(".000Z", ".000000Z")), 5);
    // As clients send it: a plus that was not encoded.
    assert.equal(await total(shifted("+00:00", 0).replace(".000", "")), 5);
  });

  test("of two profiles are apart", async () => {
    const { bot } = await once();
    const other = await w.bot();
    assert.deepEqual(await w.api.get(`/api/profiles/${other.profile.id}/chats`), { total: 0, page: 0, per_page: 20, data: [] });
    assert.equal((await w.api.get(`/api/profiles/${bot.profile.id}/chats`)).total, 15);
  });
});

describe("who sees what", () => {
  async function keyFor(name, ...group) {
    const { code, stdout, stderr } = await w.command(["key", "create", name, ...group]);
    assert.equal(code, 0, stderr);
    const key = stdout.trim().split(/\s+/).at(-1);
    w.secrets.push(key);
    return key;
  }

  /** Every call that names something of this talk's. */
  async function reach(api, talk, message, query = "") {
    const statuses = {};
    for (const [method, path, json] of [
      ["GET", `/api/profiles/${talk.profile.id}`],
      ["GET", `/api/profiles/${talk.profile.id}/placements`],
      ["GET", `/api/profiles/${talk.profile.id}/chats`],
      ["POST", `/api/profiles/${talk.profile.id}/chats`, { participant_external_id: String(talk.person.id) }],
      ["GET", `/api/chats/${talk.chat.id}`],
      ["GET", `/api/chats/${talk.person.id}`],
      ["GET", `/api/chats/${talk.chat.id}/messages`],
      ["POST", `/api/chats/${talk.chat.id}/messages`, { body: "x" }],
      ["POST", `/api/chats/${talk.chat.id}/archive`],
      ["GET", `/api/messages/${message.id}`],
      ["PATCH", `/api/messages/${message.id}`, { body: "x" }],
      ["POST", `/api/messages/${message.id}/react`],
      ["DELETE", `/api/messages/${message.id}/unreact`],
      ["POST", `/api/posts/1/comments/2/private_reply?profile_id=${talk.profile.id}`, { text: "x" }],
    ]) {
      const mark = path.includes("?") ? query.replace("?", "&") : query;
      statuses[`${method} ${path}`] = (await api.ask(method, path + mark, { json })).status;
    }
    return statuses;
  }

  test("a key made on the command line works at once, and until it is revoked", async () => {
    const key = await keyFor("second");
    const api = w.api.with(key);
    assert.deepEqual(await api.get("/api/profiles"), await w.api.get("/api/profiles"));
    const listed = await w.command(["key", "list"]);
    assert.match(listed.stdout, /second/);
    assert.ok(!listed.stdout.includes(key));
    assert.equal((await w.command(["key", "revoke", "second"])).code, 0);
    await until(async () => (await api.ask("GET", "/api/profiles")).status === 401, "the key is gone");
    assert.equal((await w.api.ask("GET", "/api/profiles")).status, 200);
  });

  test("a key limited to a group sees only that", async () => {
    const mine = await w.api.post("/api/profile_groups", { name: "Mine" });
    const api = w.api.with(await keyFor("limited", mine.id));
    const own = await w.makeBot();
    const profile = await w.connect(own, mine.id);
    const inside = await w.talk({ bot: { ...own, profile } });
    const outside = await w.talk();
    const [insideMessage, outsideMessage] = [await inside.say("in"), await outside.say("out")];
    assert.deepEqual(ids(await api.get("/api/profile_groups")), [mine.id]);
    assert.deepEqual(ids(await api.get("/api/profiles")), [profile.id]);
    assert.equal((await api.get(`/api/chats/${inside.chat.id}`)).id, inside.chat.id);
    assert.equal((await api.get(`/api/messages/${insideMessage.id}`)).id, insideMessage.id);
    const before = await outside.list();
    for (const [call, status] of Object.entries(await reach(api, outside, outsideMessage))) assert.equal(status, 404, call);
    assert.equal((await api.ask("GET", `/api/profile_groups/${w.groupId}`)).status, 404);
    assert.equal((await api.ask("DELETE", `/api/profile_groups/${w.groupId}`)).status, 404);
    assert.equal((await api.ask("DELETE", `/api/profiles/${outside.profile.id}`)).status, 404);
    const other = await w.makeBot();
    assert.match(await api.refusal("POST", `/api/profile_groups/${w.groupId}/initialize_connection`, { platform: "telegram", bot_token: other.token }), /^404 /);
    assert.deepEqual(await outside.list(), before);
    assert.equal((await outside.readChat()).id, outside.chat.id);
  });

  test("a limited key cannot take a bot out of another group by connecting it", async () => {
    const mine = await w.api.post("/api/profile_groups", { name: "Thieves" });
    const api = w.api.with(await keyFor("thief", mine.id));
    const victim = await w.bot();
    await w.sandbox.advance(2000);
    const answer = await api.ask("POST", `/api/profile_groups/${mine.id}/initialize_connection`, { json: { platform: "telegram", bot_token: victim.token } });
    assert.ok(answer.status >= 400, `${answer.status} ${answer.text}`);
    assert.equal((await w.api.get(`/api/profiles/${victim.profile.id}`)).profile_group_id, w.groupId);
    assert.deepEqual(ids(await api.get("/api/profiles")), []);
  });

  test("profile_group_id narrows every call", async () => {
    const group = await w.api.post("/api/profile_groups", { name: "Narrow" });
    const bot = await w.makeBot();
    const talk = await w.talk({ bot: { ...bot, profile: await w.connect(bot, group.id) } });
    const message = await talk.say("x");
    const inGroup = `?profile_group_id=${group.id}`;
    assert.deepEqual(ids(await w.api.get(`/api/profiles${inGroup}`)), [talk.profile.id]);
    assert.deepEqual(ids(await w.api.get(`/api/profile_groups${inGroup}`)), [group.id]);
    assert.equal((await w.api.get(`/api/messages/${message.id}${inGroup}`)).id, message.id);
    assert.equal((await w.api.get(`/api/chats/${talk.person.id}${inGroup}`)).id, talk.chat.id);
    for (const [call, status] of Object.entries(await reach(w.api, talk, message, `?profile_group_id=${w.groupId}`))) assert.equal(status, 404, call);
    for (const id of ["grp_11111111111", "nonsense", "prof_11111111111"]) {
      const answer = await w.api.ask("GET", `/api/profiles?profile_group_id=${id}`);
      assert.ok(answer.status === 400 || answer.status === 404 || answer.json.data.length === 0, `${id}: ${answer.status} ${answer.text}`);
      for (const [call, status] of Object.entries(await reach(w.api, talk, message, `?profile_group_id=${id}`)))
        assert.ok(status === 404 || status === 400, `${id}: ${call}: ${status}`);
    }
  });

  test("without a good key there is nothing", async () => {
    const talk = await w.talk();
    for (const headers of [{}, { Authorization: "" }, { Authorization: "Bearer" }, { Authorization: "Bearer " }, { Authorization: "Bearer wrong" },
      { Authorization: w.api.key }, { Authorization: `Basic ${w.api.key}` }, { Authorization: `Bearer ${w.api.key}x` }, { Authorization: `Bearer ${w.api.key.slice(0, -1)}` },
      { Authorization: `Bearer ${w.api.key.toUpperCase()}` }, { Authorization: `Bearer ${"x".repeat(10000)}` }])
      for (const [method, path] of [["GET", "/api/profiles"], ["GET", `/api/chats/${talk.chat.id}`], ["POST", `/api/chats/${talk.chat.id}/messages`],
        ["DELETE", `/api/profiles/${talk.profile.id}`], ["GET", "/api/messages/msg_11111111111"]]) {
        const { status } = await w.api.with(null).ask(method, path, { headers, json: method === "POST" ? { body: "x" } : undefined });
        assert.equal(status, 401, `${method} ${path} with ${headers.Authorization}`);
      }
    const lower = await w.api.with(null).ask("GET", "/api/profiles", { headers: { authorization: `bearer ${w.api.key}` } });
    assert.equal(lower.status, 200);
    assert.equal((await talk.list("direction=outbound")).length, 0);
  });
});
