// Connecting Pages and Instagram accounts: with tokens, and by granting access on Meta's pages.
import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { FLAVOURS, META } from "./lib/meta.js";
import { noSqliteTool } from "./lib/trouble.js";
import { until } from "./lib/until.js";
import { onPostgres, world } from "./lib/world.js";

const [PAGE, LINKED, ALONE] = FLAVOURS;
const DAY = 86400_000;
// What a Page and an account of its own must be subscribed to, so that all events of the contract come.
const PAGE_FIELDS = ["messages", "message_echoes", "message_deliveries", "message_reads", "message_reactions", "messaging_postbacks",
  "messaging_referrals", "message_edits", "feed"];
const LOGIN_FIELDS = ["messages", "message_reactions", "messaging_seen", "messaging_postbacks", "messaging_referral", "message_edit", "comments"];

const w = world({ ready: ({ meta }) => meta.setCallback() });
const connectPath = (groupId = w.groupId) => `/api/profile_groups/${groupId}/initialize_connection`;
const connect = (json, options) => w.api.ask("POST", connectPath(), { json, ...options });
const refuse = (json) => w.api.refusal("POST", connectPath(), json);
const profiles = async () => (await w.api.get("/api/profiles")).data;
const ids = async () => (await profiles()).map(({ id }) => id);
const onMeta = async (id) => (await w.meta.control("GET", "/accounts")).data.find((account) => account.id === id);
/** The account whose subscription brings its events: an Instagram account's may be its Page's. */
const subscribed = (account) => onMeta(account.page ?? account.id);
const fault = (order) => w.sandbox.fault({ platform: "meta", ...order });
/** Meta's calls that `fn` makes. */
async function callsOf(fn) {
  const from = (await w.meta.calls()).at(-1)?.n ?? 0;
  const result = await fn();
  return { result, calls: await w.meta.calls(`?after=${from}`) };
}
async function gone(profile) {
  await w.api.delete(`/api/profiles/${profile.id}`);
  await until(async () => !(await ids()).includes(profile.id), "the profile is gone");
}
const told = async (profile, type) =>
  (await w.api.get(`/api/events?limit=1000&types=${type}`)).data.filter(({ data }) => data.id === profile.id);

