// What goes wrong with Bluesky: tokens that end, answers that get lost, a log that is forgotten, a service that is away.
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";

import { startChance, startEar, wholeList } from "./lib/trouble.js";
import { until } from "./lib/until.js";
import { world } from "./lib/world.js";

let ear;
const w = world({
  webhook: false,
  env: { PARLEY_ALLOW_PRIVATE_ADDRESSES: "127.0.0.0/8", PARLEY_RETRY_AFTER: ["20ms", "50ms", "100ms", "200ms", ...Array(12).fill("300ms")].join(",") },
  async ready(made) {
    ear = await startEar();
    await made.api.post("/api/webhooks", { url: ear.url, events: ["*"] });
  },
});
after(() => ear?.stop());

const as = (account, method, path, body) => w.bluesky.control(method, `/accounts/${account.did}${path}`, body);
const clear = () => w.sandbox.control("DELETE", "/faults");
const expire = (account, refresh = false) => as(account, "POST", "/sessions/expire", { refresh });
const profileOf = (talk) => w.api.get(`/api/profiles/${talk.profile.id}`);
const told = (type, talk) => ear.of(type, ({ message }) => message.chat_id === talk.chat.id).map(({ data }) => data.message.id);

async function counts(account) {
  const [logins, renewals] = [await w.bluesky.count(account, "createSession"), await w.bluesky.count(account, "refreshSession")];
  return { logins, renewals };
}

/** So many chats of one account, each with a conversation. */
async function chats(count) {
  const account = await w.bluesky.account();
  return Promise.all(Array.from({ length: count }, () => w.bluesky.talk({ account })));
}

async function sendAll(talk, bodies) {
  const messages = [];
  for (const body of bodies) messages.push(await talk.send(body));
  return messages;
}

/** All are published, the person got each once and in order, and each is told of once. */
async function accountFor(talk, messages) {
  const published = [];
  for (const message of messages) published.push(await talk.reaches(message, "published", 60));
  const own = (await talk.onBluesky()).filter((m) => m.direction === "out");
  assert.deepEqual(own.map((m) => [m.id, m.text]), published.map((m) => [m.external_id, m.body]));
  assert.deepEqual(await talk.got(), messages.map((m) => m.body));
  await until(() => told("message.sent", talk).length >= messages.length, "message.sent");
  await talk.hear("settled"); // so the log has told of all that was sent
  assert.equal((await talk.list("direction=outbound&per_page=100")).length, messages.length);
  assert.deepEqual(told("message.sent", talk), messages.map((m) => m.id));
  return published;
}

/** What was written has arrived, each once and in order, and is told of once. */
async function heardOf(talk, written) {
  for (const { id } of written) await talk.find(id, undefined, 40);
  const inbound = (await talk.list("direction=inbound&per_page=100")).toReversed();
  assert.deepEqual(inbound.map((m) => m.external_id).filter((id) => written.some((m) => m.id === id)), written.map((m) => m.id));
  await until(() => new Set(told("message.received", talk)).size >= inbound.length, "message.received");
  assert.deepEqual(told("message.received", talk).toSorted(), inbound.map((m) => m.id).toSorted());
}

// A 429 that names no time is waited for half a minute or a minute: it begins here, and the last test sees its end.
const slow = {};
test("a send refused with a 429 that names no time waits", async () => {
  slow.talk = await w.bluesky.talk();
  await w.bluesky.fault(slow.talk.account, { on: "sendMessage", kind: "rate_limit" });
  slow.messages = await sendAll(slow.talk, ["one", "two", "three"]);
  const waiting = await slow.talk.reaches(slow.messages[0], "failed_waiting_for_retry");
  assert.match(waiting.error_message, /Rate Limit|Too Many Requests/i);
  await slow.talk.hear("meanwhile");
  slow.polled = await w.bluesky.talk();
  await w.bluesky.fault(slow.polled.account, { on: "getLog", kind: "rate_limit" });
  await until(async () => (await w.bluesky.callsOf(slow.polled.account, "getLog")).some((call) => call.status === 429), "the log is refused, too");
  slow.written = [await slow.polled.write("is"), await slow.polled.write("anybody"), await slow.polled.write("there?")];
});

