// Outgoing webhooks: endpoints, what they are told, and what happens when they do not listen.
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { after, before, describe, test } from "node:test";

import { PostProxy, verifySignature } from "postproxy-sdk";
import { Webhook } from "standardwebhooks";

import { Receiver } from "./lib/receiver.js";
import { slowness, until } from "./lib/until.js";
import { KEY, world } from "./lib/world.js";

const w = world({
  env: {
    PARLEY_ALLOW_PRIVATE_ADDRESSES: "127.0.0.0/8",
    PARLEY_WEBHOOK_RETRY_AFTER: "100ms,200ms,400ms,800ms",
    PARLEY_WEBHOOK_TIMEOUT: `${2 * Math.min(slowness, 2)}s`,
  },
});
const receiver = new Receiver();
before(() => receiver.start());
after(() => receiver.stop());

let paths = 0;
/** A webhook with a path of its own: { path, id, secret, ... }. Deleted when the test ends. */
async function hook(t, fields = {}, api = w.api) {
  const path = `/hook-${++paths}`;
  const made = await api.post("/api/webhooks", { url: receiver.url + path, events: ["*"], ...fields }, { status: 201 });
  w.secrets.push(made.secret);
  t.after(() => w.api.ask("DELETE", `/api/webhooks/${made.id}`));
  return { ...made, path };
}

const deliveries = async (made, query = "per_page=100") => w.api.get(`/api/webhooks/${made.id}/deliveries?${query}`);
const inbound = (text) => (request) => request.event.type === "message.received" && request.event.data.message.body === text;
const bodies = (requests) => requests.map((request) => request.event.data.message.body);
const received = (path) => receiver.at(path).filter((request) => request.event.type === "message.received");

