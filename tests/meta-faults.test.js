// Messenger and Instagram in trouble: tokens that die, limits, errors of every class, answers that get lost, crashes.
// What Meta has is counted on its side: everything accepted is there once, in order.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";

import { FLAVOURS, metaSettings } from "./lib/meta.js";
import { png } from "./lib/sandbox.js";
import { startChance, startLine, wholeList } from "./lib/trouble.js";
import { slowness, until } from "./lib/until.js";
import { World, world } from "./lib/world.js";

const often = (wait) => Array(16).fill(wait).join(",");
const env = { PARLEY_ALLOW_PRIVATE_ADDRESSES: "127.0.0.0/8", PARLEY_RETRY_AFTER: often("100ms") };
const ready = ({ meta }) => meta.setCallback();
const picture = `data:image/png;base64,${png(20, 10).toString("base64")}`;

const speaker = ({ account }) => account.page ?? account.id;
const fault = (talk, order) => talk.world.sandbox.fault({ platform: "meta", on: "messages", bot: speaker(talk), ...order });
const noFaults = (w) => w.sandbox.control("DELETE", "/faults");
const asked = (talk, operation = "messages") => talk.meta.calls(`?account=${speaker(talk)}&operation=${operation}`);
const status = async (talk) => (await talk.api.get(`/api/profiles/${talk.profile.id}`)).status;
const nameOf = (message) => message.body ?? message.text ?? "a picture";
const outOnMeta = async (talk) => (await talk.onMeta()).filter((m) => m.direction === "out");
const events = async (w, type) => (await w.api.get(`/api/events?limit=1000&types=${type}`)).data;

async function sendAll(talk, bodies) {
  const messages = [];
  for (const body of bodies) messages.push(await talk.send(body));
  return messages;
}

/** All of them are published, Meta has each once, in order, and nothing else since `from`. */
async function allThere(talk, messages, from = 0) {
  const published = [];
  for (const message of messages) published.push(await talk.reaches(message, "published", 60));
  const there = (await outOnMeta(talk)).slice(from);
  assert.deepEqual(there.map(nameOf), messages.map(nameOf));
  assert.deepEqual(published.map((m) => m.external_id), there.map((m) => m.mid));
  return published;
}

/** And here: no second message came of an echo, and each was told of once. What the person now says comes after all echoes. */
async function onceHere(talk, messages) {
  await talk.hear("And now?", undefined);
  const here = await talk.list("per_page=100&direction=outbound");
  assert.deepEqual(here.map((m) => m.id).toSorted(), messages.map((m) => m.id).toSorted());
  const sent = (await events(talk.world, "message.sent")).map(({ data }) => data.message.id);
  for (const { id } of messages) assert.equal(sent.filter((one) => one === id).length, 1, "message.sent");
}

const resting = [];
const slow = world({ env, ready }); // until the last test of this file, which looks what a minute's rest came to
describe("told to wait a minute", () => {
  const w = slow;
  test("by a limit with a time, or by usage headers at 100 %: the account rests, others do not", async () => {
    for (const [n, flavour] of FLAVOURS.entries()) {
      const account = await w.meta.account(flavour);
      const [talk, other] = [await w.meta.talk(flavour, { account }), await w.meta.talk(flavour, { account })];
      const byUsage = n === 1;
      const messages = [];
      if (byUsage) await w.sandbox.control("POST", "/settings", { meta: { usage: 100 } });
      else await fault(talk, { kind: "rate_limit", retry_after: 30 });
      messages.push(await talk.send("one"));
      if (byUsage) await talk.reaches(messages[0], "published");
      else assert.match((await talk.reaches(messages[0], "failed_waiting_for_retry")).error_message, /too many calls/);
      await w.sandbox.control("POST", "/settings", { meta: { usage: -1 } });
      messages.push(await talk.send("two"));
      const others = [await other.send("of another chat")];
      const since = Date.parse((await asked(talk)).at(-1).at);
      resting.push({ talk, other, messages, others, since, minutes: byUsage ? 10 : 1 });
    }
    const free = await w.meta.talk(FLAVOURS[0]);
    await allThere(free, await sendAll(free, ["1", "2", "3"]));
    for (const { talk, other } of resting) {
      assert.equal((await asked(talk)).length, 1, "it did not rest");
      assert.equal((await other.list("direction=outbound"))[0].status, "pending");
      assert.equal(await status(talk), "active");
    }
  });

  test("usage at 95 % is a short rest", async () => {
    const talk = await w.meta.talk(FLAVOURS[0]);
    await w.sandbox.control("POST", "/settings", { meta: { usage: 95 } });
    const first = await talk.say("one");
    await w.sandbox.control("POST", "/settings", { meta: { usage: -1 } });
    await allThere(talk, [first, await talk.send("two")]);
    const [one, two] = await asked(talk);
    const rest = Date.parse(two.at) - Date.parse(one.at);
    assert.ok(rest > 1000, `after ${rest} ms`);
  });
});