describe("an access token that has expired", () => {
  test("is renewed once, whoever needs it", async () => {
    const talks = await chats(20);
    const { account } = talks[0];
    const before = await counts(account);
    await expire(account);
    const messages = await Promise.all(talks.map((talk) => sendAll(talk, ["one", "two"])));
    for (const [n, talk] of talks.entries()) for (const message of messages[n]) await talk.reaches(message, "published", 30);
    assert.deepEqual(await counts(account), { ...before, renewals: before.renewals + 1 });
    for (const talk of talks) assert.deepEqual(await talk.got(), ["one", "two"]);
    for (const message of messages.flat()) {
      const events = ear.of("message.failed_waiting_for_retry", (data) => data.message.id === message.id);
      assert.deepEqual(events, [], "it is no failure of the message");
    }
  });

  test("is renewed for what comes in", async () => {
    const talk = await w.bluesky.talk();
    const before = await counts(talk.account);
    await expire(talk.account);
    const written = [];
    for (let n = 1; n <= 3; n++) written.push(await talk.write(`number ${n}`));
    await heardOf(talk, written);
    assert.deepEqual(await counts(talk.account), { ...before, renewals: before.renewals + 1 });
  });

  test("is renewed when the account server says so, if it is busy", async () => {
    const talk = await w.bluesky.talk();
    await w.bluesky.fault(talk.account, { on: "refreshSession", kind: "rate_limit", retry_after: 3 });
    await expire(talk.account);
    await talk.say("patience");
    const calls = await w.bluesky.callsOf(talk.account, "refreshSession");
    assert.deepEqual(calls.map((call) => call.status), [429, 200]);
    assert.ok(Date.parse(calls[1].at) - Date.parse(calls[0].at) >= 1900, "its time is told in whole seconds");
    assert.equal((await counts(talk.account)).logins, 1);
  });

  test("is renewed for archiving", async () => {
    const talk = await w.bluesky.talk();
    await w.bluesky.fault(talk.account, { on: "getLog", kind: "status", status: 503, description: "away", count: -1 });
    await expire(talk.account);
    const archived = await until(async () => {
      const answer = await w.api.ask("POST", `/api/chats/${talk.chat.id}/archive`);
      assert.ok(answer.status === 200 || answer.status === 503, answer.text);
      return answer.status === 200 && answer.json;
    }, "it is archived");
    assert.equal(archived.archived, true);
    assert.equal((await counts(talk.account)).logins, 1);
    await clear();
  });
});

describe("a restart", () => {
  test("never logs in", async () => {
    const talk = await w.bluesky.talk();
    const before = await counts(talk.account);
    for (const end of ["stop", "kill", "kill", "stop"]) {
      const sending = await talk.send(`before ${end}`);
      await w.server[end]();
      await w.serve();
      await talk.reaches(sending, "published", 30);
      await talk.hear(`after ${end}`);
    }
    assert.deepEqual(await counts(talk.account), before);
  });

  test("right after a renewal goes on with what the renewal brought, or renews again", async () => {
    for (const trouble of [null, null, { kind: "cut_after" }, { kind: "garbage" }]) {
      const talk = await w.bluesky.talk();
      const before = await counts(talk.account);
      if (trouble) await w.bluesky.fault(talk.account, { on: "refreshSession", ...trouble });
      await expire(talk.account);
      const sending = await talk.send("renewed?");
      await until(async () => (await w.bluesky.callsOf(talk.account, "refreshSession")).slice(before.renewals).some((call) => call.outcome !== null), "it is renewed");
      await w.server.kill();
      await w.serve();
      await talk.reaches(sending, "published", 30);
      await talk.hear("still there");
      const { logins, renewals } = await counts(talk.account);
      assert.equal(logins, before.logins);
      // the one with the trouble, one of which the kill may have lost what it brought, and one after it
      assert.ok(renewals - before.renewals <= (trouble ? 3 : 2), `renewed ${renewals - before.renewals} times`);
      assert.deepEqual(await talk.got(), ["renewed?"]);
    }
  });
});

