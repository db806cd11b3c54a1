// Waiting when told to, keeping the platform's pace, losing and getting back a token, and others who use the same bot.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { startHook } from "./lib/sandbox.js";
import { startEar } from "./lib/trouble.js";
import { until } from "./lib/until.js";
import { world } from "./lib/world.js";

const at = (call) => Date.parse(call.at);
const toChat = (calls, talk) => calls.filter((call) => String(call.params.chat_id) === String(talk.person.id));
const sent = async (talk) => toChat(await talk.calls("sendMessage"), talk);
const outTexts = async (talk) => (await talk.onTelegram()).filter((m) => m.direction === "out").map((m) => m.text);

/** Nothing was asked earlier than the last answer allowed. */
function assertObeyed(calls) {
  for (const [n, call] of calls.entries()) {
    if (call.status !== 429 || n + 1 === calls.length) continue;
    const wait = at(calls[n + 1]) - at(call);
    assert.ok(wait >= call.retry_after * 1000, `asked again after ${wait} ms, told to wait ${call.retry_after} s`);
  }
}

async function sendAll(talk, bodies) {
  const messages = [];
  for (const body of bodies) messages.push(await talk.send(body));
  return messages;
}

async function allPublished(talk, messages) {
  const published = [];
  for (const message of messages) published.push(await talk.reaches(message, "published", 60));
  assert.deepEqual(await outTexts(talk), messages.map((m) => m.body));
  for (const message of published) assert.ok(!message.platform_data?.possible_duplicate, message.body);
  return published;
}

describe("429", () => {
  const w = world();

  test("holds the chat as long as it says, and no other chat", async () => {
    const bot = await w.bot();
    const [told, free] = [await w.talk({ bot }), await w.talk({ bot })];
    await told.fault({ on: "sendMessage", chat: told.person.id, kind: "rate_limit", retry_after: 3 });
    const messages = await sendAll(told, ["one", "two"]);
    const waiting = await told.reaches(messages[0], "failed_waiting_for_retry");
    assert.match(waiting.error_message, /Too Many Requests/);
    messages.push(await told.send("three"));
    await free.say("at once");
    const calls = await sent(told);
    assert.equal(calls.length, 1, "it was not waited");
    await allPublished(told, messages);
    const all = await sent(told);
    assert.deepEqual(all.map((call) => [call.status, call.params.text]), [[429, "one"], [200, "one"], [200, "two"], [200, "three"]]);
    assertObeyed([{ ...all[0], retry_after: 3 }, all[1]]);
  });

  test("is remembered over a crash", async () => {
    const talk = await w.talk();
    await talk.fault({ on: "sendMessage", kind: "rate_limit", retry_after: 3 });
    const messages = [await talk.send("one")];
    await talk.reaches(messages[0], "failed_waiting_for_retry");
    await w.server.kill();
    await w.serve();
    messages.push(await talk.send("two"));
    await allPublished(talk, messages);
    const all = await sent(talk);
    assert.equal(all.length, 3);
    assertObeyed([{ ...all[0], retry_after: 3 }, all[1]]);
  });

  test("told to two chats at once holds the account", async () => {
    const bot = await w.bot();
    const talks = [await w.talk({ bot }), await w.talk({ bot }), await w.talk({ bot })];
    for (let attempt = 0; ; attempt++) {
      for (const talk of talks.slice(0, 2)) await talk.fault({ on: "sendMessage", chat: talk.person.id, kind: "rate_limit", retry_after: 3 });
      const told = await Promise.all(talks.slice(0, 2).map((talk) => talk.send(`told ${attempt}`)));
      for (const [n, message] of told.entries()) await talks[n].reaches(message, "failed_waiting_for_retry");
      const third = await talks[2].send(`third ${attempt}`);
      await talks[2].reaches(third, "published", 30);
      for (const [n, message] of told.entries()) await talks[n].reaches(message, "published", 30);
      const refusals = (await talks[0].calls("sendMessage")).filter((call) => call.status === 429).slice(-2).map(at);
      const thirdAt = at((await sent(talks[2])).at(-1));
      if (Math.abs(refusals[1] - refusals[0]) > 700 && attempt < 5) continue; // this machine is slow; they were not told at once
      assert.ok(thirdAt >= Math.max(...refusals) + 3000, `the third was sent ${thirdAt - Math.max(...refusals)} ms after the refusals`);
      break;
    }
  });

  test("is obeyed in a flood that the platform slows down", async () => {
    const bot = await w.bot();
    const talks = [await w.talk({ bot }), await w.talk({ bot })];
    await w.sandbox.control("POST", "/settings", { telegram: { per_chat_per_second: 1, per_bot_per_second: 30, burst: 2 } });
    try {
      const bodies = Array.from({ length: 5 }, (_, n) => `number ${n}`);
      const messages = await Promise.all(talks.map((talk) => sendAll(talk, bodies)));
      for (const [n, talk] of talks.entries()) {
        await allPublished(talk, messages[n]);
        const calls = await sent(talk);
        assert.ok(calls.some((call) => call.status === 429), "nothing was slowed down");
        assertObeyed(calls.map((call) => ({ ...call, retry_after: 1 })));
      }
    } finally {
      await w.sandbox.control("POST", "/settings", { telegram: { per_chat_per_second: 0, per_bot_per_second: 0 } });
    }
  });
});

