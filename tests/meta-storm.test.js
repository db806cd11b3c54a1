// Many events of Messenger and Instagram at once, twice, in any order, and through a crash.
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { afterEach, describe, test } from "node:test";

import { FLAVOURS, META } from "./lib/meta.js";
import { until } from "./lib/until.js";
import { world } from "./lib/world.js";

const w = world({ ready: ({ meta }) => meta.setCallback() });
const base = Date.now() - 600000;

async function post(value, where = w) {
  const body = JSON.stringify(value);
  const headers = { "Content-Type": "application/json", "X-Hub-Signature-256": `sha256=${createHmac("sha256", META.app.secret).update(body).digest("hex")}` };
  assert.equal((await where.api.with(null).ask("POST", "/webhooks/meta", { body, headers })).status, 200);
}

let lastPerson = 0;
const newPerson = () => String(7009000000000000 + ++lastPerson);
const payload = (account, ...messaging) => ({ object: account.profile.platform === "facebook" ? "page" : "instagram", entry: [{ id: account.id, time: Date.now(), messaging }] });
const did = (account, id, seconds, more) => ({ sender: { id }, recipient: { id: account.id }, timestamp: base + seconds * 1000, ...more });
const echoed = (account, id, seconds, message) => ({ sender: { id: account.id }, recipient: { id }, timestamp: base + seconds * 1000, message: { is_echo: true, ...message } });

/** All chats of an account, by the person's id. */
async function chatsOf(account, api = w.api) {
  const found = new Map();
  for (let page = 0; ; page++) {
    const { data } = await api.get(`/api/profiles/${account.profile.id}/chats?per_page=100&page=${page}`);
    for (const chat of data) found.set(chat.participant_external_id, chat);
    if (data.length < 100) return found;
  }
}

/** A chat's messages, oldest first, without what differs from chat to chat. */
async function state(chat, { without = "" } = {}) {
  const { data } = await w.api.get(`/api/chats/${chat.id}/messages?per_page=100`);
  const { last_inbound_at, last_outbound_at, last_message_at } = await w.api.get(`/api/chats/${chat.id}`);
  const text = JSON.stringify({ last_inbound_at, last_outbound_at, last_message_at, messages: data.reverse().map(({ id, chat_id, created_at, ...rest }) => rest) });
  return JSON.parse(text.replaceAll(without, ""));
}

/** Every event of an account since `after`. */
async function eventsOf(account, after, types) {
  const all = [];
  for (let next = after; ; ) {
    const { data, next_after, has_more } = await w.api.get(`/api/events?limit=1000&profile_id=${account.profile.id}&types=${types}&after=${next}`);
    all.push(...data);
    if (!has_more) return all;
    next = next_after;
  }
}
const now = async () => (await w.api.get("/api/events?after=now")).next_after;

function permutations(list) {
  if (list.length < 2) return [list];
  return list.flatMap((one, at) => permutations([...list.slice(0, at), ...list.slice(at + 1)]).map((rest) => [one, ...rest]));
}

/** Does `fn` for each, eight at a time. */
async function each(list, fn) {
  const queue = [...list];
  await Promise.all(Array.from({ length: 8 }, async () => {
    for (let one; (one = queue.shift()); ) await fn(one);
  }));
}