describe("a session that is over", () => {
  test("is followed by one login with the password that is kept", async () => {
    const talks = await chats(8);
    const { account } = talks[0];
    const before = await counts(account);
    await expire(account, true);
    const messages = await Promise.all(talks.map((talk) => talk.send("over?")));
    for (const [n, talk] of talks.entries()) await talk.reaches(messages[n], "published", 30);
    await talks[0].hear("and in");
    assert.equal((await counts(account)).logins, before.logins + 1);
    for (const talk of talks) assert.deepEqual(await talk.got(), ["over?"]);
    assert.equal((await profileOf(talks[0])).status, "active");
    assert.equal(ear.of("profile.disconnected", (data) => data.id === talks[0].profile.id).length, 0);
  });

  test("waits where the logins of the day are used up, until it is connected again", async () => {
    const talk = await w.bluesky.talk();
    let message;
    await w.bluesky.under({ logins_per_day: 1, logins_per_5_minutes: 1 }, async () => {
      await expire(talk.account, true);
      message = await talk.send("patience");
      await until(async () => (await w.bluesky.callsOf(talk.account, "createSession")).some((call) => call.status === 429), "the login is refused");
      assert.equal((await profileOf(talk)).status, "active");
    });
    assert.ok((await w.bluesky.callsOf(talk.account, "createSession")).length <= 4, "it does not try again and again");
    await w.bluesky.connect(talk.account);
    await accountFor(talk, [message]);
  });
});

/** Sends that wait because the service is away, then that trouble, in which the account becomes `expired`. */
async function lose(talk, trouble) {
  await w.bluesky.fault(talk.account, { on: "sendMessage", kind: "status", status: 503, description: "away", count: -1 });
  const queued = await sendAll(talk, ["one", "two", "three"]);
  await talk.reaches(queued[0], "failed_waiting_for_retry");
  await trouble();
  await clear();
  const expired = await until(async () => {
    const now = await profileOf(talk);
    return now.status === "expired" && now;
  }, "the profile is expired", 30);
  for (const message of queued) await talk.reaches(message, "failed_waiting_for_retry");
  assert.match(await talk.refusal({ body: "No more" }), /^422 .{10,}/);
  await until(() => ear.of("profile.disconnected", (data) => data.id === talk.profile.id).length === 1, "profile.disconnected");
  const { data } = ear.of("profile.disconnected", (d) => d.id === talk.profile.id)[0];
  assert.deepEqual([data.status, data.platform, data.uid, data.username], ["expired", "bluesky", talk.account.did, talk.account.handle]);
  return { queued, expired };
}

