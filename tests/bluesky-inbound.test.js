// What arrives from Bluesky: the log of an account, its history, and what else happens in its app.
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";

import { Receiver } from "./lib/receiver.js";
import { Stream } from "./lib/stream.js";
import { wholeList } from "./lib/trouble.js";
import { slowness, until } from "./lib/until.js";
import { world } from "./lib/world.js";

const HISTORY = 12;
let receiver;
let stream;
const w = world({
  webhook: false,
  env: { PARLEY_ALLOW_PRIVATE_ADDRESSES: "127.0.0.0/8", PARLEY_BLUESKY_HISTORY: String(HISTORY) },
  async ready(made) {
    receiver = await new Receiver().start();
    await made.api.post("/api/webhooks", { url: `${receiver.url}/all`, events: ["*"] });
    stream = await Stream.open(made.api);
  },
});
after(async () => {
  stream?.close();
  await receiver?.stop();
});

const as = (account, method, path, body) => w.bluesky.control(method, `/accounts/${account.did}${path}`, body);
const write = (from, to, text, more) => as(from, "POST", "/messages", { to: to.did, text, ...more });
const chatsOf = async (profile) => (await w.api.get(`/api/profiles/${profile.id}/chats?per_page=100`)).data;

/** The messages that events of this type told of, oldest first. */
const told = (type, chat) => stream.events.filter((e) => e.type === type && e.event.data.message.chat_id === chat.id).map((e) => e.event.data.message);

/** Everything that happened before has been taken in, and told, once this has. */
async function settled(talk) {
  const message = await talk.hear(`settled ${Math.random()}`);
  await stream.await((event) => event.type === "message.received" && event.data.message.id === message.id);
  return (await talk.list()).filter((m) => m.id !== message.id);
}

describe("a message", () => {
  test("is kept as it is", async () => {
    const talk = await w.bluesky.talk();
    const text = "¿Envían a España? 😀 <b>\"&\\";
    const sent = await talk.write(text);
    const message = await talk.find(sent.id);
    assert.deepEqual(message, {
      id: message.id,
      chat_id: talk.chat.id,
      external_id: sent.id,
      direction: "inbound",
      body: text,
      status: "received",
      external_comment_id: null,
      error_message: null,
      platform_data: null,
      external_posted_at: sent.sentAt,
      external_delivered_at: null,
      external_read_at: null,
      external_edited_at: null,
      reply_to_external_id: null,
      reply_markup: null,
      external_deleted_at: null,
      reactions: [],
      attachments: [],
      is_unsupported: false,
      created_at: message.created_at,
    });
    assert.deepEqual(await w.api.get(`/api/messages/${message.id}`), message);
    assert.deepEqual(await w.api.get(`/api/messages/${sent.id}`), message);
    const chat = await talk.readChat();
    assert.deepEqual([chat.last_inbound_at, chat.last_message_at, chat.last_outbound_at], [sent.sentAt, sent.sentAt, null]);
    assert.equal(chat.external_conversation_id, talk.chat.external_conversation_id);
  });

  test("is told of once, by webhook and by stream", async () => {
    const talk = await w.bluesky.talk();
    const heard = await talk.hear("Is the shop open?");
    await settled(talk);
    const fits = (event) => event.data.message?.id === heard.id;
    const [pushed, ...morePushed] = await receiver.await("/all", 1, ({ event }) => fits(event));
    const [streamed, ...moreStreamed] = stream.events.filter(({ event }) => fits(event));
    assert.deepEqual([morePushed, moreStreamed], [[], []]);
    assert.equal(pushed.event.type, "message.received");
    assert.deepEqual(pushed.event, streamed.event);
    assert.deepEqual(pushed.event.data, { message: heard, object: heard });
  });

  test("that answers another names it", async () => {
    const talk = await w.bluesky.talk();
    const question = await talk.say("Which colour?");
    const { message } = await write(talk.person, talk.account, "Blue", { replyTo: { messageId: question.external_id } });
    assert.equal((await talk.find(message.id)).reply_to_external_id, question.external_id);
  });

  test("with a shortened link keeps where it leads", async () => {
    const talk = await w.bluesky.talk();
    const uri = "https://lindgren.example/glazes/celadon?size=large#price";
    const facets = [{ index: { byteStart: 4, byteEnd: 24 }, features: [{ $type: "app.bsky.richtext.facet#link", uri }] }];
    const { message } = await write(talk.person, talk.account, "see lindgren.example/gla... please", { facets });
    const heard = await talk.find(message.id);
    assert.equal(heard.body, "see lindgren.example/gla... please");
    assert.ok(JSON.stringify(heard.platform_data).includes(uri), JSON.stringify(heard.platform_data));
  });

  for (const text of ["Look at this", ""])
    test(`that shares a post ${text ? "beside its text" : "and says nothing"} keeps which`, async () => {
      const talk = await w.bluesky.talk();
      const uri = `at://${talk.person.did}/app.bsky.feed.post/3kexamplepost`;
      const record = { $type: "app.bsky.embed.record#viewNotFound", uri, notFound: true };
      const { message } = await write(talk.person, talk.account, text, { embed: { $type: "app.bsky.embed.record#view", record } });
      const heard = await talk.find(message.id);
      assert.equal(heard.body ?? "", text);
      assert.ok(JSON.stringify(heard.platform_data).includes(uri), JSON.stringify(heard.platform_data));
      assert.deepEqual(heard.attachments, []);
    });

  test("of earlier takes its place in time", async () => {
    const talk = await w.bluesky.talk();
    const latest = await talk.hear("now");
    const { message } = await write(talk.person, talk.account, "an hour ago", { sent_at: new Date(Date.now() - 3600000).toISOString() });
    await talk.find(message.id);
    assert.equal((await talk.list()).at(-1).body, "an hour ago");
    assert.equal((await talk.readChat()).last_inbound_at, latest.external_posted_at);
    await stream.await((event) => event.type === "message.received" && event.data.message.external_id === message.id);
  });
});