describe("the pace", () => {
  const w = world({ env: { PARLEY_PACE: "yes" } });

  // A slow machine may deliver late, so only the last arrival counts from before the first was accepted: it has a lower bound.
  test("of a chat is one a second, after a burst of three", async () => {
    const talk = await w.talk();
    const from = Date.now();
    const messages = await sendAll(talk, ["1", "2", "3", "4", "5", "6"]);
    await allPublished(talk, messages);
    const calls = await sent(talk);
    for (let n = 3; n < calls.length; n++)
      assert.ok(at(calls[n]) - from >= (n - 2) * 1000 - 10, `number ${n + 1} after ${at(calls[n]) - from} ms`);
    assert.ok(calls.every((call) => call.status === 200));
  });

  test("of a bot is thirty a second, and chats share it", async () => {
    const bot = await w.bot();
    const talks = await Promise.all(Array.from({ length: 24 }, () => w.talk({ bot })));
    const from = Date.now();
    const messages = await Promise.all(talks.map((talk) => sendAll(talk, ["1", "2", "3"])));
    for (const [n, talk] of talks.entries()) await allPublished(talk, messages[n]);
    const calls = await talks[0].calls("sendMessage");
    assert.equal(calls.length, talks.length * 3);
    const took = at(calls.at(-1)) - from;
    assert.ok(took >= ((calls.length - 5) / 30) * 1000 - 10, `${calls.length} messages in ${took} ms`);
  });

  test("of one bot is not another's", async () => {
    const [busy, other] = [await w.talk(), await w.talk()];
    const messages = await sendAll(busy, ["1", "2", "3", "4", "5"]);
    await other.say("at once");
    assert.equal((await busy.api.get(`/api/messages/${messages[4].id}`)).status, "pending");
    await allPublished(busy, messages);
  });
});