for (const flavour of FLAVOURS)
  describe(`with a token: ${flavour}`, () => {
    test("a profile comes of it", async () => {
      const account = await w.meta.makeAccount(flavour);
      const answer = await w.api.post(connectPath(), w.meta.credentials(account), { status: 201 });
      const network = flavour === PAGE ? "facebook" : "instagram";
      const { id } = answer.profile;
      assert.equal(answer.success, true);
      assert.deepEqual(answer.profile, { id, network, name: account.name, external_username: account.username });
      assert.ok(answer.next_step.includes(`${w.api.url}/webhooks/meta`), answer.next_step);
      const { status_detail, ...profile } = await w.api.get(`/api/profiles/${id}`);
      assert.equal(status_detail, null);
      assert.deepEqual(profile, {
        id, name: account.name, status: "active", platform: network, profile_group_id: w.groupId, expires_at: null, post_count: 0,
        external_id: account.id, username: account.username,
        capabilities: { text: true, attachments: true, reactions: true, edit: false, receipts: true, archive: false, private_reply: true },
      });
      assert.equal((await profiles()).filter((one) => one.id === id).length, 1);
      assert.deepEqual(await w.api.get(`/api/profiles/${id}/placements`), { data: flavour === PAGE ? [{ id: account.id, name: account.name }] : [] });
      const events = await told({ id }, "profile.connected");
      assert.equal(events.length, 1);
      assert.equal(events[0].data.uid, account.id);
      assert.ok(!JSON.stringify(events).includes(account.token));
    });

    test("the app is subscribed to all it needs, and messages come and go", async () => {
      const talk = await w.meta.talk(flavour);
      const { subscribed: is, subscribed_fields } = await subscribed(talk.account);
      assert.ok(is);
      for (const field of flavour === ALONE ? LOGIN_FIELDS : PAGE_FIELDS)
        assert.ok(subscribed_fields.includes(field), `${field} is not in ${subscribed_fields}`);
      await talk.say("It works");
      assert.equal(talk.chat.metadata.page_id, flavour === PAGE ? talk.account.id : (talk.account.page ?? undefined));
    });

    test("a token that is no good is refused in Meta's words, and leaves nothing", async () => {
      const account = await w.meta.makeAccount(flavour);
      const before = await ids();
      const good = w.meta.credentials(account);
      assert.match(await refuse({ ...good, access_token: `${account.token.slice(0, 4)}NobodyKnowsThisOne` }), /^422 .*(access token|OAuth)/i);
      const other = await w.meta.makeAccount(flavour);
      assert.match(await refuse({ ...good, access_token: other.token }), /^422 .{15,}/);
      const owner = account.page ?? account.id;
      for (const [what, words] of [["revoke", /^422 .{15,}/], ["expire", /^422 .*expired/i]]) {
        const doomed = await w.meta.makeAccount(flavour);
        await w.meta.control("POST", `/accounts/${doomed.page ?? doomed.id}/${what}`, {});
        assert.match(await refuse(w.meta.credentials(doomed)), words);
      }
      await fault({ on: "account", bot: owner, kind: "status", status: 403, code: 200, description: "(#200) Requires pages_messaging permission" });
      assert.equal(await refuse(good), "422 (#200) Requires pages_messaging permission");
      await fault({ on: "subscribed_apps", bot: owner, kind: "status", status: 403, code: 200, count: 2,
        description: "(#200) To subscribe to the messages field, one of these permissions is needed: pages_messaging" });
      assert.match(await refuse(good), /^422 \(#200\) To subscribe to the messages field/);
      assert.deepEqual(await ids(), before);
      assert.equal((await connect(good)).status, 201);
    });

    test("a permission for comments is missing: connected for messages, and says so", async () => {
      const account = await w.meta.makeAccount(flavour);
      await fault({ on: "subscribed_apps", bot: account.page ?? account.id, kind: "status", status: 403, code: 200,
        description: "(#200) one permission for comments is missing" });
      const answer = await connect(w.meta.credentials(account));
      assert.equal(answer.status, 201);
      assert.ok((await subscribed(account)).subscribed_fields.includes("messages"));
      const detail = async () => (await w.api.get(`/api/profiles/${answer.json.profile.id}`)).status_detail;
      if (flavour === PAGE) assert.match(await until(detail, "the profile says so"), /feed/);
    });

    test("Meta asks to wait: 429; is out of reach: 503; nothing is left", async () => {
      const account = await w.meta.makeAccount(flavour);
      const before = await ids();
      const bot = account.page ?? account.id;
      await fault({ on: "account", bot, kind: "rate_limit", retry_after: 60 });
      const wait = await connect(w.meta.credentials(account));
      assert.equal(wait.status, 429);
      assert.ok(Number(wait.headers.get("retry-after")) > 0);
      for (const kind of [{ kind: "html", status: 502 }, { kind: "cut_before" }, { kind: "garbage" }]) {
        await fault({ on: "account", bot, count: -1, ...kind });
        assert.equal((await connect(w.meta.credentials(account))).status, 503, JSON.stringify(kind));
        await w.sandbox.control("DELETE", "/faults");
      }
      assert.deepEqual(await ids(), before);
    });

    test("connecting again keeps the id, takes the new token, subscribes again", async () => {
      const talk = await w.meta.talk(flavour);
      const owner = talk.account.page ?? talk.account.id;
      const { token } = await w.meta.control("POST", `/accounts/${owner}/tokens`, {});
      w.secrets.push(token);
      await w.meta.control("PATCH", `/accounts/${owner}`, { subscribed: false });
      const answer = await connect(w.meta.credentials({ ...talk.account, token }));
      assert.deepEqual([answer.status, answer.json.profile.id], [200, talk.profile.id]);
      assert.ok((await subscribed(talk.account)).subscribed);
      await w.meta.control("POST", `/accounts/${owner}/revoke`, {}).catch(() => {});
      const { token: newest } = await w.meta.control("POST", `/accounts/${owner}/tokens`, {});
      w.secrets.push(newest);
      assert.equal((await connect(w.meta.credentials({ ...talk.account, token: newest }))).json.profile.id, talk.profile.id);
      await talk.say("With the newest token");
      await talk.hear("It works");
    });

    test("two at once make one profile; a form and a multipart body do as well", async () => {
      const account = await w.meta.makeAccount(flavour);
      const credentials = w.meta.credentials(account);
      const multipart = new FormData();
      for (const [name, value] of Object.entries(credentials)) multipart.append(name, value);
      const answers = await Promise.all([connect(credentials), connect(credentials), connect(undefined, { form: credentials }),
        connect(undefined, { multipart })]);
      const good = answers.filter(({ status }) => status < 300);
      assert.ok(good.length >= 1, answers.map((a) => a.text).join("\n"));
      assert.equal(new Set(good.map((answer) => answer.json.profile.id)).size, 1);
      assert.equal((await profiles()).filter((profile) => profile.external_id === account.id).length, 1);
    });

    test("a deleted profile's events end, on Meta's side too, and it can come back", async () => {
      const account = await w.meta.account(flavour);
      await gone(account.profile);
      if (flavour !== LINKED) await until(async () => !(await onMeta(account.id)).subscribed, "the subscription has ended");
      await until(async () => (await told(account.profile, "profile.disconnected")).length === 1, "profile.disconnected");
      assert.equal((await connect(w.meta.credentials(account))).status, 201);
      assert.ok((await subscribed(account)).subscribed);
    });
  });

describe("what is missing, and what does not fit", () => {
  test("is named", async () => {
    for (const [body, words] of [
      [{ platform: "facebook", page_id: "100200300400501" }, "400 access_token is required"],
      [{ platform: "facebook", access_token: META.userToken }, "400 page_id is required"],
      [{ platform: "instagram", account_id: "17841400000000001" }, "400 access_token is required"],
      [{ platform: "instagram", access_token: META.userToken }, "400 account_id is required"],
      [{ platform: "instagram", page_id: "100200300400501", access_token: META.userToken }, "400 account_id is required"],
    ])
      assert.equal(await refuse(body), words);
  });

  test("an id may be a number", async () => {
    const account = await w.meta.makeAccount(PAGE);
    const body = `{"platform":"facebook","page_id":${account.id},"access_token":${JSON.stringify(account.token)}}`;
    const answer = await w.api.ask("POST", connectPath(), { body, headers: { "Content-Type": "application/json" } });
    assert.equal(answer.status, 201, answer.text);
    assert.equal((await w.api.get(`/api/profiles/${answer.json.profile.id}`)).external_id, account.id);
  });

  test("odd ids and tokens are refused, whatever they hold", async () => {
    const before = await ids();
    const { calls } = await callsOf(async () => {
      for (const odd of ["../1", "1/../2", "1?x=y", "me/accounts", "a b", "1\r\nX: y", "%2e%2e", "é"]) {
        assert.match(await refuse({ platform: "facebook", page_id: odd, access_token: "EAAx" }), /^4(00|22) /, odd);
        assert.match(await refuse({ platform: "instagram", account_id: odd, access_token: "EAAx" }), /^4(00|22) /, odd);
        assert.match(await refuse({ platform: "facebook", page_id: "1", access_token: odd }), /^4(00|22) /, odd);
      }
    });
    /* an account connected just before may be looked after meanwhile */
    for (const { path } of calls) assert.match(path, /^\/(instagram\/)?v\d+\.0\/(me|[\w%.-]+)(\/subscribed_apps)?$/);
    assert.deepEqual(await ids(), before);
  });

  test("a Page without an Instagram account, and one with another", async () => {
    const [bare, linked, other] = [await w.meta.makeAccount(PAGE), await w.meta.makeAccount(LINKED), await w.meta.makeAccount(LINKED)];
    const ask = (account_id, access_token, page_id) => refuse({ platform: "instagram", account_id, access_token, ...(page_id ? { page_id } : {}) });
    assert.match(await ask(linked.id, bare.token), /^422 .{15,}/);
    assert.match(await ask(linked.id, bare.token, bare.id), /^422 .{15,}/);
    assert.match(await ask(linked.id, other.token), /^422 .{15,}/);
    assert.match(await ask(linked.id, linked.token, other.page), /^422 .{15,}/);
    assert.match(await refuse({ platform: "facebook", page_id: linked.id, access_token: linked.token }), /^422 .{15,}/);
    assert.equal((await connect({ platform: "instagram", account_id: linked.id, access_token: linked.token })).status, 201, "page_id may be left out");
  });
});

describe("a Page and its Instagram account", () => {
  /** Both connected, with a person each. */
  async function both() {
    const instagram = await w.meta.account(LINKED);
    const { name, username } = await onMeta(instagram.page);
    const page = { id: instagram.page, token: instagram.token, flavour: PAGE, name, username };
    page.profile = await w.meta.connect(page);
    assert.notEqual(page.profile.id, instagram.profile.id);
    return [await w.meta.talk(PAGE, { account: page }), await w.meta.talk(LINKED, { account: instagram })];
  }

  for (const [n, which] of ["the Page", "the Instagram account"].entries())
    test(`are two profiles; when ${which} goes, the other goes on`, async () => {
      const talks = await both();
      for (const talk of talks) assert.equal((await talk.hear("both are here")).body, "both are here");
      const { calls } = await callsOf(async () => {
        await gone(talks[n].profile);
        await until(async () => (await told(talks[n].profile, "profile.disconnected")).length === 1, "it is told of");
        if (n === 0)
          await until(async () => !(await onMeta(talks[0].account.id)).subscribed_fields.includes("messages"), "the Page is not listened to");
      });
      assert.ok(!calls.some(({ operation, method }) => operation === "subscribed_apps" && method === "DELETE"), "the Page is unsubscribed");
      const other = talks[1 - n];
      assert.equal((await other.hear("still here")).body, "still here");
      await other.say("We too");
      await talks[n].write("Hello?");
      await other.hear("after that");
      assert.equal((await w.api.ask("GET", `/api/chats/${talks[n].chat.id}`)).status, 404);
    });
});

// ---- by Meta's own pages ----

/** Follows the address to the end: the sandbox's page decides at once, the callback is ours. Redirects elsewhere are not followed. */
async function grant(world, url, query = "sandbox_approve=1") {
  const there = await fetch(`${url}&${query}`, { redirect: "manual" });
  assert.equal(there.status, 302, await there.text());
  const back = there.headers.get("location");
  assert.ok(back.startsWith(`${world.api.url}/`), back);
  return { back, ...(await open(world, back)) };
}
async function open(world, address) {
  const answer = await world.api.with(null).ask("GET", address.slice(world.api.url.length).replace(/#.*/s, ""));
  return { status: answer.status, text: answer.text, location: answer.headers.get("location"), type: answer.headers.get("content-type") };
}

const bothWays = [
  { name: "facebook", platform: "facebook", flavour: PAGE, world: world({ ready: ({ meta }) => meta.setCallback() }) },
  { name: "instagram by Instagram Login", platform: "instagram", flavour: ALONE, world: world({ ready: ({ meta }) => meta.setCallback() }) },
  { name: "instagram by Facebook Login", platform: "instagram", flavour: LINKED,
    world: world({ env: { PARLEY_INSTAGRAM_APP_ID: "", PARLEY_INSTAGRAM_APP_SECRET: "" }, ready: ({ meta }) => meta.setCallback() }) },
];
for (const { name, platform, flavour, world: x } of bothWays)
  describe(`granting access, ${name}`, () => {
    const begin = async (more = {}) =>
      (await x.api.post(`/api/profile_groups/${x.groupId}/initialize_connection`, { platform, ...more }, { status: 200 })).url;
    const grantOf = (...accounts) => `sandbox_approve=1&${accounts.map((account) => `grant=${account.page ?? account.id}`).join("&")}`;
    const list = async () => (await x.api.get("/api/profiles")).data;
    const find = async (account) => (await list()).find((profile) => profile.external_id === account.id);

    test("the address is Meta's, and holds no secret", async () => {
      const url = new URL(await begin({ redirect_url: "https://app.example/back?x=1#there" }));
      const isOwn = flavour === ALONE;
      assert.equal(url.origin, x.sandbox.url);
      assert.match(url.pathname, isOwn ? /^\/instagram\/oauth\/authorize$/ : /^\/(v\d+\.0\/)?dialog\/oauth$/);
      assert.equal(url.searchParams.get("client_id"), isOwn ? META.instagram.id : META.app.id);
      assert.equal(url.searchParams.get("redirect_uri"), `${x.api.url}/connect/meta/callback`);
      const scope = url.searchParams.get("scope");
      const needed = {
        [PAGE]: ["pages_messaging", "pages_manage_metadata"],
        [LINKED]: ["instagram_manage_messages", "instagram_basic"],
        [ALONE]: ["instagram_business_manage_messages"],
      };
      for (const one of needed[flavour])
        assert.ok(scope.split(",").includes(one), scope);
      assert.ok(url.searchParams.get("state").length >= 32);
      for (const secret of [META.app.secret, META.instagram.secret, x.groupId, "app.example"]) assert.ok(!url.href.includes(secret), secret);
    });

    test("granted: the account is connected and works", async () => {
      const account = await x.meta.makeAccount(flavour);
      const { status, type, text } = await grant(x, await begin(), grantOf(account));
      assert.equal(status, 200, text);
      assert.match(type, /^text\/html/);
      assert.ok(text.includes("connected") && text.includes(account.name), text);
      const profile = await find(account);
      assert.deepEqual([profile.status, profile.platform, profile.profile_group_id], ["active", platform, x.groupId]);
      if (flavour === ALONE) {
        const left = Date.parse(profile.expires_at) - Date.now();
        assert.ok(left > 55 * DAY && left <= 60 * DAY, profile.expires_at);
      } else assert.equal(profile.expires_at, null);
      const talk = await x.meta.talk(flavour, { account: { ...account, profile } });
      await talk.say("By OAuth");
    });

    test("with a redirect_url it ends there", async () => {
      const account = await x.meta.makeAccount(flavour);
      const { status, location } = await grant(x, await begin({ redirect_url: "https://app.example/back?x=1#there" }), grantOf(account));
      assert.equal(status, 303);
      const url = new URL(location);
      assert.equal(`${url.origin}${url.pathname}`, "https://app.example/back");
      assert.equal(url.hash, "#there");
      assert.deepEqual(Object.fromEntries(url.searchParams), { x: "1", success: "true", profiles: (await find(account)).id });
    });

    test("denied: said so, nothing is connected", async () => {
      const before = await list();
      const page = await grant(x, await begin(), "sandbox_deny=1");
      assert.equal(page.status, 200);
      assert.match(page.text, /Permissions error/);
      assert.doesNotMatch(page.text, /is connected/);
      const { status, location } = await grant(x, await begin({ redirect_url: "https://app.example/back" }), "sandbox_deny=1");
      assert.equal(status, 303);
      const query = Object.fromEntries(new URL(location).searchParams);
      assert.equal(query.success, "false");
      assert.match(query.error, /Permissions error/);
      assert.deepEqual(await list(), before);
    });

    test("a state that was tampered with, or none, is a 400 and asks Meta nothing", async () => {
      const account = await x.meta.makeAccount(flavour);
      const there = await fetch(`${await begin()}&${grantOf(account)}`, { redirect: "manual" });
      const back = there.headers.get("location").replace(/#.*/s, "");
      const state = new URL(back).searchParams.get("state");
      const calls = (await x.meta.calls()).length;
      const middle = Math.floor(state.length / 2);
      const other = state[middle] === "A" ? "B" : "A";
      for (const bad of [`${state.slice(0, middle)}${other}${state.slice(middle + 1)}`, state.slice(0, -4), `${state}AAAA`, "", "%00", "x".repeat(3000)]) {
        const url = new URL(back);
        url.searchParams.set("state", bad);
        const answer = await open(x, url.href);
        assert.equal(answer.status, 400, bad);
      }
      assert.equal((await x.meta.calls()).length, calls);
      assert.equal(await find(account), undefined);
      assert.equal((await open(x, back)).status, 200);
      assert.ok(await find(account));
    });

    test("the address is good once, to look at it changes nothing, and a code must be Meta's", async () => {
      const account = await x.meta.makeAccount(flavour);
      const there = await fetch(`${await begin()}&${grantOf(account)}`, { redirect: "manual" });
      const back = there.headers.get("location");
      const look = await x.api.with(null).ask("HEAD", back.slice(x.api.url.length).replace(/#.*/s, ""));
      assert.deepEqual([look.status, look.text], [200, ""]);
      assert.equal(await find(account), undefined);
      const exchanges = async () => (await x.meta.calls()).filter((call) => JSON.stringify(call).includes("access_token")).length;
      const looked = await exchanges();
      assert.equal((await open(x, back)).status, 200);
      const before = await list();
      const exchanged = await exchanges();
      assert.ok(exchanged > looked);
      const again = await open(x, back);
      assert.equal(again.status, 400);
      assert.match(again.text, /used already/);
      assert.equal(await exchanges(), exchanged);
      const url = new URL(back);
      url.searchParams.set("state", new URL(await begin()).searchParams.get("state"));
      const used = await open(x, url.href);
      assert.equal(used.status, 422);
      assert.match(used.text, /code has been used/);
      url.searchParams.set("state", new URL(await begin()).searchParams.get("state"));
      url.searchParams.set("code", "<script>alert(1)</script>");
      const made = await open(x, url.href);
      assert.equal(made.status, 422);
      assert.ok(!made.text.includes("<script>alert"));
      assert.deepEqual(await list(), before);
    });

    test("granted again: the same profile", async () => {
      const account = await x.meta.makeAccount(flavour);
      await grant(x, await begin(), grantOf(account));
      const { id } = await find(account);
      await grant(x, await begin(), grantOf(account));
      assert.equal((await list()).filter((profile) => profile.external_id === account.id).length, 1);
      assert.equal((await find(account)).id, id);
    });

    if (flavour !== ALONE) {
      test("several Pages at once, one of which cannot", async () => {
        const accounts = [await x.meta.makeAccount(flavour), await x.meta.makeAccount(flavour), await x.meta.makeAccount(flavour)];
        const broken = accounts[1].page ?? accounts[1].id;
        await x.sandbox.fault({ platform: "meta", on: "subscribed_apps", bot: broken, kind: "status", status: 403, code: 200, count: 2,
          description: "(#200) Not for <this> Page" });
        const { text, status } = await grant(x, await begin(), grantOf(...accounts));
        assert.equal(status, 200);
        assert.ok(text.includes("Not for &lt;this&gt; Page"), text);
        assert.deepEqual([!!(await find(accounts[0])), !!(await find(accounts[1])), !!(await find(accounts[2]))], [true, false, true]);
      });

      test("nothing that could be connected is a sentence", async () => {
        const other = flavour === PAGE ? "grant=1" : `grant=${(await x.meta.makeAccount(PAGE)).id}`;
        const { status, text } = await grant(x, await begin(), `sandbox_approve=1&${other}`);
        assert.equal(status, 422);
        assert.match(text, /granted to no Page/);
      });
    }

    test("Meta out of reach at the exchange is said", async () => {
      const account = await x.meta.makeAccount(flavour);
      await x.sandbox.fault({ platform: "meta", on: "exchange", kind: "html", status: 502, count: -1 });
      const { status } = await grant(x, await begin(), grantOf(account));
      await x.sandbox.control("DELETE", "/faults");
      assert.ok([422, 503].includes(status), String(status));
      assert.equal(await find(account), undefined);
    });
  });

describe("a redirect_url that leads nowhere", () => {
  for (const redirect_url of ["javascript:alert(1)", "/back", "ftp://app.example/", "http://", "x".repeat(2000), 5])
    test(String(redirect_url).slice(0, 30), async () => {
      assert.match(await refuse({ platform: "facebook", redirect_url }), /^4(00|22) .*redirect_url/);
    });
});

describe("a server without an app", () => {
  const bare = world({ env: { PARLEY_META_APP_ID: "", PARLEY_META_APP_SECRET: "", PARLEY_INSTAGRAM_APP_ID: "", PARLEY_INSTAGRAM_APP_SECRET: "" } });
  test("names the settings", async () => {
    for (const [platform, name] of [
      ["facebook", "PARLEY_META_APP_ID"], ["facebook", "PARLEY_META_APP_SECRET"],
      ["instagram", "PARLEY_INSTAGRAM_APP_ID"], ["instagram", "PARLEY_META_APP_ID"],
    ]) {
      const refusal = await bare.api.refusal("POST", `/api/profile_groups/${bare.groupId}/initialize_connection`, { platform });
      assert.ok(refusal.startsWith("422 ") && refusal.includes(name), refusal);
    }
  });
});

describe("a server without a public URL", () => {
  const hidden = world({ webhook: false });
  test("names the setting, and connects by token all the same", async () => {
    const refusal = await hidden.api.refusal("POST", `/api/profile_groups/${hidden.groupId}/initialize_connection`, { platform: "facebook" });
    assert.match(refusal, /^422 .*PARLEY_PUBLIC_URL/);
    for (const flavour of FLAVOURS) assert.equal((await hidden.meta.account(flavour)).profile.status, "active");
  });
});

describe("a token of Instagram Login is renewed when that is due", { skip: !onPostgres && noSqliteTool }, () => {
  const x = world({ ready: ({ meta }) => meta.setCallback() });

  /** As if its day had come: the server's clock is the real one, so what it has written down is changed. */
  async function becomesDue() {
    await x.server.stop();
    x.changeDatabase("UPDATE job SET due_at = 1 WHERE due_at IN (SELECT refresh_at FROM profile WHERE refresh_at > 0);"
      + " UPDATE profile SET refresh_at = 1 WHERE refresh_at > 0;");
    await x.serve();
  }
  const renewals = async (talk) => x.meta.calls(`?account=${talk.account.id}&operation=refresh`);
  const profile = (talk) => x.api.get(`/api/profiles/${talk.profile.id}`);

  test("a day old: renewed for sixty days", async () => {
    const talk = await x.meta.talk(ALONE);
    assert.equal((await profile(talk)).expires_at, null);
    await x.sandbox.advance(DAY + 60_000);
    await becomesDue();
    const { expires_at, status } = await until(async () => {
      const now = await profile(talk);
      return now.expires_at && now;
    }, "it was renewed");
    assert.equal(status, "active");
    const left = Date.parse(expires_at) - Date.now();
    assert.ok(left > 55 * DAY && left <= 60 * DAY, expires_at);
    const calls = await renewals(talk);
    assert.deepEqual(calls.map((call) => [call.status, call.params.grant_type]), [[200, "ig_refresh_token"]]);
    await talk.hear("Hello again");
    await talk.say("With the renewed token");
    await x.api.delete(`/api/profiles/${talk.profile.id}`);
  });

  test("too young, or Meta has a bad day: the old one goes on", async () => {
    const talk = await x.meta.talk(ALONE);
    await becomesDue();
    await until(async () => (await renewals(talk)).length === 1, "it asked");
    assert.notEqual((await renewals(talk))[0].status, 200);
    await talk.say("The old one is good");
    assert.equal((await profile(talk)).status, "active");
    await x.sandbox.advance(DAY + 60_000);
    await x.sandbox.fault({ platform: "meta", on: "refresh", kind: "html", status: 502 });
    await becomesDue();
    await until(async () => (await profile(talk)).expires_at, "it was renewed at the second try", 30);
    await x.api.delete(`/api/profiles/${talk.profile.id}`);
  });

  test("dead: the profile is expired, which is told once", async () => {
    const talk = await x.meta.talk(ALONE);
    await x.sandbox.advance(DAY + 60_000);
    await x.meta.control("POST", `/accounts/${talk.account.id}/revoke`, {});
    await becomesDue();
    await until(async () => (await profile(talk)).status === "expired", "the profile is expired");
    const events = (await x.api.get("/api/events?limit=1000&types=profile.disconnected")).data.filter(({ data }) => data.id === talk.profile.id);
    assert.deepEqual(events.map(({ data }) => data.status), ["expired"]);
    assert.match(await talk.refusal({ body: "x" }), /^422 /);
  });
});