describe("many messages", () => {
  for (const [name, settings] of Object.entries({
    "a burst of many pages": { log_page_size: 20 },
    "a burst in pages of one": { log_page_size: 1 },
    "a log that names no position": { log_page_size: 20, log_cursor: false },
  }))
    test(`${name} comes whole, once, and in order`, () => w.bluesky.under(settings, async () => {
      const talk = await w.bluesky.talk();
      const count = 130;
      await as(talk.person, "POST", "/burst", { to: talk.account.did, count, text: "no." });
      await settled(talk);
      const expected = Array.from({ length: count }, (_, n) => `no. ${n + 1}`);
      const { data, total } = await wholeList(w.api, `${talk.messagesPath}?direction=inbound`);
      assert.equal(total, count + 2);
      assert.deepEqual(data.map((m) => m.body).filter((body) => /^no\./.test(body)).toReversed(), expected, "as the list has them");
      assert.deepEqual(told("message.received", talk.chat).map((m) => m.body).filter((body) => /^no\./.test(body)), expected, "as they were told");
    }));

  test("of many people all arrive", async () => {
    const account = await w.bluesky.account();
    const talks = await Promise.all(Array.from({ length: 8 }, () => w.bluesky.talk({ account })));
    await Promise.all(talks.map(async (talk) => {
      for (let n = 0; n < 6; n++) await talk.write(`${n}`);
    }));
    for (const talk of talks) {
      await until(async () => (await talk.list()).length === 7, "all are here");
      assert.deepEqual((await talk.list()).map((m) => m.body).toReversed(), ["Hello", "0", "1", "2", "3", "4", "5"]);
    }
  });

  test("what comes while the server is down is there afterwards, and is told of", async () => {
    const talk = await w.bluesky.talk();
    stream.close();
    await w.server.stop();
    const ids = [];
    for (const text of ["anybody", "there", "?"]) ids.push((await talk.write(text)).id);
    const own = (await write(talk.account, talk.person, "soon")).message.id;
    await w.serve();
    const resumed = await Stream.open(w.api, "", { "Last-Event-ID": stream.lastId });
    resumed.events.unshift(...stream.events);
    stream = resumed;
    for (const id of [...ids, own]) await talk.find(id);
    await settled(talk);
    assert.deepEqual(told("message.received", talk.chat).map((m) => m.body).slice(0, -1), ["Hello", "anybody", "there", "?"]);
    assert.deepEqual(told("message.sent", talk.chat).map((m) => m.body), ["soon"]);
  });
});