describe("an account that is lost", () => {
  test("because its app password is revoked: everything waits, and goes out after connecting again", async () => {
    const talk = await w.bluesky.talk();
    const { queued, expired } = await lose(talk, async () => {
      await as(talk.account, "DELETE", "/app-passwords/chat");
      await expire(talk.account, true);
    });
    assert.match(expired.status_detail, /Invalid identifier or password|app password/);
    const logins = await w.bluesky.count(talk.account, "createSession");
    assert.ok(logins <= 2, "a password that is no good is not tried again");
    const written = [await talk.write("are you"), await talk.write("there?")];
    await w.server.kill();
    await w.serve();
    await (await w.bluesky.talk()).say("others go on");
    assert.equal(await w.bluesky.count(talk.account, "createSession"), logins, "nor after a restart");
    assert.equal((await profileOf(talk)).status, "expired");
    for (const message of queued) assert.equal((await w.api.get(`/api/messages/${message.id}`)).status, "failed_waiting_for_retry");

    const { password } = await as(talk.account, "POST", "/app-passwords", { name: "chat", privileged: true });
    w.secrets.push(password);
    assert.equal((await w.bluesky.connect({ ...talk.account, password })).id, talk.profile.id);
    const active = await profileOf(talk);
    assert.deepEqual([active.status, active.status_detail], ["active", null]);
    await heardOf(talk, written);
    await accountFor(talk, queued);
    assert.equal(ear.of("profile.disconnected", (data) => data.id === talk.profile.id).length, 1);
    await until(() => ear.of("profile.connected", (data) => data.id === talk.profile.id).length === 2, "profile.connected");
  });

  test("because it is taken down: it says so, and goes on after connecting again", async () => {
    const talk = await w.bluesky.talk();
    const { queued, expired } = await lose(talk, () => w.bluesky.control("PATCH", `/accounts/${talk.account.did}`, { status: "takendown" }));
    assert.match(expired.status_detail, /taken down/);
    await w.bluesky.control("PATCH", `/accounts/${talk.account.did}`, { status: "active" });
    assert.equal((await w.bluesky.connect(talk.account)).id, talk.profile.id);
    await accountFor(talk, queued);
  });

  test("because its app password may not read messages any more: it says how to make another", async () => {
    const talk = await w.bluesky.talk();
    const { queued, expired } = await lose(talk, () => w.bluesky.fault(talk.account, { on: "getLog", kind: "status", status: 400, description: "InvalidToken: Bad token method" })
      .then(() => until(async () => (await profileOf(talk)).status === "expired", "it is seen")));
    assert.match(expired.status_detail, /direct messages/);
    assert.equal((await w.bluesky.connect(talk.account)).id, talk.profile.id);
    await accountFor(talk, queued);
  });

  test("is no matter of the others", async () => {
    const [lost, other] = [await w.bluesky.talk(), await w.bluesky.talk()];
    await as(lost.account, "DELETE", "/app-passwords/chat");
    await expire(lost.account, true);
    await until(async () => (await profileOf(lost)).status === "expired", "the profile is expired", 30);
    await other.say("goes");
    await other.hear("comes");
  });
});

describe("a log that has forgotten", () => {
  for (const down of [false, true])
    test(`loses nothing and doubles nothing, ${down ? "with the server down" : "with the server up"}`, async () => {
      const talk = await w.bluesky.talk();
      const newcomer = await w.bluesky.makeAccount();
      const written = [await talk.hear("known"), await talk.hear("known, too")].map((m) => ({ id: m.external_id }));
      const sent = [await talk.say("known here")];
      if (down) await w.server.stop();
      else await w.bluesky.fault(talk.account, { on: "getLog", kind: "status", status: 503, description: "away", count: -1 });
      for (const text of ["missed", "by", "the log"]) written.push(await talk.write(text));
      const own = (await as(talk.account, "POST", "/messages", { to: talk.person.did, text: "from the app" })).message;
      const first = (await as(newcomer, "POST", "/messages", { to: talk.account.did, text: "Who is there?" })).message;
      await as(talk.account, "DELETE", "/log");
      if (down) await w.serve();
      else await clear();

      await heardOf(talk, [...written]);
      const mine = await talk.find(own.id, undefined, 30);
      assert.deepEqual([mine.direction, mine.status], ["outbound", "published"]);
      const chat = await until(async () => (await w.api.get(`/api/profiles/${talk.profile.id}/chats`)).data.find((c) => c.participant_external_id === newcomer.did), "the newcomer's chat is here", 30);
      const [theirs] = (await w.api.get(`/api/chats/${chat.id}/messages`)).data;
      assert.equal(theirs.external_id, first.id);
      const later = await talk.write("later");
      await heardOf(talk, [...written, later]);
      await until(() => ear.of("message.received", (data) => data.message.id === theirs.id).length === 1, "it is told of");
      assert.deepEqual(told("message.sent", talk), [sent[0].id, mine.id]);
      assert.equal((await talk.list()).length, 1 + written.length + 2 + 1);
    });
});