describe("endpoints", () => {
  test("are made, read, changed and deleted", async () => {
    const made = await w.api.post("/api/webhooks",
      { url: `${receiver.url}/made`, events: ["message.sent", "message.received"], description: "Help desk", concurrency: 7 }, { status: 201 });
    const { id, secret, created_at } = made;
    const expected = {
      id,
      url: `${receiver.url}/made`,
      events: ["message.sent", "message.received"],
      enabled: true,
      description: "Help desk",
      secret,
      disabled_reason: null,
      concurrency: 7,
      profile_group_id: null,
      created_at,
      updated_at: created_at,
    };
    assert.deepEqual(made, expected);
    assert.equal(Buffer.from(secret.slice(6), "base64").length, 32);
    assert.deepEqual(await w.api.get(`/api/webhooks/${id}`), expected);
    assert.deepEqual((await w.api.get("/api/webhooks")).data.find((one) => one.id === id), expected);

    const changed = await w.api.patch(`/api/webhooks/${id}`, { url: `${receiver.url}/moved`, events: ["*"], enabled: false, description: null, concurrency: 256 });
    assert.deepEqual(changed, { ...expected, url: `${receiver.url}/moved`, events: ["*"], enabled: false, description: null, concurrency: 256, updated_at: changed.updated_at });
    assert.ok(changed.updated_at >= created_at);
    assert.deepEqual(await w.api.patch(`/api/webhooks/${id}`, {}), { ...changed, updated_at: (await w.api.get(`/api/webhooks/${id}`)).updated_at });

    assert.deepEqual(await w.api.delete(`/api/webhooks/${id}`), { deleted: true });
    for (const [method, path] of [["GET", ""], ["PATCH", ""], ["DELETE", ""], ["GET", "/deliveries"], ["POST", "/rotate_secret"], ["POST", "/test"], ["POST", "/replay"]])
      assert.match(await w.api.refusal(method, `/api/webhooks/${id}${path}`), /^404 There is no webhook 'wh_/);
    assert.equal((await w.api.get("/api/webhooks")).data.some((one) => one.id === id), false);
  });

  test("can be made with a form", async (t) => {
    const form = new URLSearchParams([["url", `${receiver.url}/form`], ["events[]", "message.read"], ["events[]", "message.failed"], ["enabled", "false"], ["concurrency", "3"]]);
    const made = await w.api.take("POST", "/api/webhooks", { form, status: 201 });
    t.after(() => w.api.delete(`/api/webhooks/${made.id}`));
    assert.deepEqual([made.events, made.enabled, made.concurrency], [["message.read", "message.failed"], false, 3]);
  });

  test("are refused with a reason", async (t) => {
    const url = `${receiver.url}/never`;
    const made = await hook(t, { enabled: false });
    const cases = [
      [{ events: ["*"] }, /^400 url is required$/],
      [{ url }, /^400 events is required$/],
      [{ url, events: null }, /^400 events is required$/],
      [{ url: 7, events: ["*"] }, /^400 url must be/],
      [{ url: "not a url", events: ["*"] }, /^422 url /],
      [{ url: "ftp://example.com/x", events: ["*"] }, /^422 url must begin with http/],
      [{ url: "/relative", events: ["*"] }, /^422 url /],
      [{ url: "https://me:pw@example.com/", events: ["*"] }, /^422 url must not hold a user name or password$/],
      [{ url: "http://10.1.2.3/", events: ["*"] }, /^422 url leads to a private or reserved address \(10\.1\.2\.3\)$/],
      [{ url: "http://[::1]/", events: ["*"] }, /^422 url leads to a private or reserved address/],
      [{ url: "http://169.254.169.254/latest/meta-data", events: ["*"] }, /^422 url leads to a private/],
      [{ url: `https://example.com/${"a".repeat(2100)}`, events: ["*"] }, /^422 url is longer than 2048 bytes$/],
      [{ url, events: [] }, /^422 events must name at least one event/],
      [{ url, events: "message.received" }, /^400 events must be a list of event names$/],
      [{ url, events: [1] }, /^400 events must be a list of event names$/],
      [{ url, events: ["message.seen"] }, /^422 events: there is no event 'message.seen'; there are message.received, message.sent, .*, webhook.disabled$/],
      [{ url, events: ["ping"] }, /^422 events: there is no event 'ping'; /],
      [{ url, events: ["message.read", "message.read"] }, /^422 events names message.read twice$/],
      [{ url, events: ["*", "message.read"] }, /^422 In events, '\*' stands alone/],
      [{ url, events: ["message.read", "*"] }, /^422 In events, '\*' stands alone/],
      [{ url, events: ["*"], description: "x".repeat(1001) }, /^422 description may have at most 1000 characters; this one has 1001$/],
      [{ url, events: ["*"], description: 3 }, /^400 description must be/],
      [{ url, events: ["*"], enabled: "yes" }, /^400 enabled must be true or false$/],
      [{ url, events: ["*"], enabled: 1 }, /^400 enabled must be true or false$/],
      [{ url, events: ["*"], concurrency: 0 }, /^422 concurrency must lie between 1 and 256$/],
      [{ url, events: ["*"], concurrency: 257 }, /^422 concurrency must lie between 1 and 256$/],
      [{ url, events: ["*"], concurrency: 1.5 }, /^400 concurrency must be a whole number$/],
      [{ url, events: ["*"], concurrency: "many" }, /^400 concurrency must be a whole number$/],
    ];
    const before = (await w.api.get("/api/webhooks")).data;
    for (const [fields, sentence] of cases) {
      assert.match(await w.api.refusal("POST", "/api/webhooks", fields), sentence);
      if (fields.url && fields.events) assert.match(await w.api.refusal("PATCH", `/api/webhooks/${made.id}`, fields), sentence);
    }
    assert.deepEqual((await w.api.get("/api/webhooks")).data, before);
    const long = await w.api.patch(`/api/webhooks/${made.id}`, { description: "ä".repeat(1000) });
    assert.equal(long.description, "ä".repeat(1000));
  });

  test("work with the published client", async (t) => {
    const client = new PostProxy(KEY, { baseUrl: w.api.url });
    const made = await client.webhooks.create(`${receiver.url}/sdk`, ["message.received"], { description: "from the client" });
    t.after(() => w.api.ask("DELETE", `/api/webhooks/${made.id}`));
    assert.deepEqual(await client.webhooks.get(made.id), made);
    assert.ok((await client.webhooks.list()).data.some(({ id }) => id === made.id));
    assert.equal((await client.webhooks.update(made.id, { events: ["*"], enabled: true, description: "again" })).description, "again");
    const talk = await w.talk();
    await receiver.await("/sdk", 1, inbound("/start"));
    const log = await until(async () => {
      const list = await client.webhooks.deliveries(made.id, { page: 0, perPage: 1 });
      return list.total > 0 && list;
    });
    assert.equal(log.data[0].success, true);
    assert.equal(talk.chat.platform, "telegram");
    assert.deepEqual(await client.webhooks.delete(made.id), { deleted: true });
    await assert.rejects(client.webhooks.get(made.id), { statusCode: 404 });
  });
});

describe("what is sent", () => {
  test("is the event, signed twice over", async (t) => {
    const made = await hook(t);
    const talk = await w.talk();
    const [request] = await receiver.await(made.path, 1, inbound("/start"));
    assert.equal(request.method, "POST");
    assert.equal(request.headers["content-type"], "application/json");
    assert.match(request.headers["user-agent"], /^Parley\/\d/);
    assert.equal(request.headers["x-postproxy-event"], "message.received");
    assert.match(request.headers["x-postproxy-delivery"], /^dlv_/);
    assert.equal(request.headers["webhook-id"], request.event.id);

    const { data } = await w.api.get(`/api/events?chat_id=${talk.chat.id}&types=message.received`);
    assert.deepEqual(request.event, data[0]);
    assert.deepEqual(request.event.data.message, request.event.data.object);
    assert.equal(request.event.data.message.chat_id, talk.chat.id);

    const signature = request.headers["x-postproxy-signature"];
    const [, seconds, hex] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(signature);
    assert.ok(Math.abs(Date.now() / 1000 - Number(seconds)) < 60);
    assert.equal(hex, createHmac("sha256", made.secret).update(`${seconds}.${request.text}`).digest("hex"));
    assert.equal(verifySignature(request.text, signature, made.secret), true);
    assert.equal(verifySignature(`${request.text} `, signature, made.secret), false);
    assert.equal(verifySignature(request.text, signature, `${made.secret}x`), false);
    assert.deepEqual(new Webhook(made.secret).verify(request.text, request.headers), request.event);
    assert.throws(() => new Webhook(made.secret).verify(request.text.replace("/start", "/stop!"), request.headers));
  });

  test("tells a message's life in order", async (t) => {
    const made = await hook(t);
    const talk = await w.talk();
    await talk.fault({ on: "sendMessage", kind: "status", status: 500 });
    const sent = await talk.say("hello");
    const types = await until(() => {
      const seen = receiver.at(made.path).filter((request) => request.event.data.message?.id === sent.id);
      return seen.length === 2 && seen.map((request) => [request.event.type, request.event.data.message.status]);
    });
    assert.deepEqual(types, [["message.failed_waiting_for_retry", "failed_waiting_for_retry"], ["message.sent", "published"]]);
  });

  test("is only what was subscribed to", async (t) => {
    const some = await hook(t, { events: ["message.sent"] });
    const all = await hook(t);
    const talk = await w.talk();
    const sent = await talk.say("only this");
    await receiver.await(all.path, 1, inbound("/start"));
    await receiver.await(some.path);
    assert.deepEqual(receiver.at(some.path).map((request) => [request.event.type, request.event.data.message.id]), [["message.sent", sent.id]]);
  });

  test("stays within a profile group", async (t) => {
    const group = await w.api.post("/api/profile_groups", { name: "Hooks" });
    const { stdout } = await w.command(["key", "create", "limited", group.id]);
    const limited = w.api.with(stdout.trim());
    const made = await hook(t, {}, limited);
    const whole = await hook(t);
    assert.equal(made.profile_group_id, group.id);
    assert.deepEqual((await limited.get("/api/webhooks")).data.map(({ id }) => id), [made.id]);
    assert.equal((await w.api.get(`/api/webhooks?profile_group_id=${group.id}`)).data.length, 1);
    assert.match(await limited.refusal("GET", `/api/webhooks/${whole.id}`), /^404/);

    const inside = await w.makeBot();
    const profile = await w.connect(inside, group.id);
    const outside = await w.talk();
    const talk = await w.talk({ bot: { ...inside, profile } });
    await receiver.await(whole.path, 2, inbound("/start"));
    await receiver.await(made.path, 1, inbound("/start"));
    assert.ok(receiver.at(whole.path).some((request) => request.event.data.message?.chat_id === outside.chat.id));
    const heard = receiver.at(made.path).filter((request) => request.event.data.message);
    assert.ok(heard.every((request) => request.event.data.message.chat_id === talk.chat.id));
    assert.deepEqual([...new Set(receiver.at(made.path).map(({ event }) => event.data.profile_group_id).filter(Boolean))], [group.id]);
  });
});

describe("an endpoint that fails", () => {
  test("is told again, with the same delivery id", async (t) => {
    const made = await hook(t, { events: ["message.received"] });
    let tries = 0;
    receiver.answers[made.path] = (request, response) => response.writeHead(++tries < 3 ? 500 : 200).end(tries < 3 ? "not yet" : "thanks");
    await w.talk();
    const requests = await receiver.await(made.path, 3);
    assert.equal(new Set(requests.map(({ headers }) => headers["x-postproxy-delivery"])).size, 1);
    assert.equal(new Set(requests.map(({ text }) => text)).size, 1);
    for (const request of requests) assert.equal(verifySignature(request.text, request.headers["x-postproxy-signature"], made.secret), true);
    const log = await until(async () => {
      const list = await deliveries(made);
      return list.data[0]?.success && list;
    });
    assert.equal(log.total, 1);
    const { attempted_at, created_at, duration_ms, ...rest } = log.data[0];
    assert.deepEqual(rest, {
      id: requests[0].headers["x-postproxy-delivery"],
      event_id: requests[0].event.id,
      event_type: "message.received",
      response_status: 200,
      attempt_number: 3,
      success: true,
      next_attempt_at: null,
      error: null,
      response_body: "thanks",
    });
    assert.ok(attempted_at >= created_at && duration_ms >= 0);
  });

  test("is logged with what it said and when it is told next", async (t) => {
    const made = await hook(t, { events: ["message.received"] });
    receiver.answers[made.path] = (request, response) => response.writeHead(503, { "Retry-After": "3600" }).end(`${"x".repeat(1500)}ä`);
    await w.talk();
    const [entry] = await until(async () => {
      const { data } = await deliveries(made);
      return data.length > 0 && data;
    });
    assert.deepEqual([entry.success, entry.response_status, entry.attempt_number, entry.error], [false, 503, 1, "The endpoint answered 503"]);
    assert.equal(entry.response_body, "x".repeat(1024));
    const wait = Date.parse(entry.next_attempt_at) - Date.parse(entry.attempted_at);
    assert.ok(wait >= 3_600_000 && wait < 3_620_000, `it waits for ${wait} ms`);
  });

  test("that asks for a pause gets no other event meanwhile", async (t) => {
    const made = await hook(t, { events: ["message.received"] });
    let refused = 0;
    receiver.answers[made.path] = (request, response) => (refused++ ? response.writeHead(200).end() : response.writeHead(429, { "Retry-After": "2" }).end());
    const talk = await w.talk();
    await until(async () => (await deliveries(made)).data[0]?.response_status === 429);
    const pausedAt = receiver.at(made.path)[0].at;
    const other = await w.talk();
    const requests = await receiver.await(made.path, 3);
    assert.notEqual(talk.chat.id, other.chat.id);
    for (const request of requests.slice(1)) assert.ok(request.at - pausedAt >= 1900, `asked again after ${request.at - pausedAt} ms`);
  });

  test("is given up after the last try, and stays enabled", async (t) => {
    const made = await hook(t, { events: ["message.received"] });
    receiver.answers[made.path] = (request, response) => response.writeHead(302, { Location: `${receiver.url}/elsewhere` }).end();
    await w.talk();
    const [entry] = await until(async () => {
      const { data } = await deliveries(made);
      return data[0]?.attempt_number === 5 && data;
    });
    assert.deepEqual([entry.success, entry.response_status, entry.next_attempt_at], [false, 302, null]);
    assert.equal(receiver.at(made.path).length, 5);
    assert.equal(receiver.at("/elsewhere").length, 0);
    assert.equal((await w.api.get(`/api/webhooks/${made.id}`)).enabled, true);
  });

  test("holds back its chat for three tries, and no other chat", async (t) => {
    const bot = await w.bot();
    const [one, two] = [await w.talk({ bot }), await w.talk({ bot })];
    const made = await hook(t, { events: ["message.received"] });
    let poisoned = 0;
    receiver.answers[made.path] = async (request, response) => {
      const isPoison = request.event.data.message.body === "poison";
      if (isPoison && ++poisoned === 2) await receiver.await(made.path, 1, inbound("elsewhere"));
      response.writeHead(isPoison ? 500 : 200).end();
    };
    await one.write("poison");
    await receiver.await(made.path, 1, inbound("poison"));
    await one.hear("after it");
    await two.write("elsewhere");
    await receiver.await(made.path, 1, inbound("elsewhere"));
    await receiver.await(made.path, 1, inbound("after it"));
    const order = bodies(received(made.path));
    const poisonedBefore = order.slice(0, order.indexOf("after it")).filter((body) => body === "poison").length;
    assert.equal(poisonedBefore, 3);
    assert.ok(order.indexOf("elsewhere") < order.indexOf("after it"));
    await receiver.await(made.path, 5, inbound("poison"));
  });

  test("delivers what one chat said in order, through failures", async (t) => {
    const talk = await w.talk();
    const made = await hook(t, { events: ["message.received"] });
    let n = 0;
    receiver.answers[made.path] = (request, response) => response.writeHead(++n % 3 === 0 ? 500 : 200).end();
    const said = Array.from({ length: 12 }, (_, i) => `line ${i}`);
    for (const line of said) await talk.write(line);
    await receiver.await(made.path, 1, inbound("line 11"));
    const order = bodies(received(made.path));
    assert.deepEqual(order.filter((body, i) => body !== order[i - 1]), said);
  });

  test("is disabled when it answers 410", async (t) => {
    const watch = await hook(t, { events: ["webhook.disabled"] });
    const star = await hook(t);
    const made = await hook(t, { events: ["message.received"] });
    receiver.answers[made.path] = 410;
    const talk = await w.talk();
    await until(async () => !(await w.api.get(`/api/webhooks/${made.id}`)).enabled);
    const now = await w.api.get(`/api/webhooks/${made.id}`);
    assert.equal(now.disabled_reason, "The endpoint answered 410 Gone");
    const [told] = await receiver.await(watch.path);
    assert.deepEqual(told.event.data.object, { id: made.id, url: made.url, disabled_reason: now.disabled_reason });
    const [entry] = (await deliveries(made)).data;
    assert.deepEqual([entry.response_status, entry.success, entry.next_attempt_at], [410, false, null]);

    await talk.hear("more");
    await receiver.await(star.path, 1, inbound("more"));
    assert.equal(received(made.path).length, 1);
    assert.equal(receiver.at(star.path).some(({ event }) => event.type === "webhook.disabled"), false);
    delete receiver.answers[made.path];
    const again = await w.api.patch(`/api/webhooks/${made.id}`, { enabled: true });
    assert.deepEqual([again.enabled, again.disabled_reason], [true, null]);
    await talk.write("back");
    await receiver.await(made.path, 1, inbound("back"));
    assert.deepEqual(bodies(received(made.path)).slice(-1), ["back"]);
  });

  test("is not waited for for ever, and slows nobody", async (t) => {
    const slow = await hook(t, { events: ["message.received"], concurrency: 256 });
    const quick = await hook(t, { events: ["message.received"] });
    const silent = [];
    receiver.answers[slow.path] = (request, response) => silent.push(response);
    const bot = await w.bot();
    const talks = await Promise.all(Array.from({ length: 8 }, () => w.talk({ bot })));
    await receiver.await(quick.path, 8, inbound("/start"));
    await receiver.await(slow.path, 8);
    const [entry] = await until(async () => {
      const { data } = await deliveries(slow);
      return data.length > 0 && data;
    });
    assert.deepEqual([entry.success, entry.response_status], [false, null]);
    assert.ok(entry.error.length > 0);
    assert.ok(entry.duration_ms >= 1900 && entry.duration_ms < 60000);
    assert.equal(talks.length, 8);
    for (const response of silent) response.destroy();
  });

  test("leaves a living one alone, also in company of fifty", async (t) => {
    const dead = await Promise.all(Array.from({ length: 50 }, () => hook(t, { events: ["message.received"] })));
    const living = await hook(t, { events: ["message.received"] });
    const silent = [];
    for (const { path } of dead) receiver.answers[path] = (request, response) => silent.push(response);
    const talk = await w.talk();
    const texts = Array.from({ length: 20 }, (_, n) => `word ${n}`);
    await until(() => silent.length >= 50, "all of the dead hold a delivery", 60);
    for (const text of texts) await talk.hear({ text });
    await receiver.await(living.path, 1, inbound(texts.at(-1)), 60);
    const order = bodies(received(living.path)).filter((body) => texts.includes(body));
    assert.deepEqual(order.filter((body, i) => body !== order[i - 1]), texts);
    for (const response of silent) response.destroy();
  });

  test("is told of what happened while the server was down or killed", async (t) => {
    const made = await hook(t, { events: ["message.received"] });
    receiver.answers[made.path] = () => {}; // which keeps all in order for three times the time limit
    const talk = await w.talk();
    await talk.hear("before the crash");
    await receiver.await(made.path, 1);
    await w.server.kill();
    delete receiver.answers[made.path];
    receiver.requests = [];
    await w.serve();
    await receiver.await(made.path, 1, inbound("before the crash"));
    assert.deepEqual(bodies(received(made.path)), ["/start", "before the crash"]);
  });
});

describe("disabling and replaying", () => {
  test("drops what was not delivered, and brings it back", async (t) => {
    const made = await hook(t, { events: ["message.received"] });
    receiver.answers[made.path] = (request, response) => response.writeHead(503, { "Retry-After": "3600" }).end();
    const since = new Date().toISOString();
    const talk = await w.talk();
    await until(async () => (await deliveries(made)).data[0]?.next_attempt_at);
    await talk.hear("waiting");
    await w.api.patch(`/api/webhooks/${made.id}`, { enabled: false });
    assert.equal((await deliveries(made)).data[0].next_attempt_at, null);
    await talk.hear("not heard");
    delete receiver.answers[made.path];
    receiver.requests = [];
    assert.match(await w.api.refusal("POST", `/api/webhooks/${made.id}/replay`, { since }), /^422 The webhook is disabled/);
    await w.api.patch(`/api/webhooks/${made.id}`, { enabled: true, url: `${made.url}-again` });
    assert.deepEqual(await w.api.post(`/api/webhooks/${made.id}/replay`, { since }, { status: 202 }), { queued: null });
    const requests = await receiver.await(`${made.path}-again`, 3);
    assert.deepEqual(bodies(requests), ["/start", "waiting", "not heard"]);
    assert.equal(receiver.at(made.path).length, 0);
  });

  test("replays the events that are named, each once and in order", async (t) => {
    const talk = await w.talk();
    for (const text of ["one", "two", "three"]) await talk.hear(text);
    const sent = await talk.say("mine");
    const { data } = await w.api.get(`/api/events?chat_id=${talk.chat.id}`);
    const idOf = (body) => data.find((event) => event.type === "message.received" && event.data.message.body === body).id;
    const made = await hook(t, { events: ["message.received"] });
    const ids = ["three", "one", "three"].map(idOf);
    assert.deepEqual(await w.api.post(`/api/webhooks/${made.id}/replay`, { event_ids: ids }, { status: 202 }), { queued: 2 });
    const requests = await receiver.await(made.path, 2);
    assert.deepEqual(bodies(requests), ["one", "three"]);
    assert.deepEqual(requests.map(({ event }) => event.id), [idOf("one"), idOf("three")]);
    const first = requests[0].headers["x-postproxy-delivery"];
    await w.api.post(`/api/webhooks/${made.id}/replay`, { event_ids: [idOf("one")] }, { status: 202 });
    const again = (await receiver.await(made.path, 3)).at(-1);
    assert.notEqual(again.headers["x-postproxy-delivery"], first);

    const sentEvent = await until(async () => (await w.api.get(`/api/events?chat_id=${talk.chat.id}&types=message.sent`)).data[0]);
    assert.equal(sentEvent.data.message.id, sent.id);
    const path = `/api/webhooks/${made.id}/replay`;
    const cases = [
      [{}, /^400 since or event_ids is required$/],
      [{ since: "2026-01-01T00:00:00Z", event_ids: ids }, /^400 Give since or event_ids, not both$/],
      [{ since: "yesterday" }, /^400 since must be an ISO 8601 time/],
      [{ since: 5 }, /^400 since must be/],
      [{ event_ids: [] }, /^422 event_ids must hold 1 to 1000 ids, not 0$/],
      [{ event_ids: Array.from({ length: 1001 }, () => ids[0]) }, /^422 event_ids must hold 1 to 1000 ids, not 1001$/],
      [{ event_ids: ids[0] }, /^400 event_ids must be a list of event ids$/],
      [{ event_ids: [5] }, /^400 event_ids must be a list of event ids$/],
      [{ event_ids: ["evt_11111111111"] }, /^404 There is no event 'evt_11111111111'/],
      [{ event_ids: [made.id] }, /^404 There is no event 'wh_/],
      [{ event_ids: [sentEvent.id] }, /^422 The webhook does not listen to message.sent/],
    ];
    for (const [body, sentence] of cases) assert.match(await w.api.refusal("POST", path, body), sentence);
    await until(async () => (await deliveries(made)).total === 3);
  });
});

describe("secrets and tests", () => {
  test("a new secret signs beside the old one for as long as asked", async (t) => {
    const made = await hook(t, { events: ["message.received"] });
    const path = `/api/webhooks/${made.id}`;
    const signatures = async () => {
      await w.api.post(`${path}/test`);
      const { headers, text } = receiver.at(made.path).at(-1);
      return { headers, text, count: headers["x-postproxy-signature"].split("v1=").length - 1 };
    };
    const rotated = await w.api.post(`${path}/rotate_secret`);
    w.secrets.push(rotated.secret);
    assert.notEqual(rotated.secret, made.secret);
    assert.equal((await w.api.get(path)).secret, rotated.secret);
    const both = await signatures();
    assert.equal(both.count, 2);
    assert.equal(verifySignature(both.text, both.headers["x-postproxy-signature"], made.secret), true, "who has the old secret, as published verifiers read it");
    for (const secret of [made.secret, rotated.secret]) {
      new Webhook(secret).verify(both.text, both.headers);
      const [, seconds] = /^t=(\d+)/.exec(both.headers["x-postproxy-signature"]);
      assert.ok(both.headers["x-postproxy-signature"].includes(createHmac("sha256", secret).update(`${seconds}.${both.text}`).digest("hex")));
    }
    const short = await w.api.post(`${path}/rotate_secret`, { overlap_seconds: 1 });
    w.secrets.push(short.secret);
    await until(async () => (await signatures()).count === 1);
    const atOnce = await w.api.post(`${path}/rotate_secret`, { overlap_seconds: 0 });
    w.secrets.push(atOnce.secret);
    const last = await signatures();
    assert.equal(last.count, 1);
    assert.equal(verifySignature(last.text, last.headers["x-postproxy-signature"], atOnce.secret), true);
    for (const [overlap_seconds, sentence] of [[-1, /^422/], [2592001, /^422/], ["x", /^400/]])
      assert.match(await w.api.refusal("POST", `${path}/rotate_secret`, { overlap_seconds }), sentence);
    assert.equal((await w.api.get(path)).secret, atOnce.secret);
  });

  test("a test sends a ping and tells what came of it", async (t) => {
    const made = await hook(t, { enabled: false });
    const path = `/api/webhooks/${made.id}/test`;
    const good = await w.api.post(path);
    assert.deepEqual([good.event_type, good.success, good.response_status, good.attempt_number, good.next_attempt_at], ["ping", true, 204, 1, null]);
    const [request] = receiver.at(made.path);
    assert.equal(request.headers["x-postproxy-event"], "ping");
    assert.equal(request.headers["x-postproxy-delivery"], good.id);
    assert.equal(request.event.id, good.event_id);
    assert.equal(request.event.data.object.webhook_id, made.id);
    assert.equal(verifySignature(request.text, request.headers["x-postproxy-signature"], made.secret), true);

    receiver.answers[made.path] = (got, response) => response.writeHead(418).end("teapot");
    const bad = await w.api.post(path, undefined, { status: 200 });
    assert.deepEqual([bad.success, bad.response_status, bad.error, bad.response_body], [false, 418, "The endpoint answered 418", "teapot"]);
    await w.api.patch(`/api/webhooks/${made.id}`, { url: "http://127.0.0.1:1/" });
    const none = await w.api.post(path);
    assert.deepEqual([none.success, none.response_status], [false, null]);
    assert.equal((await deliveries(made)).total, 0);
    assert.equal((await w.api.get("/api/events?limit=1000")).data.some(({ type }) => type === "ping"), false);
  });

  test("a test is sent once for one Idempotency-Key", async (t) => {
    const made = await hook(t);
    const options = { headers: { "Idempotency-Key": `ping-${made.id}` } };
    const first = await w.api.post(`/api/webhooks/${made.id}/test`, undefined, options);
    const second = await w.api.post(`/api/webhooks/${made.id}/test`, undefined, options);
    assert.deepEqual(second, first);
    assert.equal(receiver.at(made.path).length, 1);
  });
});

describe("deliveries", () => {
  test("are paged, newest first", async (t) => {
    const talk = await w.talk();
    const made = await hook(t, { events: ["message.received"] });
    for (let i = 0; i < 5; i++) await talk.hear(`page ${i}`);
    await until(async () => (await deliveries(made)).total === 5);
    const all = (await deliveries(made)).data;
    assert.deepEqual(all.map(({ created_at }) => created_at), all.map(({ created_at }) => created_at).sort().reverse());
    const pages = await Promise.all([0, 1, 2].map((page) => deliveries(made, `page=${page}&per_page=2`)));
    assert.deepEqual(pages.flatMap(({ data }) => data), all);
    assert.deepEqual(pages.map(({ total, page, per_page, data }) => [total, page, per_page, data.length]), [[5, 0, 2, 2], [5, 1, 2, 2], [5, 2, 2, 1]]);
    assert.deepEqual((await deliveries(made, "page=7")).data, []);
    for (const query of ["page=-1", "per_page=0", "per_page=101", "page=x"]) assert.match(await w.api.refusal("GET", `/api/webhooks/${made.id}/deliveries?${query}`), /^400/);
  });

  test("are under way at once as many as the endpoint takes", async (t) => {
    const most = {};
    const limited = await hook(t, { events: ["message.received"], concurrency: 1 });
    const wide = await hook(t, { events: ["message.received"], concurrency: 6 });
    for (const made of [limited, wide]) {
      const waiting = [];
      const answer = () => waiting.splice(0).forEach((response) => response.writeHead(200).end());
      receiver.answers[made.path] = (request, response) => {
        most[made.path] = Math.max(most[made.path] ?? 0, waiting.push(response));
        if (made === limited) setTimeout(answer, 100); // time enough for another one
        else if (most[made.path] > 1) answer();
      };
    }
    const bot = await w.bot();
    await Promise.all(Array.from({ length: 6 }, () => w.talk({ bot })));
    await receiver.await(limited.path, 6);
    await receiver.await(wide.path, 6);
    assert.equal(most[limited.path], 1);
    assert.ok(most[wide.path] > 1);
    await until(async () => (await deliveries(limited)).data.filter(({ success }) => success).length === 6);
  });
});