describe("in any order", () => {
  /** A short conversation as events of a person, and what must have happened whatever the order. */
  const conversations = {
    "an edit, an echo, a reaction and a read receipt": {
      events: (account, id, x) => [
        did(account, id, 0, { message: { mid: `a${x}`, text: "hi" } }),
        did(account, id, 10, { message_edit: { mid: `a${x}`, text: "hi!", num_edit: 1 } }),
        echoed(account, id, 20, { mid: `b${x}`, text: "Hello" }),
        did(account, id, 30, { reaction: { mid: `b${x}`, action: "react", reaction: "love", emoji: "❤️" } }),
        did(account, id, 40, { read: account.profile.platform === "facebook" ? { watermark: base + 25000 } : { mid: `b${x}` } }),
      ],
      check({ messages: [first, second] }) {
        assert.deepEqual([first.body, first.external_read_at, second.body, second.direction, second.reactions.length], ["hi!", null, "Hello", "outbound", 1]);
        assert.ok(first.external_edited_at && second.external_read_at);
      },
    },
    "reactions that replace each other": {
      events: (account, id, x) => [
        did(account, id, 0, { message: { mid: `a${x}`, text: "hi" } }),
        did(account, id, 1, { reaction: { mid: `a${x}`, action: "react", reaction: "love", emoji: "❤️" } }),
        did(account, id, 2, { reaction: { mid: `a${x}`, action: "react", reaction: "sad", emoji: "😢" } }),
        did(account, id, 3, { reaction: { mid: `a${x}`, action: "unreact" } }),
        did(account, id, 4, { reaction: { mid: `a${x}`, action: "react", reaction: "wow", emoji: "😮" } }),
      ],
      check: ({ messages: [message] }) => assert.deepEqual(message.reactions.map(({ emoji }) => emoji), ["😮"]),
    },
    "a reaction taken back last": {
      events: (account, id, x) => [
        did(account, id, 0, { message: { mid: `a${x}`, text: "hi" } }),
        did(account, id, 1, { reaction: { mid: `a${x}`, action: "react", reaction: "love", emoji: "❤️" } }),
        did(account, id, 2, { reaction: { mid: `a${x}`, action: "unreact" } }),
      ],
      check: ({ messages: [message] }) => assert.deepEqual(message.reactions, []),
    },
    "a message that is changed twice and then unsent": {
      events: (account, id, x) => [
        did(account, id, 0, { message: { mid: `a${x}`, text: "hi" } }),
        did(account, id, 10, { message_edit: { mid: `a${x}`, text: "hi!", num_edit: 1 } }),
        did(account, id, 11, { message_edit: { mid: `a${x}`, text: "hi!!", num_edit: 2 } }),
        did(account, id, 20, { message: { mid: `a${x}`, is_deleted: true } }),
        did(account, id, 30, { message: { mid: `c${x}`, text: "forget it", reply_to: { mid: `a${x}` } } }),
      ],
      check({ messages: [first, second] }) {
        assert.deepEqual([first.body, first.reactions, second.body], [null, [], "forget it"]);
        assert.ok(first.external_deleted_at);
      },
    },
    "three messages": {
      events: (account, id, x) => ["one", "two", "three", "four"].map((text, n) => did(account, id, n, { message: { mid: `${text}${x}`, text } })),
      check: ({ messages }) => assert.deepEqual(messages.map(({ body }) => body), ["one", "two", "three", "four"]),
    },
  };

  for (const flavour of FLAVOURS)
    for (const [what, { events, check }] of Object.entries(conversations))
      test(`${flavour}: ${what}`, async () => {
        const account = await w.meta.account(flavour);
        const runs = permutations(events(account, "", "").map((_, n) => n)).map((order) => ({ order, id: newPerson() }));
        const [natural] = runs;
        // The first events of all orders come in one call, the second ones in the next, ...
        for (const step of natural.order) await post(payload(account, ...runs.map(({ order, id }) => events(account, id, `_${id}`)[order[step]])));
        const chats = await chatsOf(account);
        const expected = await state(chats.get(natural.id), { without: natural.id });
        check(expected);
        await each(runs.slice(1), async ({ order, id }) => assert.deepEqual(await state(chats.get(id), { without: id }), expected, `in the order ${order}`));
      });
});