describe("a service that is away", () => {
  for (const [name, order] of Object.entries({
    "connections cut before": { kind: "cut_before" },
    "connections cut after": { kind: "cut_after" },
    "503": { kind: "status", status: 503, description: "NotEnoughResources: come back later" },
    "a proxy's page": { kind: "html", status: 502 },
    "what is no JSON": { kind: "garbage" },
  }))
    test(`${name}: then everything arrives, once and in order`, async () => {
      const talk = await w.bluesky.talk();
      await w.bluesky.fault(talk.account, { on: "*", count: -1, ...order });
      const messages = await sendAll(talk, ["one", "two", "three"]);
      const written = [];
      for (const text of ["are", "you", "there"]) written.push(await talk.write(text));
      const waiting = await talk.reaches(messages[0], "failed_waiting_for_retry");
      assert.ok(waiting.error_message.length > 5);
      assert.equal((await profileOf(talk)).status, "active");
      await clear();
      await accountFor(talk, messages);
      await heardOf(talk, written);
      assert.equal((await profileOf(talk)).status_detail, null);
    });
});

describe("a send", () => {
  for (const [name, order] of Object.entries({
    "whose answer is lost": { kind: "cut_after" },
    "whose question is lost": { kind: "cut_before" },
    "answered 500": { kind: "status", status: 500, description: "InternalServerError" },
    "answered 502": { kind: "status", status: 502, description: "UpstreamFailure: Upstream service unreachable" },
    "answered 504": { kind: "status", status: 504, description: "UpstreamTimeout" },
    "answered with a proxy's page": { kind: "html", status: 504 },
    "answered with what is no JSON": { kind: "garbage" },
    "that is slow": { kind: "delay", delay_ms: 200 },
  }))
    test(`${name} arrives once, and the rest in order after it`, async () => {
      const [talk, free] = await chats(2);
      await talk.say("one"); // the same text was there before
      await w.bluesky.fault(talk.account, { on: "sendMessage", count: 2, ...order });
      const messages = await sendAll(talk, ["one", "two", "one", "one", "two"]);
      const published = [];
      for (const message of messages) published.push(await talk.reaches(message, "published", 30));
      assert.deepEqual(await talk.got(), ["one", "one", "two", "one", "one", "two"]);
      assert.equal(new Set(published.map((m) => m.external_id)).size, 5);
      for (const message of published) assert.ok(!message.platform_data?.possible_duplicate, JSON.stringify(message));
      await talk.hear("settled");
      assert.deepEqual((await talk.list("direction=outbound")).map((m) => m.body).toReversed(), ["one", "one", "two", "one", "one", "two"]);
      await free.say("others go on");
    });

  test("that begins a conversation arrives once, whatever is lost", async () => {
    const talk = await w.bluesky.silence();
    for (const kind of ["cut_after", "cut_before", "garbage"]) await w.bluesky.fault(talk.account, { on: "getConvoForMembers", kind });
    await w.bluesky.fault(talk.account, { on: "sendMessage", kind: "cut_after" });
    const message = await talk.say("Good day");
    talk.chat = await talk.readChat();
    assert.deepEqual((await talk.onBluesky()).map((m) => m.id), [message.external_id]);
    assert.deepEqual(await talk.got(), ["Good day"]);
  });

  test("whose answer is lost in a crash arrives once", async () => {
    const talk = await w.bluesky.talk();
    for (let n = 0; n < 3; n++) {
      await w.bluesky.fault(talk.account, { on: "sendMessage", kind: "cut_after" });
      const message = await talk.send("again");
      await until(async () => (await w.bluesky.callsOf(talk.account, "sendMessage")).length > n, "it is with the platform");
      await w.server.kill();
      await w.serve();
      await talk.reaches(message, "published", 30);
      assert.deepEqual(await talk.got(), Array(n + 1).fill("again"));
    }
    assert.equal((await talk.list("direction=outbound")).length, 3);
  });

  test("is told apart from others though the platform's clock is ahead", async () => {
    const talk = await w.bluesky.talk();
    await w.sandbox.advance(3600000);
    const first = await talk.say("ok");
    assert.ok(Date.parse(first.external_posted_at) > Date.now() + 3500000, "the time is the platform's");
    await w.bluesky.fault(talk.account, { on: "sendMessage", kind: "cut_before" });
    const second = await talk.say("ok");
    await w.bluesky.fault(talk.account, { on: "sendMessage", kind: "cut_after" });
    const third = await talk.say("ok");
    assert.deepEqual(await talk.got(), ["ok", "ok", "ok"]);
    assert.equal(new Set([first, second, third].map((m) => m.external_id)).size, 3);
  });
});