const RETIRED = [["revoke", {}, "190/460"], ["revoke", { subcode: 492 }, "190/492"], ["expire", {}, "190/463"]];
describe("a token that dies", () => {
  const w = world({ env, ready });
  for (const [n, flavour] of FLAVOURS.entries())
    test(`${flavour}, ${RETIRED[n][2]}: all waits, and goes out in order after a reconnect`, async () => {
      const account = await w.meta.account(flavour);
      const talks = [await w.meta.talk(flavour, { account }), await w.meta.talk(flavour, { account }), await w.meta.talk(flavour, { account })];
      const { profile } = talks[0];
      const stuck = talks.slice(0, 2);
      for (const talk of stuck)
        await fault(talk, { chat: talk.chat.participant_external_id, kind: "status", status: 500, code: 2, subcode: 1545133, count: -1 });
      const queued = await Promise.all(stuck.map((talk) => sendAll(talk, ["one", "two", { media: [picture] }])));
      for (const [i, talk] of stuck.entries()) await talk.reaches(queued[i][0], "failed_waiting_for_retry");
      const [how, body] = RETIRED[n];
      await w.meta.control("POST", `/accounts/${speaker(talks[0])}/${how}`, body);
      await noFaults(w);

      const expired = await until(async () => {
        const now = await w.api.get(`/api/profiles/${profile.id}`);
        return now.status === "expired" && now;
      }, "the profile is expired", 30);
      assert.match(expired.status_detail, how === "expire" ? /expired/i : /access token|session/i);
      assert.match(await talks[2].refusal({ body: "No more" }), /^422 .{15,}/);
      for (const [i, talk] of stuck.entries())
        for (const message of queued[i]) assert.ok((await talk.reaches(message, "failed_waiting_for_retry")).error_message);
      const lost = () => events(w, "profile.disconnected").then((all) => all.filter(({ data }) => data.id === profile.id));
      assert.deepEqual((await lost()).map(({ data }) => data.status), ["expired"]);

      await w.server.kill();
      await w.serve();
      const calls = (await asked(talks[0])).length;
      assert.equal(await status(talks[0]), "expired");
      assert.equal((await asked(talks[0])).length, calls, "Meta is asked with a token that is no good");

      const { token } = await w.meta.control("POST", `/accounts/${speaker(talks[0])}/tokens`, {});
      w.secrets.push(token);
      assert.equal((await w.meta.connect({ ...account, token })).id, profile.id);
      assert.equal(await status(talks[0]), "active");
      for (const [i, talk] of stuck.entries()) {
        const published = await allThere(talk, queued[i]);
        assert.deepEqual(published.map((m) => m.error_message), [null, null, null]);
        await onceHere(talk, queued[i]);
      }
      await talks[2].say("as before");
      assert.equal((await lost()).length, 1);
    });
});