describe("many", () => {
  test("events held back come all, each chat's in order", async () => {
    for (const flavour of FLAVOURS) {
      const account = await w.meta.account(flavour);
      const people = await Promise.all(Array.from({ length: 30 }, () => w.meta.makePerson()));
      const start = await now();
      await w.meta.control("POST", "/hold");
      const written = new Map();
      for (let n = 0; n < 8; n++)
        for (const person of people) {
          const { message } = await w.meta.control("POST", `/accounts/${account.id}/chats/${person.id}/messages`, { text: `${n}`, timestamp: base + n * 1000 });
          written.set(message.mid, person.id);
        }
      assert.equal((await chatsOf(account)).size, 0);
      await w.meta.control("POST", "/release");
      await until(async () => [...(await chatsOf(account)).values()].length === 30 && (await eventsOf(account, start, "message.received")).length >= 240, "all are here", 30);
      const events = await eventsOf(account, start, "message.received");
      assert.equal(events.length, 240);
      const heard = new Map();
      for (const { data: { object } } of events) heard.set(written.get(object.external_id), [...(heard.get(written.get(object.external_id)) ?? []), object.body]);
      for (const texts of heard.values()) assert.deepEqual(texts, ["0", "1", "2", "3", "4", "5", "6", "7"]);
    }
  });

  test("a thousand in one call, and the call again", async () => {
    const account = await w.meta.account("facebook");
    const start = await now();
    const people = Array.from({ length: 100 }, newPerson);
    const events = Array.from({ length: 10 }, (_, n) => people.map((id) => did(account, id, n, { message: { mid: `m_${id}_${n}`, text: `${n}` } }))).flat();
    const body = { object: "page", entry: events.map((event) => payload(account, event).entry[0]) };
    await post(body);
    const chats = await chatsOf(account);
    assert.equal(chats.size, 100);
    await each(people, async (id) => assert.deepEqual((await state(chats.get(id))).messages.map((m) => m.body), ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]));
    await Promise.all([post(body), post(body), post({ ...body, entry: body.entry.toReversed?.() ?? [...body.entry].reverse() }), post(payload(account, ...events))]);
    assert.equal((await chatsOf(account)).size, 100);
    for (const chat of chats.values()) assert.equal((await w.api.get(`/api/chats/${chat.id}/messages?per_page=1`)).total, 10);
    assert.equal((await eventsOf(account, start, "message.received")).length, 1000, "each is told once");
  });

  test("one event delivered ten times at once is one message", async () => {
    const account = await w.meta.account("instagram by itself");
    const id = newPerson();
    const start = await now();
    const event = did(account, id, 0, { message: { mid: `aWdf_${id}`, text: "once" } });
    await Promise.all(Array.from({ length: 10 }, () => post(payload(account, event))));
    const chats = await chatsOf(account);
    assert.equal(chats.size, 1);
    assert.equal((await state(chats.get(id))).messages.length, 1);
    assert.equal((await eventsOf(account, start, "message.received")).length, 1);
  });

  test("Meta delivering twice, or finding the answer lost, does no harm", async () => {
    const talk = await w.meta.talk("facebook");
    // What was delivered may yet be delivered again, and must not meet the next fault.
    const fault = async (order) => {
      await w.meta.calm();
      await w.sandbox.fault({ platform: "meta", on: "webhook", ...order });
    };
    await fault({ kind: "duplicate", count: 3 });
    for (let n = 0; n < 3; n++) await talk.hear(`twice ${n}`);
    await fault({ kind: "cut_after" });
    await talk.hear("cut");
    await fault({ kind: "garbage" });
    await talk.write("lost in garbage, which is answered 200");
    await talk.hear("after garbage");
    assert.equal((await talk.list("direction=inbound&per_page=100")).length, 6);
  });
});