test("times are the platform's, however strange", async () => {
  const talk = await w.bluesky.talk();
  for (const [sent_at, posted] of [
    ["2024-02-29T23:59:59.5Z", "2024-02-29T23:59:59.500Z"],
    ["2026-01-01T01:30:00.123456+02:00", "2025-12-31T23:30:00.123Z"],
    ["2031-07-01T12:00:00Z", null],
  ]) {
    const before = new Date().toISOString();
    const { message } = await as(talk.person, "POST", "/messages", { to: talk.account.did, text: sent_at, sent_at });
    const { external_posted_at } = await talk.find(message.id);
    if (posted) assert.equal(external_posted_at, posted);
    else assert.ok(external_posted_at >= before && external_posted_at <= new Date().toISOString(), "what is still to come is from now");
    const { last_inbound_at } = await talk.readChat(); // that of the greeting may be later, by the sandbox's clock
    assert.ok(last_inbound_at >= external_posted_at && last_inbound_at < "2031");
  }
});

describe("kill -9, again and again", () => {
  const ROUNDS = { asan: 4, tsan: 3, cov: 4 }[process.env.PARLEY_TEST_MODE] ?? 12;
  const PER_ROUND = 10; // messages of one chat, each way
  const chance = startChance();
  const troubles = [
    ...["cut_before", "cut_after", "garbage"].flatMap((kind) => ["sendMessage", "getLog"].map((on) => ({ on, kind, count: 2 }))),
    { on: "sendMessage", kind: "delay", delay_ms: 40, count: 8 },
    { on: "sendMessage", kind: "html", status: 502, count: 2 },
    { on: "getLog", kind: "delay", delay_ms: 40, count: 4 },
    { on: "getMessages", kind: "cut_after", count: 1 },
    { on: "getConvo", kind: "cut_after", count: 1 },
  ];
  const numberOf = (body) => Number(body.split(" ").at(-1));
  let loads;

  /** One chat; `keyed` clients repeat a request with its Idempotency-Key until it is answered, others do not know. */
  const load = (talk, name, keyed) => ({ talk, name, keyed, accepted: new Map(), unclear: new Set(), heard: [], next: 0 });

  async function post({ talk, keyed, accepted, unclear }, body) {
    try {
      const answer = await talk.api.ask("POST", talk.messagesPath, { json: { body }, headers: keyed ? { "Idempotency-Key": body } : {} });
      if (answer.status === 202) accepted.set(body, answer.json.id);
      else assert.ok(answer.status === 503 || (keyed && answer.status === 409), answer.text);
      return answer.status === 202;
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // fetch found no answer
      if (!keyed && error.cause?.code !== "ECONNREFUSED") unclear.add(body);
      return false;
    }
  }

  async function sends(one, round) {
    for (let n = 0; n < PER_ROUND && !round.over; n++) {
      const body = `${one.name} ${one.next++}`;
      let taken = await post(one, body);
      while (one.keyed && !taken) {
        await until(() => !round.over || round.isBack, "the server is back", 60);
        taken = await post(one, body);
      }
      round.accepted += taken;
    }
  }

  async function hears(one, round) {
    for (let n = 0; n < PER_ROUND && !round.over; n++) one.heard.push(await one.talk.write(`${one.name} hears ${one.heard.length}`));
  }

  async function crash(accounts) {
    const round = { over: false, isBack: false, accepted: 0 };
    const enough = 1 + chance.below(loads.length * PER_ROUND * 0.8);
    if (chance.happens(0.7)) await w.bluesky.fault(chance.pick(accounts), chance.pick(troubles));
    const work = Promise.all(loads.flatMap((one) => [sends(one, round), hears(one, round)]));
    await Promise.race([until(() => round.accepted >= enough, "there is load", 60), work]);
    await w.server.kill();
    round.over = true;
    await w.serve();
    round.isBack = true;
    await work;
  }

  test("nothing is lost, nothing is doubled, all is in order and told of", { timeout: 300000 }, async (t) => {
    t.diagnostic(`PARLEY_TEST_SEED=${chance.seed}`);
    const accounts = [await w.bluesky.account(), await w.bluesky.account()];
    loads = [];
    for (let n = 0; n < 4; n++) loads.push(load(await w.bluesky.talk({ account: accounts[n % 2] }), `chat ${n}`, n >= 2));
    for (let n = 0; n < ROUNDS; n++) {
      if (n === ROUNDS >> 1) for (const account of accounts) await expire(account);
      await crash(accounts);
    }
    await clear();
    for (const one of loads) await one.talk.hear("the end");
    for (const { talk, name } of loads)
      for (const status of ["pending", "failed_waiting_for_retry"])
        await until(async () => (await w.api.get(`${talk.messagesPath}?status=${status}`)).total === 0, `nothing of ${name} is ${status}`, 90);
    const sum = (fn) => loads.reduce((total, one) => total + fn(one), 0);
    t.diagnostic(`${sum((one) => one.accepted.size)} accepted, ${sum((one) => one.unclear.size)} unclear, ${sum((one) => one.heard.length)} heard`);
    assert.ok(sum((one) => one.accepted.size) >= ROUNDS * 2 && sum((one) => one.heard.length) >= ROUNDS, "there was no load");

    for (const { talk, name, accepted, unclear, heard } of loads) {
      const { data, total } = await wholeList(w.api, `${talk.messagesPath}?direction=outbound`);
      const known = new Map(data.map((m) => [m.body, m]));
      assert.deepEqual([total, known.size], [data.length, data.length], `${name}: something is doubled: ${data.map((m) => m.body)}`);
      for (const [body, id] of accepted) assert.equal(known.get(body)?.id, id, body);
      for (const message of data) {
        assert.equal(message.status, "published", message.body);
        assert.ok(accepted.has(message.body) || unclear.has(message.body), message.body);
      }
      const there = (await talk.onBluesky()).filter((m) => m.direction === "out");
      assert.deepEqual(there.map((m) => m.text), [...known.keys()].toSorted((a, b) => numberOf(a) - numberOf(b)), `${name}, as the person sees it`);
      for (const { id, text } of there) assert.equal(known.get(text).external_id, id, text);

      const inbound = await wholeList(w.api, `${talk.messagesPath}?direction=inbound`);
      assert.deepEqual(inbound.data.map((m) => m.external_id).toReversed().slice(1, -1), heard.map((m) => m.id), name);
      assert.equal(inbound.total, heard.length + 2, name);
      for (const [type, list] of [["message.sent", data], ["message.received", inbound.data]]) {
        await until(() => new Set(told(type, talk)).size >= list.length, `${name}: ${type}`, 30);
        assert.deepEqual(told(type, talk).toSorted(), list.map((m) => m.id).toSorted(), `${name}: ${type}`);
      }
    }
    for (const account of accounts) assert.equal((await counts(account)).logins, 1);
  });
});

test("after the 429 all goes out, in order, over all crashes meanwhile", { timeout: 120000 }, async () => {
  const { talk, messages } = slow;
  await accountFor(talk, messages);
  const calls = await w.bluesky.callsOf(talk.account, "sendMessage");
  assert.deepEqual(calls.map((call) => call.status === 429), [true, ...calls.slice(1).map(() => false)]);
  assert.ok(Date.parse(calls[1].at) - Date.parse(calls[0].at) >= 20000, "it was waited");
  await heardOf(slow.polled, slow.written);
});