describe("what the account itself writes", () => {
  test("from elsewhere is an outbound message, once", async () => {
    const talk = await w.bluesky.talk();
    const { message: { id, sentAt } } = await write(talk.account, talk.person, "Written in the app");
    const message = await talk.find(id);
    assert.deepEqual([message.direction, message.status, message.body, message.external_posted_at], ["outbound", "published", "Written in the app", sentAt]);
    const all = await settled(talk);
    assert.equal(all.filter((m) => m.external_id === id).length, 1);
    assert.deepEqual(told("message.sent", talk.chat).map((m) => m.id), [message.id]);
    assert.equal((await talk.readChat()).last_outbound_at, sentAt);
  });

  test("to someone new makes the chat", async () => {
    const [account, person] = [await w.bluesky.account(), await w.bluesky.makeAccount({ display_name: "Someone new" })];
    await write(account, person, "Good day");
    const chat = await until(async () => (await chatsOf(account.profile)).find((c) => c.participant_name), "the chat is here");
    assert.deepEqual([chat.participant_external_id, chat.participant_name, chat.last_inbound_at], [person.did, "Someone new", null]);
    assert.ok(chat.last_outbound_at);
  });

  test("through us is not doubled by the log", async () => {
    const talk = await w.bluesky.talk();
    const bodies = ["one", "two", "two", "three", "same", "same"];
    const sent = [];
    for (const body of bodies) sent.push(await talk.send(body));
    for (const message of sent) await talk.reaches(message, "published");
    const { message } = await write(talk.account, talk.person, "same"); // in the app, and another one
    await talk.find(message.id);
    const all = await settled(talk);
    const outbound = all.filter((m) => m.direction === "outbound").toReversed();
    assert.deepEqual(outbound.map((m) => m.body), [...bodies, "same"]);
    assert.deepEqual(outbound.slice(0, -1).map((m) => m.id), sent.map((m) => m.id));
    assert.deepEqual(told("message.sent", talk.chat).map((m) => m.id), outbound.map((m) => m.id));
    assert.deepEqual(await talk.got(), [...bodies, "same"]);
  });
});