describe("every error of Meta's", () => {
  const w = world({ env, ready });
  const refuse = (talk, [code, subcode], order) => {
    const description = `(#${code}) In Meta's words ${subcode}`;
    return fault(talk, { kind: "status", status: 400, code, ...(subcode && { subcode }), description, ...order }).then(() => description);
  };
  let talks;
  before(async () => {
    talks = [];
    for (const flavour of FLAVOURS) talks.push(await w.meta.talk(flavour));
  });

  test("that is for good fails at once, in its words, and the next goes", async () => {
    const permanent = [[2, 2018344], [10, 2018108], [10, 2018300], [2018300, 0], [10, 2018336], [100, 0], [100, 33], [100, 2018001], [100, 2018014],
      [100, 2018047], [100, 2018074], [100, 2018109], [100, 2018164], [100, 2534014], [100, 2534015], [100, 2534037], [200, 1545041], [551, 1545041],
      [551, 0], [2022, 0], [2500, 0], [36000, 0], [2018171, 0], [2018234, 0], [100, 2534001], [10900, 0], [10903, 0], [10904, 0], [9000001, 0],
      [10, 2018278], [10, 2018065], [10, 2534022]];
    for (const [n, error] of permanent.entries()) {
      const talk = talks[n % 3];
      const before = (await asked(talk)).length;
      const words = await refuse(talk, error);
      const failed = await talk.reaches(await talk.send("refused"), "failed");
      assert.ok(failed.error_message.includes(words), `${error}: ${failed.error_message}`);
      assert.equal((await asked(talk)).length, before + 1, `${error} was tried again`);
      assert.equal(await status(talk), "active", `${error}`);
    }
    for (const talk of talks) await talk.say("goes");
  });

  test("that is for now is tried again, and the message is there once", async () => {
    const passing = [[1, 0], [1, 99], [2, 0], [2, 1545133], [4, 0], [4, 2018022], [9, 2018352], [17, 0], [32, 0], [613, 0], [613, 2534040],
      [80001, 0], [80002, 0], [80006, 0], [80014, 0], [2018321, 0]];
    for (const [n, error] of passing.entries()) {
      const talk = talks[n % 3];
      const from = (await outOnMeta(talk)).length;
      const words = await refuse(talk, error, { count: 2 });
      const messages = await sendAll(talk, [`first after ${error}`, "second"]);
      await allThere(talk, messages, from);
      const waited = (await events(w, "message.failed_waiting_for_retry")).filter(({ data }) => data.message.id === messages[0].id);
      assert.ok(waited.length >= 1, `${error}: it did not wait`);
      assert.ok(waited[0].data.message.error_message.includes(words), `${error}: ${waited[0].data.message.error_message}`);
      assert.equal(await status(talk), "active", `${error}`);
    }
    for (const talk of talks)
      for (const kind of [
        { kind: "html", status: 503 }, { kind: "html", status: 429 }, { kind: "status", status: 500 }, { kind: "garbage" }, { kind: "cut_before" },
      ]) {
        const from = (await outOnMeta(talk)).length;
        await fault(talk, { count: 2, ...kind });
        await allThere(talk, await sendAll(talk, [`${kind.kind} ${kind.status}`, "next"]), from);
      }
  });

  test("that is about the account's permission stops it until it is connected again", async () => {
    const broken = [[3, 0], [10, 0], [10, 2534077], [100, 2534013], [100, 2534029], [190, 0], [190, 458], [190, 464], [200, 0], [200, 2018028],
      [200, 2534041], [299, 0], [36103, 0]];
    for (const [n, error] of broken.entries()) {
      const talk = talks[n % 3];
      const from = (await outOnMeta(talk)).length;
      const words = await refuse(talk, error);
      const sent = await talk.send("waits");
      const waiting = await talk.reaches(sent, "failed_waiting_for_retry");
      assert.ok(waiting.error_message.includes(words), `${error}: ${waiting.error_message}`);
      const profile = await until(async () => {
        const now = await w.api.get(`/api/profiles/${talk.profile.id}`);
        return now.status === "expired" && now;
      }, `the profile is expired by ${error}`);
      assert.ok(profile.status_detail.includes(words), profile.status_detail);
      await w.meta.connect(talk.account);
      await allThere(talk, [sent], from);
    }
  });

  test("that judges the account fails the message and leaves the account connected", async () => {
    for (const error of [[368, 0], [613, 2018338], [613, 1893016], [10, 1893063]]) {
      const talk = await w.meta.talk(FLAVOURS[0]);
      const words = await refuse(talk, error);
      const failed = await talk.reaches(await talk.send("too much"), "failed");
      assert.ok(failed.error_message.includes(words));
      assert.equal(await status(talk), "active");
    }
  });

  test("of a file that Meta could not fetch: once more, then it fails", async () => {
    for (const talk of talks)
      for (const subcode of [2018008, 2018294]) {
        const from = (await outOnMeta(talk)).length;
        await refuse(talk, [100, subcode]);
        await allThere(talk, [await talk.send({ media: [picture] })], from);
        const words = await refuse(talk, [100, subcode], { count: 2 });
        const failed = await talk.reaches(await talk.send({ media: [picture] }), "failed");
        assert.ok(failed.error_message.includes(words), failed.error_message);
      }
  });
});