for (const webhook of [true, false])
  describe(`a token revoked in the middle, ${webhook ? "with a webhook" : "polling"}`, () => {
    const w = world({ webhook, env: { PARLEY_ALLOW_PRIVATE_ADDRESSES: "127.0.0.0/8", PARLEY_RETRY_AFTER: Array(16).fill("200ms").join(",") } });
    let ear;
    before(async () => {
      ear = await startEar();
      await w.api.post("/api/webhooks", { url: ear.url, events: ["*"] });
    });
    after(() => ear.stop());

    test("everything waits, and goes out in order after the account is connected again", async () => {
      const bot = await w.bot();
      const talks = [await w.talk({ bot }), await w.talk({ bot }), await w.talk({ bot })];
      const [profile, stuck] = [talks[0].profile, talks.slice(0, 2)];
      for (const talk of stuck) await talk.fault({ on: "sendMessage", chat: talk.person.id, kind: "status", status: 429, count: -1 });
      const bodies = ["one", "two", "three"];
      const queued = await Promise.all(stuck.map((talk) => sendAll(talk, bodies)));
      for (const [n, talk] of stuck.entries()) await talk.reaches(queued[n][0], "failed_waiting_for_retry");
      const { token } = await w.sandbox.control("POST", `/telegram/bots/${bot.id}/revoke`);
      w.secrets.push(token);
      await w.sandbox.control("DELETE", "/faults");

      const expired = await until(async () => {
        const now = await w.api.get(`/api/profiles/${profile.id}`);
        return now.status === "expired" && now;
      }, "the profile is expired", 30);
      assert.match(expired.status_detail, /Unauthorized/);
      assert.match(await talks[2].refusal({ body: "No more" }), /^422 .*(Unauthorized|credentials|connect)/);
      for (const [n, talk] of stuck.entries())
        for (const message of queued[n]) {
          const { error_message } = await talk.reaches(message, "failed_waiting_for_retry");
          if (message !== queued[n][0]) assert.match(error_message, /Unauthorized/); // the first has a story of its own
        }
      const told = () => ear.of("profile.disconnected", (data) => data.id === profile.id);
      await until(() => told().length > 0, "profile.disconnected");
      assert.equal(told()[0].data.status, "expired");

      await w.server.kill(); // and it is no matter how long it takes
      await w.serve();
      const calls = (await talks[0].calls()).length;
      assert.equal((await w.api.get(`/api/profiles/${profile.id}`)).status, "expired");
      for (const [n, talk] of stuck.entries())
        for (const message of queued[n]) assert.equal((await w.api.get(`/api/messages/${message.id}`)).status, "failed_waiting_for_retry");
      assert.equal((await talks[0].calls()).length, calls, "the platform is asked with a token that is no good");

      assert.equal((await w.connect({ ...bot, token })).id, profile.id);
      const active = await w.api.get(`/api/profiles/${profile.id}`);
      assert.deepEqual([active.status, active.status_detail], ["active", null]);
      for (const [n, talk] of stuck.entries()) {
        await allPublished(talk, queued[n]);
        assert.equal((await talk.list("status=failed_waiting_for_retry")).length, 0);
        assert.equal((await talk.list("status=published")).length, bodies.length);
      }
      assert.equal((await talks[2].say("as before")).status, "published");
      assert.equal((await talks[2].hear("as before")).body, "as before");
      await until(() => ear.of("profile.connected", (data) => data.id === profile.id).length === 2, "profile.connected");
      assert.equal(told().length, 1);
      for (const talk of stuck) {
        const order = ear.of("message.sent", ({ message }) => message.chat_id === talk.chat.id).map(({ data }) => data.message.body);
        assert.deepEqual(order, bodies.slice(0, order.length));
      }
    });

    test("the other accounts go on", async () => {
      const [lost, other] = [await w.talk(), await w.talk()];
      await lost.fault({ on: "sendMessage", kind: "status", status: 429, count: -1 });
      const message = await lost.send("waits");
      await lost.reaches(message, "failed_waiting_for_retry");
      const { token } = await w.sandbox.control("POST", `/telegram/bots/${lost.bot.id}/revoke`);
      w.secrets.push(token);
      await w.sandbox.control("DELETE", "/faults");
      await until(async () => (await w.api.get(`/api/profiles/${lost.profile.id}`)).status === "expired", "the profile is expired", 30);
      await lost.reaches(message, "failed_waiting_for_retry");
      await other.say("goes");
      await other.hear("comes");
      await w.connect({ ...lost.bot, token });
      await lost.reaches(message, "published");
    });
  });

