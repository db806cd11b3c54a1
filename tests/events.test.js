// What happened, as a list and as a stream that leaves nothing out.
import assert from "node:assert/strict";
import { afterEach, describe, test } from "node:test";

import { EventSource } from "eventsource";

import { parseResponses, raw } from "./lib/api.js";
import { checkEvent } from "./lib/contract.js";
import { Stream } from "./lib/stream.js";
import { slowness, until } from "./lib/until.js";
import { KEY, world } from "./lib/world.js";

const w = world();
const list = (query) => w.api.get(`/api/events?${query}`);
const message = (text) => (event) => event.data.message?.body === text;

/** Everything after an event, page by page. */
async function all(after, query = "limit=1000") {
  const events = [];
  for (let more = true; more;) {
    const page = await list(`${query}${after ? `&after=${after}` : ""}`);
    events.push(...page.data);
    after = page.next_after;
    more = page.has_more;
  }
  return events;
}

const newest = async () => (await list("after=now")).next_after;

describe("the list", () => {
  test("has every event as it happened, oldest first", async () => {
    const start = await newest();
    const talk = await w.talk();
    await talk.hear("first");
    const sent = await talk.say("second");
    const events = await until(async () => {
      const found = await all(start);
      return found.some((event) => event.type === "message.sent") && found;
    });
    assert.deepEqual(events.map(({ type, data }) => [type, data.message?.body ?? data.object.username]),
      [["profile.connected", talk.bot.username], ["message.received", "/start"], ["message.received", "first"], ["message.sent", "second"]]);
    events.forEach(checkEvent);
    assert.deepEqual(events[0].data.object, {
      id: talk.profile.id,
      name: talk.bot.first_name,
      platform: "telegram",
      profile_group_id: w.groupId,
      status: "active",
      uid: String(talk.bot.id),
      username: talk.bot.username,
    });
    const { object, ...beside } = events[0].data;
    assert.deepEqual(beside, object);
    assert.deepEqual(events[3].data.message, await w.api.get(`/api/messages/${sent.id}`));
    assert.deepEqual(events.map(({ created_at }) => created_at), events.map(({ created_at }) => created_at).sort());
  });

  test("can be read in pieces", async () => {
    const start = await newest();
    const talk = await w.talk();
    for (let i = 0; i < 4; i++) await talk.hear(`piece ${i}`);
    const whole = await all(start);
    assert.deepEqual(await all(start, "limit=1"), whole);
    assert.deepEqual(await all(start, "limit=4"), whole);
    const page = await list(`after=${start}&limit=2`);
    assert.deepEqual([page.data.length, page.has_more, page.next_after], [2, true, whole[1].id]);
    const end = await list(`after=${whole.at(-1).id}`);
    assert.deepEqual(end, { data: [], next_after: whole.at(-1).id, has_more: false });
    assert.deepEqual(await list("after=now"), end);
    const answer = await w.api.ask("HEAD", `/api/events?after=${start}`);
    assert.deepEqual([answer.status, answer.text], [200, ""]);
  });

  test("can be narrowed down", async () => {
    const start = await newest();
    const bot = await w.bot();
    const [one, two] = [await w.talk({ bot }), await w.talk({ bot })];
    const other = await w.talk();
    await one.say("to one");
    const whole = await all(start);
    const of = (fits) => whole.filter(fits).map(({ id }) => id);
    const ids = async (query) => (await all(start, query)).map(({ id }) => id);
    assert.deepEqual(await ids("types=message.sent"), of(({ type }) => type === "message.sent"));
    assert.deepEqual(await ids("types=message.sent,%20profile.connected"), of(({ type }) => type !== "message.received"));
    assert.deepEqual(await ids(`chat_id=${two.chat.id}`), of(({ data }) => data.message?.chat_id === two.chat.id));
    assert.deepEqual(await ids(`chat_id=${other.person.id}&types=message.received`), of(({ data }) => data.message?.chat_id === other.chat.id));
    assert.deepEqual((await ids(`profile_id=${other.profile.id}`)).length, 2);
    assert.equal(whole.length, 2 + 3 + 1);
  });

  test("is refused with a reason", async () => {
    const { profile } = await w.talk();
    const cases = [
      ["limit=0", /^400 limit must be a number from 1 to 1000, not '0'$/],
      ["limit=1001", /^400 limit/],
      ["limit=x", /^400 limit/],
      ["types=message.seen", /^400 types: there is no event 'message.seen'; there are message.received, message.sent, .*, webhook.disabled$/],
      ["types=ping", /^400 types/],
      ["types=*", /^400 types/],
      ["after=evt_11111111111", /^400 There is no event 'evt_11111111111' to go on from/],
      ["after=5", /^400 There is no event '5'/],
      [`after=${profile.id}`, /^400 There is no event 'prof_/],
      ["profile_id=prof_11111111111", /^404/],
      ["chat_id=nobody", /^404/],
    ];
    for (const [query, sentence] of cases) {
      assert.match(await w.api.refusal("GET", `/api/events?${query}`), sentence);
      if (!query.startsWith("limit")) assert.match(await w.api.refusal("GET", `/api/events?${query}`, undefined, { headers: { Accept: "text/event-stream" } }), sentence);
    }
    assert.match(await w.api.refusal("GET", "/api/events", undefined, { headers: { Accept: "text/event-stream", "Last-Event-ID": "evt_x" } }), /^400/);
    assert.match(await w.api.with("wrong-key-wrong-key").refusal("GET", "/api/events", undefined, { headers: { Accept: "text/event-stream" } }), /^401/);
  });
});

describe("the stream", () => {
  test("begins with now, and tells what happens within a moment", async () => {
    const talk = await w.talk();
    await talk.hear("earlier");
    const stream = await Stream.open(w.api);
    assert.equal(stream.status, 200);
    assert.equal(stream.headers["content-type"], "text/event-stream");
    assert.equal(stream.headers["cache-control"], "no-store");
    assert.ok(stream.headers["x-request-id"]);
    let begun = Date.now();
    const sent = await talk.send("live");
    const { event, at } = await stream.await(message("live"));
    assert.equal(event.type, "message.sent");
    assert.equal(event.data.message.id, sent.id);
    assert.equal(stream.events.length, 1);
    assert.ok(stream.retry > 0);
    assert.deepEqual(event, (await list(`chat_id=${talk.chat.id}&types=message.sent`)).data[0]);
    let took = at - begun;
    for (let n = 0; n < 5 && took >= 1000 * slowness; n++) { // the machine may have stood still for a moment
      begun = Date.now();
      await talk.send(`live ${n}`);
      took = (await stream.await(message(`live ${n}`))).at - begun;
    }
    assert.ok(took < 1000 * slowness, `it took ${took} ms`);
    stream.close();
  });

  test("goes on exactly after the event that is named", async () => {
    const start = await newest();
    const talk = await w.talk();
    for (let i = 0; i < 5; i++) await talk.hear(`missed ${i}`);
    const past = await all(start);
    for (const at of [start, past[2].id, past.at(-1).id]) {
      const stream = await Stream.open(w.api, "?after=now", { "Last-Event-ID": at });
      const other = await Stream.open(w.api, `?after=${at}`);
      const marker = `marker ${at}`;
      await talk.hear(marker);
      await stream.await(message(marker));
      await other.await(message(marker));
      const expected = (await all(at)).map(({ id }) => id);
      assert.deepEqual(stream.ids, expected);
      assert.deepEqual(other.ids, expected);
      stream.close();
      other.close();
    }
  });

  test("that broke before its first event knows where it began", async () => {
    const talk = await w.talk();
    const stream = await Stream.open(w.api);
    await until(() => stream.lastId !== "");
    stream.close();
    await talk.hear("while away");
    const again = await Stream.open(w.api, "", { "Last-Event-ID": stream.lastId });
    await again.await(message("while away"));
    assert.equal(again.events[0].event.data.message.body, "while away");
    again.close();
  });

  test("can be narrowed down, and stays within a profile group", async () => {
    const group = await w.api.post("/api/profile_groups", { name: "Streams" });
    const { stdout } = await w.command(["key", "create", "streams", group.id]);
    const bot = await w.makeBot();
    const inside = await w.talk({ bot: { ...bot, profile: await w.connect(bot, group.id) } });
    const outside = await w.talk();
    const streams = {
      whole: await Stream.open(w.api),
      limited: await Stream.open(w.api.with(stdout.trim())),
      narrowed: await Stream.open(w.api, `?profile_group_id=${group.id}`),
      sent: await Stream.open(w.api, "?types=message.sent"),
      chat: await Stream.open(w.api, `?chat_id=${outside.chat.id}&types=message.received`),
      profile: await Stream.open(w.api, `?profile_id=${inside.profile.id}`),
    };
    await outside.hear("outside");
    await inside.hear("inside");
    await outside.say("to outside");
    await inside.say("to inside");
    await streams.whole.await(message("to inside"));
    const expected = {
      whole: ["outside", "inside", "to outside", "to inside"],
      limited: ["inside", "to inside"],
      narrowed: ["inside", "to inside"],
      sent: ["to outside", "to inside"],
      chat: ["outside"],
      profile: ["inside", "to inside"],
    };
    for (const [name, stream] of Object.entries(streams)) {
      await until(() => stream.events.length >= expected[name].length, `the stream "${name}" has its events`);
      assert.deepEqual(stream.events.map(({ event }) => event.data.message.body), expected[name], name);
      stream.close();
    }
  });

  test("says something in every quiet quarter of a minute, and where it is", async () => {
    const talk = await w.talk();
    const stream = await Stream.open(w.api, "?types=profile.disconnected");
    await until(() => stream.lastId !== "");
    const began = stream.lastId;
    await talk.hear("not for this stream");
    const at = await newest();
    await until(() => stream.comments > 0, "a comment comes");
    await until(() => stream.lastId !== began, "it tells its position");
    assert.equal(stream.lastId, at);
    assert.deepEqual(stream.events, []);
    stream.close();
  });

  test("works with the published client, also when the server is restarted", async () => {
    const talk = await w.talk();
    const source = new EventSource(`${w.api.url}/api/events`, {
      fetch: (input, init) => fetch(input, { ...init, headers: { ...init.headers, Authorization: `Bearer ${KEY}` } }),
    });
    const seen = [];
    source.addEventListener("message.received", ({ data, lastEventId }) => seen.push([JSON.parse(data).data.message.body, lastEventId]));
    const errors = [];
    source.addEventListener("error", (error) => errors.push(error.code));
    await until(() => source.readyState === EventSource.OPEN);
    await talk.hear("before");
    await until(() => seen.length === 1);
    await w.server.stop();
    await talk.write("meanwhile");
    await w.serve();
    await talk.received((await talk.onTelegram()).at(-1).message_id);
    await talk.hear("after");
    await until(() => seen.length >= 3, "the client is back");
    assert.deepEqual(seen.map(([body]) => body), ["before", "meanwhile", "after"]);
    assert.equal(seen[2][1], await newest());
    source.close();
  });

  test("ends properly when the server stops, also amid others", async () => {
    const streams = await Promise.all(Array.from({ length: 50 }, () => Stream.open(w.api)));
    await w.server.stop();
    await until(() => streams.every(({ ended, broken }) => ended || broken));
    assert.ok(streams.every(({ ended }) => ended));
    await w.serve();
  });

  test("ends when its key is revoked", async () => {
    const { stdout } = await w.command(["key", "create", "short-lived"]);
    const stream = await Stream.open(w.api.with(stdout.trim()));
    const other = await Stream.open(w.api);
    assert.equal((await w.command(["key", "revoke", "short-lived"])).code, 0);
    await until(() => stream.ended, "the stream ends");
    assert.equal(other.ended, false);
    other.close();
    const again = await until(async () => {
      const one = await Stream.open(w.api.with(stdout.trim()));
      one.close();
      return one.status !== 200 && one;
    });
    assert.equal(again.status, 401);
  });

  test("answers HEAD without a body", async () => {
    const request = `HEAD /api/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${KEY}\r\nAccept: text/event-stream\r\nConnection: close\r\n\r\n`;
    const { responses, closed } = await raw(w.api.url, request, { methods: ["HEAD"] });
    assert.deepEqual([responses[0].status, responses[0].headers.get("content-type"), responses[0].body.length, closed], [200, "text/event-stream", 0, true]);
    assert.equal(parseResponses(Buffer.alloc(0)).responses.length, 0);
  });
});

describe("nothing is left out and nothing comes twice", () => {
  let going = false;
  afterEach(() => (going = false)); // also when something failed before they were told to stop

  /** Lets people write until it is told to stop; gives how many lines there were. */
  function chatter(talks) {
    going = true;
    let lines = 0;
    const done = Promise.all(talks.map(async (talk) => {
      while (going) await talk.write(`line ${++lines}`);
    }));
    return async () => {
      going = false;
      await done;
      return lines;
    };
  }

  test("while streams come and go", async () => {
    const bot = await w.bot();
    const talks = await Promise.all(Array.from({ length: 4 }, () => w.talk({ bot })));
    const start = await newest();
    const stop = chatter(talks);
    const steady = await Promise.all([1, 2, 3].map(() => Stream.open(w.api, "", { "Last-Event-ID": start })));
    const restless = [];
    let at = start;
    for (let i = 0; i < 15; i++) {
      const stream = await Stream.open(w.api, "", { "Last-Event-ID": at });
      await until(() => stream.events.length >= 3);
      stream.close();
      restless.push(...stream.ids);
      at = stream.ids.at(-1);
    }
    await stop();
    const last = await talks[0].hear("the end");
    assert.equal(last.body, "the end");
    for (const stream of steady) await stream.await(message("the end"), 30);
    const final = await Stream.open(w.api, "", { "Last-Event-ID": at });
    await final.await(message("the end"), 30);
    // What the others wrote last may come after it.
    const expected = (await all(start)).map(({ id }) => id);
    await until(() => [...steady, final].every((stream) => stream.ids.includes(expected.at(-1))), "all is streamed", 30);
    for (const stream of steady) {
      assert.deepEqual(stream.ids.slice(0, expected.length), expected);
      stream.close();
    }
    restless.push(...final.ids);
    assert.deepEqual(restless.slice(0, expected.length), expected);
    final.close();
  });

  test("when the server is killed", async () => {
    const talk = await w.talk();
    const start = await newest();
    const seen = [];
    let at = start;
    for (let i = 0; i < 2; i++) {
      const stream = await Stream.open(w.api, "", { "Last-Event-ID": at });
      const stop = chatter([talk]);
      await until(() => stream.events.length >= 10);
      await w.server.kill();
      await stop();
      await until(() => stream.broken || stream.ended);
      seen.push(...stream.ids);
      at = seen.at(-1);
      await w.serve();
    }
    const stream = await Stream.open(w.api, "", { "Last-Event-ID": at });
    await talk.hear("the end");
    await stream.await(message("the end"), 60);
    seen.push(...stream.ids);
    assert.deepEqual(seen, (await all(start)).map(({ id }) => id));
    stream.close();
  });

  test("for a client that reads slowly", async () => {
    const bot = await w.bot();
    const talks = await Promise.all(Array.from({ length: 2 }, () => w.talk({ bot })));
    const start = await newest();
    const stream = await Stream.open(w.api, "", { "Last-Event-ID": start });
    const quick = await Stream.open(w.api, "", { "Last-Event-ID": start });
    stream.response.pause();
    const text = "🐌".repeat(2000);
    const streams = async () => {
      const { text: metrics } = await w.api.ask("GET", "/metrics");
      const read = (name) => Number(new RegExp(`^parley_streams_${name} (\\d+)$`, "m").exec(metrics)[1]);
      return { open: read("open"), behind: read("behind_total") };
    };
    const before = await streams();
    for (let now = before; now.behind === before.behind; now = await streams()) {
      assert.ok(now.open >= 2, "the stream was given up for not being read before so much was written that it fell behind");
      await Promise.all(talks.map((talk) => talk.write(text)));
    }
    for (let i = 0; i < 20; i++) await Promise.all(talks.map((talk) => talk.write(`${i} ${text}`)));
    await talks[0].hear("the end");
    await quick.await(message("the end"), 30);
    stream.response.resume();
    await stream.await(message("the end"), 30);
    const expected = (await all(start)).map(({ id }) => id);
    assert.deepEqual(quick.ids, expected);
    assert.deepEqual(stream.ids, expected);
    stream.close();
    quick.close();
  });
});