describe("the outcome of a send is not known", () => {
  const w = world({ env, ready });
  const accounts = {};
  before(async () => {
    for (const flavour of FLAVOURS) accounts[flavour] = await w.meta.account(flavour);
  });
  /** With a new person each time. */
  const talkOf = (flavour) => w.meta.talk(flavour, { account: accounts[flavour] });
  const ends = {
    "the answer is cut": { kind: "cut_after" },
    "an error is told after it went out": { kind: "cut_after", status: 500, code: 1, subcode: 1357046 },
    "the call is cut before": { kind: "cut_before" },
    "the answer is no JSON": { kind: "garbage" },
    "a proxy's page": { kind: "html", status: 504 },
  };
  for (const flavour of FLAVOURS)
    for (const [name, order] of Object.entries(ends))
      for (const echoes of ["with echoes", "without"])
        test(`${flavour}, ${name}, ${echoes}: sent once`, async () => {
          const talk = await talkOf(flavour);
          if (echoes === "without") await w.meta.control("POST", "/hold");
          try {
            await fault(talk, { count: 2, ...order });
            // The same text twice: one that is found must not be taken for the other.
            const messages = await sendAll(talk, ["again", "again", "and again", { media: [picture] }, { media: [picture] }, "last"]);
            const published = await allThere(talk, messages);
            for (const message of published) assert.equal(message.error_message, null);
            if (echoes === "without") await w.meta.control("POST", "/release");
            await onceHere(talk, messages);
          } finally {
            if (echoes === "without") await w.meta.control("POST", "/release");
          }
        });

  test("files whose answers get lost are sent once", async () => {
    for (const flavour of FLAVOURS)
      for (const hold of [false, true]) {
        const talk = await talkOf(flavour);
        if (hold) await w.meta.control("POST", "/hold");
        await fault(talk, { kind: "cut_after", count: 3 });
        const messages = await sendAll(talk, [{ media: [picture] }, { media: [picture] }, "after them"]);
        await allThere(talk, messages);
        await w.meta.control("POST", "/release");
        await onceHere(talk, messages);
      }
  });

  test("echoes that are cut or come twice change nothing", async () => {
    for (const flavour of FLAVOURS)
      for (const kind of ["cut_before", "cut_after", "duplicate"]) {
        const talk = await talkOf(flavour);
        await w.sandbox.fault({ platform: "meta", on: "webhook", bot: talk.account.id, kind, count: 2 });
        await fault(talk, { kind: "cut_after" });
        const messages = await sendAll(talk, ["one", "two"]);
        await allThere(talk, messages);
        await until(async () => {
          await w.sandbox.advance(5000); // so that Meta delivers again what it could not
          const { callbacks } = await w.meta.control("GET", "/app");
          return Object.values(callbacks).every(({ waiting, under_way }) => waiting + under_way === 0);
        }, "all is delivered");
        await onceHere(talk, messages);
      }
  });

  test("while Meta cannot be asked either, it waits", async () => {
    const talk = await talkOf(FLAVOURS[1]);
    await w.meta.control("POST", "/hold");
    await fault(talk, { on: "conversations", kind: "html", status: 502, count: 3 });
    await fault(talk, { kind: "cut_after" });
    const messages = await sendAll(talk, ["one", "two"]);
    await allThere(talk, messages);
    assert.ok((await asked(talk, "conversations")).length >= 4, "it did not look");
    await w.meta.control("POST", "/release");
    await onceHere(talk, messages);
  });

  test("a private reply whose answer gets lost is sent once", async () => {
    for (const flavour of FLAVOURS)
      for (const hold of [false, true]) {
        const account = accounts[flavour];
        const person = await w.meta.makePerson();
        const post = await w.meta.control("POST", `/accounts/${account.id}/posts`, { text: "New bowls" });
        const { comment } = await w.meta.control("POST", `/accounts/${account.id}/posts/${post.id}/comments`, { user: person.id, text: "How much?" });
        const path = `/api/posts/${encodeURIComponent(post.id)}/comments/${encodeURIComponent(comment.id)}`;
        await until(async () => (await w.api.ask("GET", `${path}?profile_id=${account.profile.id}`)).status === 200, "the comment is here");
        if (hold) await w.meta.control("POST", "/hold");
        await w.sandbox.fault({ platform: "meta", on: "messages", bot: account.page ?? account.id, kind: "cut_after" });
        const sent = await w.api.post(`${path}/private_reply?profile_id=${account.profile.id}`, { text: "48 EUR" }, { status: 202 });
        const published = await until(async () => {
          const now = await w.api.get(`/api/messages/${sent.id}`);
          assert.notEqual(now.status, "failed", now.error_message);
          return now.status === "published" && now;
        }, `${flavour}: the reply is published`);
        await w.meta.control("POST", "/release");
        const { data } = await w.meta.control("GET", `/accounts/${account.id}/chats/${person.id}/messages`);
        assert.deepEqual(data.map((m) => [m.direction, m.text, m.mid]), [["out", "48 EUR", published.external_id]]);
      }
  });
});

