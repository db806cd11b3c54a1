// The order of a chat when sending fails: nothing overtakes what waits, and other chats do not wait for it.
import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { startSite, World, world } from "./lib/world.js";

const orders = {
  "an error of the platform's": { kind: "status", status: 500, description: "Internal Server Error" },
  "its maintenance": { kind: "status", status: 503, description: "Service Unavailable" },
  "429": { kind: "rate_limit", retry_after: 1 },
  "a connection cut before": { kind: "cut_before" },
  "a connection cut after": { kind: "cut_after" },
  "a proxy's page": { kind: "html", status: 502 },
  "what is no JSON": { kind: "garbage" },
};
// Where it cannot be known whether the platform has it.
const unknown = new Set(["an error of the platform's", "its maintenance", "a connection cut before", "a connection cut after", "a proxy's page", "what is no JSON"]);

const texts = (messages) => messages.filter((m) => m.direction === "out").map((m) => m.text);
const distinct = (list) => [...new Set(list)];
const isFlagged = (message) => message.platform_data?.possible_duplicate === true;

/** Two chats of one bot; what is sent to the first meets that trouble until it is cleared. */
async function trouble(w, order) {
  const bot = await w.bot();
  const [stuck, free] = [await w.talk({ bot }), await w.talk({ bot })];
  await stuck.fault({ on: "sendMessage", chat: stuck.person.id, count: -1, ...order });
  return { stuck, free };
}

const sendAll = async (talk, bodies) => {
  const sent = [];
  for (const body of bodies) sent.push(await talk.send(body));
  return sent;
};
const now = (w, message) => w.api.get(`/api/messages/${message.id}`);

describe("a chat whose first message does not go", () => {
  // Enough waits that none of them runs out before the test ends the trouble.
  const w = world({ env: { PARLEY_ALLOW_PRIVATE_ADDRESSES: "127.0.0.0/8", PARLEY_RETRY_AFTER: "20ms,50ms,100ms,200ms,400ms,800ms,1s,1s,2s,2s,4s,4s,4s,4s,4s,4s" } });

  for (const [name, order] of Object.entries(orders))
    test(`because of ${name}`, async () => {
      const { stuck, free } = await trouble(w, order);
      const [first, second, third] = await sendAll(stuck, ["one", "two", "three"]);
      const waiting = await stuck.reaches(first, "failed_waiting_for_retry");
      assert.ok(waiting.error_message.length > 5, waiting.error_message);
      assert.equal(waiting.external_id, null);
      for (const message of await sendAll(free, ["a", "b", "c"])) assert.ok(!isFlagged(await free.reaches(message, "published")));
      assert.deepEqual(texts(await free.onTelegram()), ["a", "b", "c"]);
      assert.equal((await now(w, first)).status, "failed_waiting_for_retry");
      for (const message of [second, third]) assert.equal((await now(w, message)).status, "pending");
      assert.deepEqual((await stuck.list("status=pending")).map((m) => m.body), ["three", "two"]);
      assert.equal((await stuck.list("status=failed_waiting_for_retry")).length, 1);
      const fourth = await stuck.send("four"); // also what comes later
      const asked = (await stuck.calls("sendMessage")).filter((call) => String(call.params.chat_id) === String(stuck.person.id));
      assert.deepEqual(distinct(asked.map((call) => call.params.text)), ["one"]);

      await w.sandbox.control("DELETE", "/faults");
      for (const message of [first, second, third, fourth]) {
        const published = await stuck.reaches(message, "published", 30);
        assert.equal(published.error_message, null);
        assert.equal(isFlagged(published), message === first && unknown.has(name), `${message.body} is flagged`);
      }
      const all = texts(await stuck.onTelegram());
      assert.deepEqual(distinct(all), ["one", "two", "three", "four"]);
      assert.deepEqual(all.filter((text) => text !== "one"), ["two", "three", "four"]);
      assert.deepEqual((await stuck.list("direction=outbound")).map((m) => m.body).sort(), ["four", "one", "three", "two"]);
    });

  test("because its file comes slowly", async () => {
    const site = await startSite();
    const asked = new Promise((resolve) => (site.files["/slow.txt"] = (request, response) => resolve(response)));
    const bot = await w.bot();
    const [stuck, free] = [await w.talk({ bot }), await w.talk({ bot })];
    const file = await stuck.send({ media: [`${site.url}/slow.txt`] });
    const text = await stuck.send("and a text");
    const response = await asked;
    await free.say("overtakes");
    assert.deepEqual([(await now(w, file)).status, (await now(w, text)).status], ["pending", "pending"]);
    response.writeHead(200, { "Content-Type": "text/plain" }).end("glaze");
    await stuck.reaches(text, "published");
    assert.equal((await now(w, file)).status, "published");
    const out = (await stuck.onTelegram()).filter((m) => m.direction === "out");
    assert.deepEqual(out.map((m) => Boolean(m.document)), [true, false]);
    await site.stop();
  });

  test("and the server restarts meanwhile, well or badly", async () => {
    const { stuck, free } = await trouble(w, orders["its maintenance"]);
    const messages = await sendAll(stuck, ["one", "two"]);
    await stuck.reaches(messages[0], "failed_waiting_for_retry");
    await w.server.kill();
    await w.serve();
    messages.push(await stuck.send("three"));
    await free.say("overtakes");
    await w.server.stop();
    await w.serve();
    messages.push(await stuck.send("four"));
    assert.deepEqual(texts(await stuck.onTelegram()), []);
    await w.sandbox.control("DELETE", "/faults");
    for (const message of messages) await stuck.reaches(message, "published", 30);
    assert.deepEqual(texts(await stuck.onTelegram()), ["one", "two", "three", "four"]);
  });

  test("many chats, each with trouble of its own", async () => {
    const bot = await w.bot();
    const talks = [];
    for (const order of Object.values(orders)) {
      const talk = await w.talk({ bot });
      await talk.fault({ on: "sendMessage", chat: talk.person.id, every: 2, count: 3, ...order });
      talks.push(talk);
    }
    const bodies = Array.from({ length: 8 }, (_, n) => `number ${n}`);
    const sent = await Promise.all(talks.map((talk) => sendAll(talk, bodies)));
    for (const [n, talk] of talks.entries()) {
      const published = [];
      for (const message of sent[n]) published.push(await talk.reaches(message, "published", 60));
      const all = texts(await talk.onTelegram());
      assert.deepEqual(distinct(all), bodies);
      const twice = all.filter((text, at) => all.indexOf(text) !== at);
      for (const text of twice) assert.ok(isFlagged(published.find((m) => m.body === text)), text);
      assert.equal((await talk.list("direction=outbound&status=published")).length, bodies.length);
    }
    await w.sandbox.control("DELETE", "/faults");
  });
});