describe("another program with the same bot", () => {
  const pushed = world();
  const polled = world({ webhook: false });
  let elsewhere;
  before(async () => (elsewhere = await startHook()));
  after(() => elsewhere.stop());

  const detail = (w, profile) => w.api.get(`/api/profiles/${profile.id}`).then((now) => now.status_detail);

  test("that takes the webhook is named by doctor and in the profile, until it is connected again", async () => {
    const w = pushed;
    const talk = await w.talk();
    await until(async () => (await w.sandbox.call("setWebhook", { url: elsewhere.url }, talk.bot.token)).ok, "Telegram lets the webhook be set");
    const doctor = await w.command(["doctor"]);
    assert.equal(doctor.code, 1, doctor.stdout);
    const line = doctor.stdout.split("\n").find((said) => said.includes(talk.profile.id));
    assert.match(line, /^BROKEN .*127\.0\.0\.1.*connect it here again/);
    assert.ok(!doctor.stdout.includes(talk.bot.token));
    await w.server.stop();
    await w.serve(); // it looks at the start and then every hour
    const said = await until(() => detail(w, talk.profile), "the profile says so");
    assert.match(said, /webhook.*127\.0\.0\.1/);
    assert.equal((await w.api.get(`/api/profiles/${talk.profile.id}`)).status, "active");
    assert.equal((await talk.say("sending works all the same")).status, "published");
    await w.connect(talk.bot);
    assert.equal(await detail(w, talk.profile), null);
    assert.equal((await talk.hear("here again")).body, "here again");
    const healthy = await w.command(["doctor"]);
    assert.match(healthy.stdout, new RegExp(`ok .*${talk.profile.id}`));
  });

  test("that deletes the webhook is named too", async () => {
    const w = pushed;
    const talk = await w.talk();
    await until(async () => (await w.sandbox.call("deleteWebhook", {}, talk.bot.token)).ok, "Telegram lets the webhook be deleted");
    const doctor = await w.command(["doctor"]);
    assert.match(doctor.stdout, new RegExp(`BROKEN .*${talk.profile.id}.*no webhook`));
    await w.connect(talk.bot);
  });

  test("that polls, or sets a webhook while we poll, is named; when it stops, all goes on by itself", async () => {
    const w = polled;
    const [polls, hooks] = [await w.talk(), await w.talk()];
    const [pollsWritten, hooksWritten] = [[], []];
    await until(async () => (await w.sandbox.call("setWebhook", { url: elsewhere.url }, hooks.bot.token)).ok, "Telegram lets the webhook be set");
    // The other program asks all the time, as one with a loop of its own would, and takes nothing.
    let others = true;
    const loop = (async () => {
      while (others) await w.sandbox.call("getUpdates", { timeout: 50 }, polls.bot.token);
    })();
    assert.match(await until(() => detail(w, polls.profile), "the profile says that another polls", 30), /Another program polls/);
    assert.match(await until(() => detail(w, hooks.profile), "the profile says that there is a webhook", 30), /webhook/i);
    others = false;
    for (const text of ["while away", "still away"]) pollsWritten.push((await polls.write(text)).message_id); // ends the other's last poll
    await loop;
    await until(async () => (await w.sandbox.call("deleteWebhook", {}, hooks.bot.token)).ok, "Telegram lets the webhook be deleted");
    for (const text of ["while away", "still away"]) hooksWritten.push((await hooks.write(text)).message_id);
    for (const [talk, written] of [[polls, pollsWritten], [hooks, hooksWritten]]) {
      await until(async () => (await talk.list("direction=inbound")).length >= written.length + 1, "it polls again", 75);
      const ids = (await talk.list("direction=inbound")).map((m) => m.external_id);
      for (const id of written) assert.ok(ids.includes(String(id)));
      await until(async () => (await detail(w, talk.profile)) === null, "the profile is well again");
    }
  });
});