describe("the line to Meta", () => {
  // Sixteen tries at most: time enough for a line that comes back.
  const w = new World({ env: { ...env, PARLEY_RETRY_AFTER: often("400ms") } });
  let line;
  before(async () => {
    await w.start();
    line = await startLine(() => Number(new URL(w.sandbox.url).port));
    await w.server.stop();
    await w.serve(metaSettings(line.url));
    await w.meta.setCallback();
  });
  after(async () => {
    await w.stop();
    await line?.stop();
  });

  for (const flavour of FLAVOURS) {
    test(`${flavour}: down for a while, all waits and then goes, once and in order`, async () => {
      const account = await w.meta.account(flavour);
      const talks = [await w.meta.talk(flavour, { account }), await w.meta.talk(flavour, { account })];
      await line.down();
      const sent = await Promise.all(talks.map((talk) => sendAll(talk, ["one", "two", { media: [picture] }, "three"])));
      for (const [n, talk] of talks.entries())
        assert.match((await talk.reaches(sent[n][0], "failed_waiting_for_retry")).error_message, /Meta could not be reached/);
      assert.equal(await status(talks[0]), "active");
      await line.up();
      for (const [n, talk] of talks.entries()) await allThere(talk, sent[n]);
      for (const [n, talk] of talks.entries()) await onceHere(talk, sent[n]);
    });

    test(`${flavour}: down while answers were on their way`, async () => {
      const account = await w.meta.account(flavour);
      const talks = [await w.meta.talk(flavour, { account }), await w.meta.talk(flavour, { account })];
      line.hold();
      const sent = await Promise.all(talks.map((talk) => sendAll(talk, ["one", "two"])));
      await until(async () => (await Promise.all(talks.map(outOnMeta))).every((there) => there.length === 1), "Meta has the first ones");
      await line.down();
      for (const [n, talk] of talks.entries())
        await until(async () => (await w.api.get(`/api/messages/${sent[n][0].id}`)).status !== "pending", "it noticed");
      await line.up();
      for (const [n, talk] of talks.entries()) await allThere(talk, sent[n]);
      for (const [n, talk] of talks.entries()) await onceHere(talk, sent[n]);
    });

    test(`${flavour}: slow for one chat, not for another`, async () => {
      const account = await w.meta.account(flavour);
      const [slowly, quickly] = [await w.meta.talk(flavour, { account }), await w.meta.talk(flavour, { account })];
      await fault(slowly, { chat: slowly.chat.participant_external_id, kind: "delay", delay_ms: 2500 * slowness });
      const messages = await sendAll(slowly, ["one", "two", "three"]);
      await quickly.say("at once");
      assert.equal((await w.api.get(`/api/messages/${messages[0].id}`)).status, "pending", "it waited for the slow one");
      await allThere(slowly, messages);
    });
  }
});