describe("history", () => {
  /** An account and people with conversations of before it is connected: `[who, text]`, who is 0 for the account. */
  async function past(...conversations) {
    const account = await w.bluesky.makeAccount();
    const people = [];
    for (const conversation of conversations) {
      const person = await w.bluesky.makeAccount();
      people.push(person);
      for (const [who, text] of conversation) await (who === 0 ? write(account, person, text) : write(person, account, text));
    }
    return { account, people };
  }
  const lines = (count) => Array.from({ length: count }, (_, n) => [n % 3 === 2 ? 0 : 1, `line ${n}`]);

  /** Its chats with their messages, oldest first, once `count` messages are here. */
  async function imported(profile, people, count) {
    return until(async () => {
      const chats = await chatsOf(profile);
      const found = [];
      for (const person of people) {
        const chat = chats.find((c) => c.participant_external_id === person.did);
        if (!chat) return false;
        found.push({ chat, messages: (await w.api.get(`/api/chats/${chat.id}/messages?per_page=100`)).data.toReversed() });
      }
      return found.reduce((sum, { messages }) => sum + messages.length, 0) >= count && found;
    }, `${count} messages of before are here`);
  }

  test("is there after connecting, and is told to nobody", async () => {
    const { account, people } = await past(lines(6), lines(3));
    const profile = await w.bluesky.connect(account);
    const [first, second] = await imported(profile, people, 9);
    for (const [{ chat, messages }, count] of [[first, 6], [second, 3]]) {
      assert.deepEqual(messages.map((m) => [m.direction, m.status, m.body]),
        lines(count).map(([who, text]) => (who === 0 ? ["outbound", "published", text] : ["inbound", "received", text])));
      assert.deepEqual([chat.last_inbound_at, chat.last_outbound_at].sort().at(-1), messages.at(-1).external_posted_at);
    }
    assert.equal(first.chat.participant_username, people[0].handle);
    const { message } = await write(people[0], account, "and now");
    await stream.await((event) => event.data.message?.external_id === message.id);
    assert.deepEqual(told("message.received", first.chat).map((m) => m.body), ["and now"]);
    for (const { chat } of [first, second]) assert.deepEqual(told("message.sent", chat), []);
    assert.deepEqual(told("message.received", second.chat), []);
  });

  test(`is the last ${HISTORY} of each conversation`, async () => {
    const { account, people } = await past(lines(HISTORY + 9), lines(HISTORY));
    const profile = await w.bluesky.connect(account);
    await imported(profile, people, 2 * HISTORY);
    const { message } = await write(people[0], account, "and now");
    await stream.await((event) => event.data.message?.external_id === message.id);
    const [long, short] = await imported(profile, people, 2 * HISTORY + 1);
    assert.deepEqual(long.messages.map((m) => m.body), [...lines(HISTORY + 9).slice(-HISTORY).map(([, text]) => text), "and now"]);
    assert.equal(short.messages.length, HISTORY);
  });

  test("does not hold groups", async () => {
    const { account, people } = await past(lines(2), lines(1));
    const { convo } = await as(people[0], "POST", "/groups", { name: "Potters", members: [people[1].did, account.did] });
    await as(people[0], "POST", "/messages", { convo, text: "to all" });
    const profile = await w.bluesky.connect(account);
    const found = await imported(profile, people, 3);
    const { message } = await write(people[1], account, "only to you");
    await stream.await((event) => event.data.message?.external_id === message.id);
    assert.equal((await chatsOf(profile)).length, 2);
    assert.deepEqual(found.flatMap(({ messages }) => messages.map((m) => m.body)), ["line 0", "line 1", "line 0"]);
  });

  test("of more conversations than one page has is whole", async () => {
    const { account, people } = await past(...Array.from({ length: 104 }, () => lines(1)));
    const profile = await w.bluesky.connect(account);
    await until(async () => (await wholeList(w.api, `/api/profiles/${profile.id}/chats`)).total === people.length, "all chats are here", 30);
    const { data } = await wholeList(w.api, `/api/profiles/${profile.id}/chats`);
    assert.deepEqual(data.map((c) => c.participant_external_id).toSorted(), people.map((p) => p.did).toSorted());
    for (const chat of data) assert.ok(chat.last_inbound_at, "with its message");
  });

  for (const on of ["createSession", "getLog", "listConvos", "getMessages"])
    test(`a message that comes during ${on} is not lost and is told of, once`, async () => {
      const { account, people } = await past(lines(3));
      await w.sandbox.fault({ platform: "bluesky", on, kind: "delay", delay_ms: 600 * Math.min(slowness, 3), ...(on === "createSession" ? {} : { account: account.did }) });
      const connecting = w.bluesky.connect(account);
      await until(async () => (await w.bluesky.calls(`?method=${on}`)).some((call) => call.outcome === null), `${on} is under way`);
      const { message } = await write(people[0], account, "just now");
      const profile = await connecting;
      const [{ chat, messages }] = await imported(profile, people, 4);
      assert.deepEqual(messages.map((m) => m.body), ["line 0", "line 1", "line 2", "just now"]);
      const later = await write(people[0], account, "later");
      await stream.await((event) => event.data.message?.external_id === later.message.id);
      const bodies = told("message.received", chat).map((m) => m.external_id);
      if (on === "createSession" || on === "getLog") assert.ok(bodies.length <= 2); // it may have been first
      else assert.deepEqual(bodies, [message.id, later.message.id]);
    });

  test("is not read again when the account is connected again, and nothing is told twice", async () => {
    const talk = await w.bluesky.talk();
    await talk.hear("one");
    await w.bluesky.connect(talk.account);
    const { id } = await talk.write("two");
    await talk.find(id);
    const all = await settled(talk);
    assert.deepEqual(all.map((m) => m.body).toReversed(), ["Hello", "one", "two"]);
    assert.deepEqual(told("message.received", talk.chat).map((m) => m.body).slice(0, 3), ["Hello", "one", "two"]);
    assert.equal(told("message.received", talk.chat).length, 4);
  });
});

describe("no history", () => {
  const none = world({ webhook: false, env: { PARLEY_BLUESKY_HISTORY: "0" } });

  test("where none is wanted: only what comes from now on", async () => {
    const [account, person] = [await none.bluesky.makeAccount(), await none.bluesky.makeAccount()];
    await none.bluesky.control("POST", `/accounts/${person.did}/messages`, { to: account.did, text: "before" });
    const talk = await none.bluesky.talk({ account: { ...account, profile: await none.bluesky.connect(account) }, person });
    await talk.hear("after");
    assert.deepEqual((await talk.list()).map((m) => m.body).toReversed(), ["Hello", "after"]);
  });
});

