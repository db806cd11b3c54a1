// The webhook of Messenger and Instagram: who may call it, and whatever comes.
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { describe, test } from "node:test";

import { FLAVOURS, META } from "./lib/meta.js";
import { until } from "./lib/until.js";
import { world } from "./lib/world.js";

const w = world({ ready: ({ meta }) => meta.setCallback() });
const iso = (ms) => new Date(ms).toISOString();

/** As Meta writes JSON: nothing but ASCII, and slashes escaped. */
const written = (value) => JSON.stringify(value).replace(/\//g, "\\/").replace(/[\u0080-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
const hmac = (body, secret = META.app.secret, kind = "sha256") => `${kind}=${createHmac(kind, secret).update(body).digest("hex")}`;

/** Posts a body, signed unless `headers` say otherwise. */
function post(body, { secret, headers = { "X-Hub-Signature-256": hmac(body, secret) } } = {}) {
  return w.api.with(null).ask("POST", "/webhooks/meta", { body, headers: { "Content-Type": "application/json", ...headers } });
}

let lastId = 0;
const fresh = (what) => `${what}_${++lastId}_${Math.random().toString(36).slice(2)}`;
const object = (account) => (account.profile.platform === "facebook" ? "page" : "instagram");
const payload = (account, ...messaging) => ({ object: object(account), entry: [{ id: account.id, time: Date.now(), messaging }] });

/** Somebody who is no one in the sandbox; `said` and `echoed` are events with them. */
function somebody(account, id = `70${Math.floor(Math.random() * 1e14)}`) {
  const at = Date.now() - 60000;
  return {
    id,
    at,
    did: (more, seconds = 0) => ({ sender: { id }, recipient: { id: account.id }, timestamp: at + seconds * 1000, ...more }),
    said: (mid, text, seconds) => ({ sender: { id }, recipient: { id: account.id }, timestamp: at + (seconds ?? 0) * 1000, message: { mid, text } }),
    echoed: (mid, text, seconds) => ({ sender: { id: account.id }, recipient: { id }, timestamp: at + seconds * 1000, message: { mid, text, is_echo: true, app_id: 263902037430900 } }),
    chat: async () => (await w.api.get(`/api/profiles/${account.profile.id}/chats?per_page=100`)).data.find((chat) => chat.participant_external_id === id),
    async messages() {
      const chat = await this.chat();
      return chat ? (await w.api.get(`/api/chats/${chat.id}/messages?per_page=100`)).data : [];
    },
  };
}

const totals = async (account) => (await w.api.get(`/api/profiles/${account.profile.id}/chats`)).total;
async function metric(name) {
  const { text } = await w.api.with(null).ask("GET", "/metrics");
  return Number(new RegExp(`^${name} (\\d+)$`, "m").exec(text)[1]);
}

describe("the challenge", () => {
  const ask = (query) => w.api.with(null).ask("GET", `/webhooks/meta${query}`);
  const query = (fields) => `?${new URLSearchParams({ "hub.mode": "subscribe", "hub.verify_token": META.app.verify_token, "hub.challenge": "1158201444", ...fields })}`;

  test("is answered with itself and nothing else", async () => {
    for (const challenge of ["1158201444", "0", "<b>&amp;\u00e9", "a b+c"]) {
      const answer = await ask(query({ "hub.challenge": challenge }));
      assert.deepEqual([answer.status, answer.text], [200, challenge]);
      assert.match(answer.headers.get("content-type"), /^text\/plain/);
    }
  });

  test("is refused with a wrong token or without its parts", async () => {
    const token = META.app.verify_token;
    for (const [wrong, fields] of Object.entries({ token: { "hub.verify_token": "x" }, "half a token": { "hub.verify_token": token.slice(0, -1) }, "more than the token": { "hub.verify_token": `${token}x` },
      "no token": { "hub.verify_token": "" }, mode: { "hub.mode": "unsubscribe" }, "no mode": { "hub.mode": "" } })) {
      const answer = await ask(query(fields));
      assert.equal(answer.status, 403, wrong);
      assert.ok(!answer.text.includes("1158201444"), wrong);
    }
    for (const left of ["hub.mode", "hub.verify_token", "hub.challenge"]) {
      const fields = new URLSearchParams(query({}).slice(1));
      fields.delete(left);
      assert.equal((await ask(`?${fields}`)).status, 403, left);
    }
    assert.equal((await ask("")).status, 403);
  });

  test("is never passed without a configured token", async () => {
    const bare = await w.command(["settings"]);
    assert.equal(bare.code, 0);
    await w.server.stop();
    await w.serve({ PARLEY_META_VERIFY_TOKEN: "" });
    for (const token of ["", META.app.verify_token]) assert.equal((await ask(query({ "hub.verify_token": token }))).status, 403);
    await w.server.stop();
    await w.serve();
    assert.equal((await ask(query({}))).status, 200);
  });
});

describe("the signature", () => {
  test("of the app's secret, or of the Instagram app's, over the bytes as they come", async () => {
    for (const flavour of FLAVOURS) {
      const account = await w.meta.account(flavour);
      for (const secret of [META.app.secret, META.instagram.secret]) {
        const person = somebody(account);
        const mid = fresh("m");
        const answer = await post(written(payload(account, person.said(mid, "ol\u00e1 😀 a/b"))), { secret });
        assert.equal(answer.status, 200);
        const [message] = await person.messages();
        assert.deepEqual([message.external_id, message.body], [mid, "ol\u00e1 😀 a/b"], "it is stored when the answer comes");
      }
    }
  });

  test("is required", async () => {
    const account = await w.meta.account("facebook");
    const person = somebody(account);
    const value = payload(account, person.said(fresh("m"), "ol\u00e1 a/b"));
    const body = written(value);
    const right = hmac(body);
    const refused = await metric("parley_updates_refused_total");
    const wrongs = {
      none: {},
      empty: { "X-Hub-Signature-256": "" },
      "of nothing": { "X-Hub-Signature-256": hmac("") },
      "with another secret": { "X-Hub-Signature-256": hmac(body, `${META.app.secret}x`) },
      "with the verify token": { "X-Hub-Signature-256": hmac(body, META.app.verify_token) },
      "sha1 alone": { "X-Hub-Signature": hmac(body, META.app.secret, "sha1") },
      "sha1 in its place": { "X-Hub-Signature-256": hmac(body, META.app.secret, "sha1") },
      "of the same JSON written differently": { "X-Hub-Signature-256": hmac(JSON.stringify(value)) },
      "without its name": { "X-Hub-Signature-256": right.slice(7) },
      "one digit short": { "X-Hub-Signature-256": right.slice(0, -1) },
      "one digit more": { "X-Hub-Signature-256": `${right}0` },
      "one digit other": { "X-Hub-Signature-256": right.replace(/.$/, (c) => (c === "0" ? "1" : "0")) },
    };
    for (const [what, headers] of Object.entries(wrongs)) assert.ok([401, 403].includes((await post(body, { headers })).status), what);
    assert.ok([401, 403].includes((await w.api.ask("POST", "/webhooks/meta", { body })).status), "an API key is no signature");
    assert.equal(await totals(account), 0);
    assert.ok((await metric("parley_updates_refused_total")) > refused);
    assert.equal((await post(body, { headers: { "X-Hub-Signature": hmac(body, META.app.secret, "sha1"), "X-Hub-Signature-256": right } })).status, 200, "both, as Meta sends them");
    assert.equal(await totals(account), 1);
  });

  test("other methods are a 405, other paths a 404", async () => {
    for (const method of ["PUT", "PATCH", "DELETE"]) {
      const answer = await w.api.with(null).ask(method, "/webhooks/meta", { body: "{}", headers: { "X-Hub-Signature-256": hmac("{}") } });
      assert.equal(answer.status, 405);
      assert.match(answer.headers.get("allow"), /POST/);
    }
    for (const path of ["/webhooks/meta/x", "/webhooks/facebook", "/webhooks/instagram"]) assert.equal((await w.api.with(null).ask("POST", path, { json: {} })).status, 404, path);
  });
});

describe("what comes", () => {
  test("ids as numbers, times in seconds or as text, a list around it all", async () => {
    const account = await w.meta.account("facebook");
    const person = somebody(account);
    const at = Math.floor(Date.now() / 1000) - 100;
    const mids = [fresh("m"), fresh("m"), fresh("m")];
    const event = (mid, time) => `{"sender":{"id":${person.id}},"recipient":{"id":${account.id}},"timestamp":${time},"message":{"mid":"${mid}","text":"x","new_member":{"a":[1]}},"is_new":true}`;
    const raw = (mid, time) => `{"object":"page","entry":[{"id":${account.id},"time":${at},"messaging":[${event(mid, time)}],"later":1}],"also":null}`;
    for (const body of [raw(mids[0], at), raw(mids[1], `"${at}000"`), `[${raw(mids[2], at * 1000)}]`]) assert.equal((await post(body)).status, 200);
    const messages = await person.messages();
    assert.deepEqual(messages.map((m) => m.external_id).sort(), mids.sort());
    for (const message of messages) assert.equal(message.external_posted_at, iso(at * 1000));
  });

  test("an id beyond what a double holds stays as it is", async () => {
    const account = await w.meta.account("facebook");
    const person = somebody(account, "9007199254740995001");
    const mid = fresh("m");
    const event = `{"sender":{"id":9007199254740995001},"recipient":{"id":"${account.id}"},"timestamp":${Date.now()},"message":{"mid":"${mid}","text":"x"}}`;
    await post(`{"object":"page","entry":[{"id":"${account.id}","messaging":[${event}]}]}`);
    assert.deepEqual((await person.messages()).map((m) => m.external_id), [mid]);
  });

  test("accounts that are not connected are counted and not stored", async () => {
    const account = await w.meta.account("facebook");
    const stranger = await w.meta.makeAccount("facebook");
    const before = await metric("parley_inbound_unrouted_total");
    const person = somebody({ ...stranger, profile: account.profile });
    const known = somebody(account);
    const mid = fresh("m");
    const body = { object: "page", entry: [...payload({ ...stranger, profile: account.profile }, person.said(fresh("m"), "hello?")).entry, ...payload(account, known.said(mid, "hello")).entry] };
    assert.equal((await post(written(body))).status, 200);
    assert.equal(await metric("parley_inbound_unrouted_total"), before + 1);
    assert.equal(await totals(account), 1);
    assert.deepEqual((await known.messages()).map((m) => m.external_id), [mid], "its neighbour is");
    const other = payload(account, somebody(account).said(fresh("m"), "x"));
    assert.equal((await post(written({ ...other, object: "instagram" }))).status, 200, "a Page is no Instagram account");
    assert.equal(await totals(account), 1);
  });

  test("the dashboard's tests make no conversation", async () => {
    const account = await w.meta.account("instagram by itself");
    const value = { sender: { id: "12334" }, recipient: { id: "23245" }, timestamp: "1527459824", message: { mid: "random_mid", text: "random_text" } };
    for (const id of ["0", account.id])
      assert.equal((await post(written({ object: "instagram", entry: [{ id, time: 1527459824, changes: [{ field: "messages", value }] }] }))).status, 200);
    assert.equal((await post(written({ object: "page", entry: [{ id: "0", time: 1527459824, changes: [{ field: "messages", value: { ...value, page_id: "1" } }] }] }))).status, 200);
    assert.equal(await totals(account), 0);
  });

  test("what is no JSON, or not as expected, is a 200 and holds nothing up", async () => {
    const account = await w.meta.account("facebook");
    const person = somebody(account);
    const mid = fresh("m");
    const odd = [null, 5, "x", [], {}, { sender: null }, { sender: 5, recipient: [] }, person.did({ message: null }), person.did({ message: {} }), person.did({ message: { mid: 5, text: { a: 1 } } }),
      person.did({ message: { mid: "", text: "x" } }), person.did({ reaction: [] }), person.did({ postback: "x" }), person.did({ message: { mid: fresh("m"), attachments: "x" } }),
      person.did({ read: 5, delivery: [] }), person.did({}), { sender: { user_ref: "u" }, recipient: { id: account.id }, optin: { ref: "x", user_ref: "u" } }];
    const bodies = ["", "{", "null", "[]", "5", "\"x\"", "{}", "<html></html>", "\xff\xfe", "[".repeat(5000), `{"object":"page","entry":${"[".repeat(200)}${"]".repeat(200)}}`, "{\"object\":\"page\"}",
      "{\"object\":\"page\",\"entry\":{}}", "{\"object\":\"page\",\"entry\":[5,null,[],{},{\"id\":1},{\"id\":[]}]}", "{\"object\":\"user\",\"entry\":[{\"id\":\"1\",\"changed_fields\":[\"email\"]}]}",
      "{\"object\":[\"page\"],\"entry\":[]}", "{\"object\":\"page\",\"entry\":[{\"id\":\"1\",\"messaging\":[{\"message\":{\"text\":\"\\ud800\"}}]}]}"];
    for (const body of bodies) {
      const bytes = Buffer.from(body, "latin1");
      assert.equal((await post(bytes)).status, 200, body.slice(0, 60));
    }
    assert.equal(await totals(account), 0);
    assert.equal((await post(written(payload(account, ...odd, person.said(mid, "good"), ...odd)))).status, 200);
    assert.ok((await person.messages()).some((m) => m.external_id === mid && m.body === "good"));
  });

  test("what could not be understood is kept for another day", async () => {
    const before = await metric("parley_updates_not_understood_total");
    assert.equal((await post("{\"object\":\"page\",")).status, 200);
    assert.equal(await metric("parley_updates_not_understood_total"), before + 1);
    const counts = async () => /(\d+) payloads understood by now, (\d+) still not/.exec((await w.command(["replay"])).stdout).slice(1).map(Number);
    await w.server.stop();
    const [, left] = await counts();
    assert.ok(left >= 1, "it is there");
    assert.deepEqual(await counts(), [0, left], "and stays while nobody understands it");
    await w.serve();
  });

  test("a body of 4 MiB is taken, a larger one is not", async () => {
    const account = await w.meta.account("facebook");
    const person = somebody(account);
    const small = written(payload(account, person.said(fresh("m"), "x")));
    const fill = (size) => `${small.slice(0, -1)},"filler":"${"x".repeat(size - small.length - 12)}"}`;
    const body = fill(4 * 1024 * 1024);
    assert.equal(body.length, 4 * 1024 * 1024);
    assert.equal((await post(body)).status, 200);
    assert.equal((await person.messages()).length, 1);
    const large = await post(fill(4 * 1024 * 1024 + 1)).catch((error) => ({ status: error.message }));
    assert.ok(large.status === 413 || large.status === "fetch failed", String(large.status));
    assert.equal((await post(written(payload(account, person.said(fresh("m"), "x"))))).status, 200, "and the server lives");
  });

  test("a text of several hundred kilobytes does no harm", async () => {
    const account = await w.meta.account("facebook");
    const person = somebody(account);
    const mid = fresh("m");
    assert.equal((await post(written(payload(account, person.said(fresh("m"), "é".repeat(300000)), person.said(mid, "short"))))).status, 200);
    assert.ok((await person.messages()).some((m) => m.external_id === mid));
  });
});