const ROUNDS = { asan: 5, tsan: 4, cov: 5 }[process.env.PARLEY_TEST_MODE] ?? 10;
describe("kill -9 while messages are on their way", () => {
  const w = new World({ env: { ...env, PARLEY_RETRY_AFTER: often("50ms") } });
  const chance = startChance();
  const accepted = new Map(); // of each talk: its messages in order
  let talks;
  before(async () => {
    await w.start();
    await w.meta.setCallback();
    talks = [];
    for (const flavour of FLAVOURS) talks.push(await w.meta.talk(flavour));
    talks.push(await w.meta.talk(FLAVOURS[1], { account: talks[1].account }));
    for (const talk of talks) accepted.set(talk, []);
  });
  after(() => w.stop());

  const PER_ROUND = 6;
  /** Sends with a key until it is answered, also over the crash. */
  async function sends(talk, round) {
    for (let n = 0; n < PER_ROUND; n++) {
      const name = `${round.number}.${n}`;
      const json = n === PER_ROUND - 1 ? { media: [picture] } : { body: `text ${name}` };
      await until(async () => {
        if (round.down) return false;
        const headers = { "Idempotency-Key": `${talk.chat.id} ${name}` };
        const answer = await w.api.ask("POST", talk.messagesPath, { json, headers }).catch((error) => {
          if (error instanceof TypeError) return null; // nobody answers
          throw error;
        });
        if (answer && ![202, 409, 503].includes(answer.status)) throw new Error(`${answer.status} ${answer.text}`);
        if (answer?.status === 202) accepted.get(talk).push(answer.json);
        return answer?.status === 202;
      }, `${name} is accepted`, 60);
      round.accepted++;
    }
  }

  async function crash(number) {
    const round = { number, accepted: 0, down: false };
    const order = chance.pick([{ kind: "cut_after" }, { kind: "cut_before" }, { kind: "delay", delay_ms: 30, count: 10 },
      { on: "conversations", kind: "html", status: 500 }, null, null]);
    if (order) await w.sandbox.fault({ platform: "meta", on: "messages", count: 2, ...order });
    if (chance.happens(0.3)) await w.meta.control("POST", "/hold");
    const enough = 1 + chance.below(talks.length * PER_ROUND - 2);
    const work = Promise.all(talks.map((talk) => sends(talk, round)));
    await Promise.race([until(() => round.accepted >= enough, "there is load", 60), work]);
    await pause(chance.below(6));
    round.down = true;
    await w.server.kill();
    await w.serve();
    round.down = false;
    await work;
    await w.meta.control("POST", "/release");
  }

  test(`${ROUNDS} times: each accepted message is there once, in order`, { timeout: 300_000 }, async (t) => {
    t.diagnostic(`PARLEY_TEST_SEED=${chance.seed}`);
    for (let n = 0; n < ROUNDS; n++) await crash(n);
    await noFaults(w);
    for (const talk of talks) {
      assert.equal(accepted.get(talk).length, ROUNDS * PER_ROUND);
      await allThere(talk, accepted.get(talk));
    }
  });

  test("and here: no message of an echo, each told of once", async () => {
    await until(async () => {
      await w.sandbox.advance(10_000); // so that Meta delivers again what it could not
      const { callbacks } = await w.meta.control("GET", "/app");
      return Object.values(callbacks).every(({ waiting, under_way }) => waiting + under_way === 0);
    }, "all is delivered", 30);
    const sent = (await events(w, "message.sent")).map(({ data }) => data.message.id);
    for (const talk of talks) {
      const { data } = await wholeList(w.api, `${talk.messagesPath}?direction=outbound`);
      const ids = accepted.get(talk).map(({ id }) => id);
      assert.deepEqual(data.map((m) => m.id).toSorted(), ids.toSorted());
      for (const id of ids) assert.equal(sent.filter((one) => one === id).length, 1, "message.sent");
      assert.ok(data.every((m) => m.status === "published"));
      await talk.hear("as before");
      await talk.say("as before");
    }
  });
});

describe("a minute later", () => {
  test("what rested for one goes on, in order, and not before", async () => {
    for (const { talk, other, messages, others, since } of resting.filter(({ minutes }) => minutes === 1)) {
      await allThere(talk, messages);
      await allThere(other, others);
      const next = (await asked(talk))[1];
      assert.ok(Date.parse(next.at) - since >= 60_000 - 50, `asked again after ${Date.parse(next.at) - since} ms`);
    }
  });

  test("what rests for ten still does", async () => {
    for (const { talk, other, messages, others } of resting.filter(({ minutes }) => minutes === 10)) {
      assert.equal((await asked(talk)).length, 1);
      assert.equal((await slow.api.get(`/api/messages/${messages[1].id}`)).status, "pending");
      assert.equal((await slow.api.get(`/api/messages/${others[0].id}`)).status, "pending");
      assert.equal((await other.list("direction=outbound")).length, 1);
    }
  });
});