describe("what is no message for us", () => {
  test("groups are left alone, whether they say that they are groups or not", async () => {
    for (const convo_kinds of [true, false])
      await w.bluesky.under({ convo_kinds }, async () => {
        const talk = await w.bluesky.talk();
        const third = await w.bluesky.makeAccount();
        const { convo } = await as(third, "POST", "/groups", { name: "Potters", members: [talk.account.did, talk.person.did] });
        for (const who of [third, talk.person, talk.account]) await as(who, "POST", "/messages", { convo, text: `to all from ${who.handle}` });
        const all = await settled(talk);
        assert.deepEqual(all.map((m) => m.body), ["Hello"]);
        assert.deepEqual((await chatsOf(talk.profile)).map((c) => c.id), [talk.chat.id]);
        assert.ok(!stream.events.some(({ event }) => /to all/.test(event.data.message?.body)));
      });
  });

  test("reactions, reading, accepting, leaving change nothing", async () => {
    const talk = await w.bluesky.talk();
    const [heard, said] = [await talk.hear("good?"), await talk.say("good!")];
    const before = await talk.list();
    const from = stream.events.length;
    await talk.act("POST", `/messages/${said.external_id}/react`, { value: "👍" }, talk.person);
    await talk.act("POST", `/messages/${heard.external_id}/react`, { value: "❤️" });
    await talk.act("POST", `/messages/${said.external_id}/react`, { value: "👍", remove: true }, talk.person);
    for (const who of [talk.person, talk.account]) await talk.act("POST", "/read", {}, who);
    await talk.act("POST", "/accept");
    assert.deepEqual(await settled(talk), before);
    await talk.act("POST", "/leave");
    assert.deepEqual((await settled(talk)).filter((m) => before.some((b) => b.id === m.id)), before);
    const types = stream.events.slice(from).filter(({ event }) => event.data.message?.chat_id === talk.chat.id).map((e) => e.type);
    assert.deepEqual([...new Set(types)], ["message.received"]);
  });

  test("events that cannot be understood hold nothing up", async () => {
    const talk = await w.bluesky.talk();
    const before = await talk.list();
    const convoId = talk.chat.external_conversation_id;
    const defs = "chat.bsky.convo.defs#";
    const view = { $type: `${defs}messageView`, id: "3kstrange", rev: "2222222222abc", text: "strange", sender: { did: talk.person.did }, sentAt: new Date().toISOString() };
    for (const event of [
      { $type: `${defs}logSomethingOfNextYear`, convoId, deep: { a: [1] } },
      { $type: "com.example.other#event" },
      { $type: `${defs}logCreateMessage`, convoId: [] },
      { $type: `${defs}logCreateMessage`, convoId },
      { $type: `${defs}logCreateMessage`, convoId, message: null },
      { $type: `${defs}logCreateMessage`, convoId, message: { ...view, id: undefined } },
      { $type: `${defs}logCreateMessage`, convoId, message: { ...view, sender: null } },
      { $type: `${defs}logCreateMessage`, message: view },
      { $type: `${defs}logCreateMessage`, convoId: "3knobodysconvo", message: view },
      { $type: `${defs}logCreateMessage`, convoId, message: { $type: `${defs}messageOfNextYearView`, id: "3knew", rev: "2222222222abc" } },
      { $type: `${defs}logCreateMessage`, convoId, message: { $type: `${defs}deletedMessageView`, id: "3kgone", rev: "2222222222abc", sender: view.sender, sentAt: view.sentAt } },
      { $type: `${defs}logDeleteMessage`, convoId, message: { $type: `${defs}deletedMessageView`, id: "3knever", rev: "2222222222abc", sender: view.sender, sentAt: view.sentAt } },
      { $type: `${defs}logDeleteMessage`, convoId },
      { $type: `${defs}logMuteConvo` },
      { $type: `${defs}logMuteConvo`, convoId: "3knobodysconvo" },
    ])
      await as(talk.account, "POST", "/log", event);
    const all = await settled(talk);
    assert.deepEqual(all.filter((m) => m.body === "strange" && m.chat_id !== talk.chat.id), []);
    assert.deepEqual(all.filter((m) => before.some((b) => b.id === m.id)), before);
    assert.ok(all.every((m) => m.external_id !== null));
    assert.equal((await talk.say("still fine")).status, "published");
    assert.equal((await w.api.get(`/api/profiles/${talk.profile.id}`)).status, "active");
  });
});