describe("a message that never goes", () => {
  const w = world({ env: { PARLEY_RETRY_AFTER: "100ms,200ms" } });

  for (const [name, order] of Object.entries(orders).filter(([, { kind }]) => kind !== "rate_limit"))
    test(`is given up after the last wait: ${name}`, async () => {
      const { stuck } = await trouble(w, { ...order, count: 3 }); // the first try and one after each wait
      const [first, second] = await sendAll(stuck, ["one", "two"]);
      const failed = await stuck.reaches(first, "failed", 30);
      assert.ok(failed.error_message.length > 5);
      assert.equal(failed.external_id, null);
      assert.equal(failed.external_posted_at, null);
      await stuck.reaches(second, "published");
      const tries = await stuck.calls("sendMessage");
      assert.deepEqual(tries.map((call) => call.params.text), ["one", "one", "one", "two"]);
      const [a, b, c] = tries.map((call) => Date.parse(call.at));
      // A try is noted when it arrives, so only the sum has a lower bound that a slow machine keeps.
      assert.ok(c - Date.parse(failed.created_at) >= 80 + 160, `tries after ${b - a} and ${c - b} ms`);
      assert.deepEqual((await stuck.list("status=failed")).map((m) => m.body), ["one"]);
      assert.deepEqual((await stuck.list("status=published")).map((m) => m.body), ["two"]);
    });

  test("is given up at once when the platform refuses it, and the next one goes", async () => {
    const { stuck } = await trouble(w, { kind: "status", status: 400, description: "Bad Request: chat is upside down", count: 1 });
    const [first, second] = await sendAll(stuck, ["one", "two"]);
    assert.equal((await stuck.reaches(first, "failed")).error_message, "Bad Request: chat is upside down");
    await stuck.reaches(second, "published");
    assert.deepEqual((await stuck.calls("sendMessage")).map((call) => call.params.text), ["one", "two"]);
  });

  test("being told to wait is no try", async () => {
    const { stuck } = await trouble(w, { ...orders["429"], count: 4 });
    const [first, second] = await sendAll(stuck, ["one", "two"]);
    const published = await stuck.reaches(first, "published", 30);
    assert.ok(!isFlagged(published));
    await stuck.reaches(second, "published");
    assert.deepEqual((await stuck.calls("sendMessage")).map((call) => call.status), [429, 429, 429, 429, 200, 200]);
  });

  test("has used up its tries also when the server restarts between them", async () => {
    const w2 = new World({ env: { PARLEY_RETRY_AFTER: "100ms,100ms,100ms" } });
    await w2.start();
    try {
      const { stuck } = await trouble(w2, orders["its maintenance"]);
      const message = await stuck.send("one");
      for (let n = 0; n < 2; n++) {
        await stuck.reaches(message, "failed_waiting_for_retry"); // or did so a moment ago
        await w2.server.stop();
        await w2.serve();
      }
      await stuck.reaches(message, "failed", 30);
      const tries = (await stuck.calls("sendMessage")).length;
      assert.ok(tries === 4, `${tries} tries`);
    } finally {
      await w2.stop();
    }
  });
});