describe("one account in two places", () => {
  test("a Page connected in a second group stays one profile in its first", async () => {
    const account = await w.meta.account("facebook");
    const other = await w.api.post("/api/profile_groups", { name: "Another" });
    const again = await w.api.ask("POST", `/api/profile_groups/${other.id}/initialize_connection`, { json: w.meta.credentials(account) });
    assert.deepEqual([again.status, again.json.profile.id], [200, account.profile.id]);
    assert.equal((await w.api.get(`/api/profiles/${account.profile.id}`)).profile_group_id, w.groupId);
    const talk = await w.meta.talk("facebook", { account });
    const heard = await talk.hear("once?");
    assert.equal((await talk.list()).filter((m) => m.external_id === heard.external_id).length, 1);
  });

  test("an Instagram account connected through its Page and by itself hears everything once", async () => {
    const page = await w.meta.makeAccount("facebook");
    const account = await w.meta.control("POST", "/accounts", { kind: "instagram", page: page.id, login: true, name: "Both", username: "both.ways" });
    const connect = (more) => w.api.post(`/api/profile_groups/${w.groupId}/initialize_connection`, { platform: "instagram", account_id: account.id, ...more });
    const ids = new Set([(await connect({ access_token: page.token, page_id: page.id })).profile.id, (await connect({ access_token: account.token })).profile.id]);
    w.secrets.push(page.token, account.token);
    const person = await w.meta.makePerson();
    const start = await now();
    const { message, events } = await w.meta.control("POST", `/accounts/${account.id}/chats/${person.id}/messages`, { text: "Twice?" });
    assert.equal(events, 2, "it is delivered twice");
    const { message: last } = await w.meta.control("POST", `/accounts/${account.id}/chats/${person.id}/messages`, { text: "Last" });
    for (const id of ids) {
      const profile = { profile: { id } };
      const [chat, ...others] = await until(async () => {
        const all = [...(await chatsOf(profile)).values()];
        return all.length > 0 && all;
      }, "the chat is here");
      assert.deepEqual(others, []);
      const list = await until(async () => {
        const { data } = await w.api.get(`/api/chats/${chat.id}/messages`);
        return data.some((m) => m.external_id === last.mid) && data;
      }, "both are here");
      assert.deepEqual(list.map((m) => m.body), ["Last", "Twice?"]);
      assert.deepEqual((await eventsOf(profile, start, "message.received")).map(({ data }) => data.object.external_id), [message.mid, last.mid]);
    }
  });
});

describe("a crash", () => {
  const v = world({ ready: ({ meta }) => meta.setCallback() });
  afterEach(() => v.sandbox.control("POST", "/settings", { meta: { batch: 1 } }));

  test("in the middle of a storm loses nothing", async () => {
    const account = await v.meta.account("facebook");
    const people = await Promise.all(Array.from({ length: 20 }, () => v.meta.makePerson()));
    await v.sandbox.control("POST", "/settings", { meta: { batch: 5 } });
    const mids = new Set();
    const storm = (async () => {
      for (let n = 0; n < 15; n++)
        for (const person of people) mids.add((await v.meta.control("POST", `/accounts/${account.id}/chats/${person.id}/messages`, { text: `${n}` })).message.mid);
    })();
    for (let n = 0; n < 3; n++) {
      const before = (await chatsOf(account, v.api)).size;
      await until(async () => mids.size >= 60 * (n + 1), "some have been written");
      assert.ok(before <= 20);
      await v.server.kill();
      await v.serve();
    }
    await storm;
    await v.sandbox.control("POST", "/settings", { meta: { batch: 1 } });
    const here = new Set();
    await until(async () => {
      await v.sandbox.advance(60000);
      for (const chat of (await chatsOf(account, v.api)).values())
        for (const message of (await v.api.get(`/api/chats/${chat.id}/messages?per_page=100`)).data) here.add(message.external_id);
      return here.size >= mids.size;
    }, "all are here", 30);
    assert.deepEqual(here, mids);
    let total = 0;
    for (const chat of (await chatsOf(account, v.api)).values()) total += (await v.api.get(`/api/chats/${chat.id}/messages?per_page=1`)).total;
    assert.equal(total, 300, "and none is there twice");
  });
});