describe("deleting", () => {
  test("marks the message, once, whoever wrote it", async () => {
    const talk = await w.bluesky.talk();
    const [heard, said] = [await talk.hear("forget this"), await talk.say("and this")];
    for (const message of [heard, said]) {
      await talk.act("DELETE", `/messages/${message.external_id}`);
      const now = await talk.find(message.external_id, (m) => m.external_deleted_at);
      assert.deepEqual([now.id, now.status, now.direction], [message.id, message.status, message.direction]);
      await stream.await((event) => event.type === "message.deleted" && event.data.message.id === message.id);
    }
    await settled(talk);
    assert.deepEqual(told("message.deleted", talk.chat).map((m) => m.id), [heard.id, said.id]);
  });

  test("before it was read leaves nothing to be shown", async () => {
    const talk = await w.bluesky.talk();
    await w.bluesky.fault(talk.account, { on: "getLog", kind: "status", status: 503, description: "away", count: -1 });
    const { id } = await talk.write("written in haste");
    await talk.act("DELETE", `/messages/${id}`);
    await w.sandbox.control("DELETE", "/faults");
    const all = await settled(talk);
    assert.ok(!all.some((m) => m.body === "written in haste" && !m.external_deleted_at));
  });
});

test("two connected accounts that talk to each other have a chat and a row each", async () => {
  const [a, b] = [await w.bluesky.account(), await w.bluesky.account()];
  const talk = await w.bluesky.silence({ account: a, person: b });
  const said = await talk.say("Colleague?");
  const other = await until(async () => (await chatsOf(b.profile))[0], "the chat is there on the other side");
  const [heard] = await until(async () => {
    const { data } = await w.api.get(`/api/chats/${other.id}/messages`);
    return data.length > 0 && data;
  }, "the message arrives");
  assert.deepEqual([heard.direction, heard.body, heard.external_id, other.participant_external_id], ["inbound", "Colleague?", said.external_id, a.did]);
  await w.api.post(`/api/chats/${other.id}/messages`, { body: "Yes" }, { status: 202 });
  const answer = await until(async () => (await talk.list("direction=inbound"))[0], "the answer arrives");
  assert.equal(answer.body, "Yes");
  for (const [path, ids] of [
    [`/api/messages/${said.external_id}`, [said.id, heard.id]],
    [`/api/chats/${other.external_conversation_id}`, [talk.chat.id, other.id]],
  ]) {
    const { status, json } = await w.api.ask("GET", path);
    assert.equal(status, 409);
    assert.deepEqual(json.candidates.toSorted(), ids.toSorted());
  }
  assert.deepEqual((await w.api.get(`/api/chats/${other.id}/messages`)).data.map((m) => [m.direction, m.body]), [["outbound", "Yes"], ["inbound", "Colleague?"]]);
  assert.deepEqual((await talk.list()).map((m) => [m.direction, m.body]), [["inbound", "Yes"], ["outbound", "Colleague?"]]);
});

/** Milliseconds between one question for the log that brought nothing and the next. */
async function gaps(bluesky, account, atLeast) {
  const calls = await until(async () => {
    const all = await bluesky.callsOf(account, "getLog");
    return all.length >= atLeast && all;
  }, `the log is asked for ${atLeast} times`, 30);
  return calls.slice(1).map((call, n) => (call.params.cursor === calls[n].params.cursor ? Date.parse(call.at) - Date.parse(calls[n].at) : null)).filter((gap) => gap !== null);
}

describe("an account is asked often while something happens", () => {
  const lively = world({ webhook: false, env: { PARLEY_BLUESKY_POLL_SECONDS: "1h", PARLEY_BLUESKY_ACTIVE_SECONDS: "200ms" } });

  test("so that a conversation goes on without waiting an hour, and not more often than it is to be", async () => {
    const talk = await lively.bluesky.talk();
    for (let n = 0; n < 4; n++) {
      await talk.hear(`question ${n}`);
      await talk.say(`answer ${n}`);
    }
    const count = await lively.bluesky.count(talk.account, "getLog");
    for (const gap of await gaps(lively.bluesky, talk.account, count + 4)) assert.ok(gap >= 170, `asked again after ${gap} ms`);
  });
});

describe("an account is asked no more often", () => {
  const steady = world({ webhook: false, env: { PARLEY_BLUESKY_POLL_SECONDS: "500ms", PARLEY_BLUESKY_ACTIVE_SECONDS: "0" } });

  test("where that is switched off, whatever happens", async () => {
    const talk = await steady.bluesky.talk();
    await talk.hear("one");
    await talk.say("two");
    const count = await steady.bluesky.count(talk.account, "getLog");
    const all = await gaps(steady.bluesky, talk.account, count + 6); // those after which it goes on elsewhere do not count
    assert.ok(all.length >= 3);
    for (const gap of all) assert.ok(gap >= 440, `asked again after ${gap} ms`);
  });
});
