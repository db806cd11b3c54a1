// Profile groups, profiles, and connecting accounts, with webhooks and with polling.
import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { until } from "./lib/until.js";
import { world } from "./lib/world.js";

for (const webhook of [true, false])
  describe(webhook ? "connecting with a public URL" : "connecting without a public URL", () => {
    const w = world({ webhook });
    const connect = (groupId) => `/api/profile_groups/${groupId ?? w.groupId}/initialize_connection`;
    const telegram = (bot_token) => ({ platform: "telegram", bot_token });

    test("a good token makes a profile", async () => {
      const bot = await w.makeBot({ first_name: "Lindgren Help" });
      const answer = await w.api.post(connect(), telegram(bot.token), { status: 201 });
      const { id } = answer.profile;
      assert.deepEqual(answer.profile, { id, network: "telegram", name: "Lindgren Help", external_username: bot.username });
      assert.ok(answer.next_step.includes(`https://t.me/${bot.username}`), answer.next_step);
      assert.deepEqual(await w.api.get(`/api/profiles/${id}`), {
        id,
        name: "Lindgren Help",
        status: "active",
        platform: "telegram",
        profile_group_id: w.groupId,
        expires_at: null,
        post_count: 0,
        external_id: String(bot.id),
        username: bot.username,
        capabilities: { text: true, attachments: true, reactions: false, edit: true, receipts: false, archive: false, private_reply: false },
        status_detail: null,
      });
      const { data } = await w.api.get("/api/profiles");
      assert.equal(data.filter((profile) => profile.id === id).length, 1);
    });

    test("updates come the way the server can take them", async () => {
      const bot = await w.bot();
      const seen = await until(async () => {
        const { data } = await w.sandbox.control("GET", "/telegram/bots");
        const { webhook_url } = data.find(({ id }) => id === bot.id);
        const calls = (await w.sandbox.control("GET", `/telegram/bots/${bot.id}/calls`)).data.map((call) => call.method);
        return (webhook ? webhook_url !== "" : calls.includes("getUpdates")) && { webhook_url, calls };
      }, "the bot is listened to");
      assert.equal(seen.webhook_url, webhook ? `${w.api.url}/webhooks/telegram/${bot.profile.id}` : "");
      assert.equal(seen.calls[0], "getMe");
      assert.equal(seen.calls.includes("getUpdates"), !webhook);
    });

    test("a person's first message makes the chat", async () => {
      const talk = await w.talk();
      assert.equal(talk.chat.profile_id, talk.profile.id);
      assert.equal(talk.chat.participant_name, `${talk.person.first_name} Test`);
    });

    test("a token Telegram does not know is refused with its words", async () => {
      for (const [token, words] of [
        ["123456789:AAnobodyKnowsThisTokenOfNobody00000000", /^422 Unauthorized$/],
        ["no-colon", /^422 Unauthorized/],
      ])
        assert.match(await w.api.refusal("POST", connect(), telegram(token)), words);
      const before = await w.api.get("/api/profiles");
      const bot = await w.makeBot();
      await w.sandbox.control("DELETE", `/telegram/bots/${bot.id}`);
      assert.equal(await w.api.refusal("POST", connect(), telegram(bot.token)), "422 Unauthorized");
      assert.deepEqual(await w.api.get("/api/profiles"), before);
    });

    test("odd tokens are refused, whatever they hold", async () => {
      const before = await w.api.get("/api/profiles");
      for (const token of ["1:a/../../getMe", "1:a?b=c#d", "1:a b", "1:\r\nX: y", "1:é", "../1:a", `1:${"x".repeat(5000)}`, "%2e%2e", "1:%00"]) {
        const refusal = await w.api.refusal("POST", connect(), telegram(token));
        assert.match(refusal, /^4(00|22) /, `${token.slice(0, 40)}: ${refusal}`);
      }
      assert.deepEqual(await w.api.get("/api/profiles"), before);
    });

    test("what is missing is named", async () => {
      for (const [body, words] of [
        [{}, "400 platform is required"],
        [{ platform: "" }, "400 platform is required"],
        [{ platform: null }, "400 platform is required"],
        [{ platform: "telegram" }, "400 bot_token is required"],
        [{ platform: "telegram", bot_token: "" }, "400 bot_token is required"],
        [{ platform: "telegram", bot_token: null }, "400 bot_token is required"],
        [{ platform: "telegram", redirect_url: "https://app.example/back" }, "400 bot_token is required"],
      ])
        assert.equal(await w.api.refusal("POST", connect(), body), words, JSON.stringify(body));
    });

    for (const platform of ["tiktok", "linkedin", "youtube", "twitter", "threads", "pinterest", "google_business", "myspace"])
      test(`${platform} has no direct messages here`, async () => {
        assert.equal(await w.api.refusal("POST", connect(), { platform, redirect_url: "https://app.example/back" }),
          `422 Direct messages are not supported on ${platform}`);
      });

    test("a platform in capitals is told how it is written", async () => {
      assert.equal(await w.api.refusal("POST", connect(), { platform: "Telegram", bot_token: "1:a" }), "422 platform is 'telegram' in small letters, not 'Telegram'");
    });

    for (const [body, words] of [
      [{ platform: "facebook", page_id: "1", access_token: "x" }, "Invalid OAuth access token"],
      [{ platform: "instagram", account_id: "1", access_token: "x" }, "Invalid OAuth access token"],
      [{ platform: "instagram", account_id: "1", page_id: "2", access_token: "x" }, "Invalid OAuth access token"],
      [{ platform: "bluesky", identifier: "desk.sandbox.test", app_password: "abcd-efgh-ijkl-mnop" }, "Invalid identifier or password"],
    ])
      test(`${JSON.stringify(body)} is refused in the platform's words`, async () => {
        const refusal = await w.api.refusal("POST", connect(), body);
        assert.ok(refusal.startsWith("422 ") && refusal.includes(words), refusal);
      });

    for (const body of [{ platform: "facebook" }, { platform: "instagram" }, { platform: "instagram", redirect_url: "https://app.example/back" }])
      test(`${JSON.stringify(body)} ${webhook ? "answers where access is granted" : "needs a public URL to come back to"}`, async () => {
        if (!webhook) {
          assert.match(await w.api.refusal("POST", connect(), body), /^422 .*public URL/);
          return;
        }
        const { success, url } = await w.api.post(connect(), body, { status: 200 });
        assert.equal(success, true);
        assert.ok(url.startsWith(w.sandbox.url), url);
        const { searchParams } = new URL(url);
        assert.ok(searchParams.get("client_id") && searchParams.get("state"), url);
        assert.ok(searchParams.get("redirect_uri").startsWith(w.settings.PARLEY_PUBLIC_URL), url);
        const again = await w.api.post(connect(), body, { status: 200 });
        assert.notEqual(new URL(again.url).searchParams.get("state"), searchParams.get("state"), "each time another state");
      });

    test("connecting again keeps the id and takes the new token", async () => {
      const talk = await w.talk();
      const again = await until(async () => {
        const answer = await w.api.ask("POST", connect(), { json: telegram(talk.bot.token) });
        return answer.status !== 429 && answer;
      }, "Telegram lets the webhook be set again");
      assert.equal(again.status, 200);
      assert.equal(again.json.profile.id, talk.profile.id);
      const bot = await w.sandbox.control("POST", `/telegram/bots/${talk.bot.id}/revoke`);
      w.secrets.push(bot.token);
      assert.equal((await w.connect(bot)).id, talk.profile.id);
      assert.equal((await talk.say("With the new token")).status, "published");
      assert.equal((await talk.hear("It works")).body, "It works");
    });

    test("two at once make one profile", async () => {
      const bot = await w.makeBot();
      const answers = await Promise.all(Array.from({ length: 6 }, () => w.api.ask("POST", connect(), { json: telegram(bot.token) })));
      const good = answers.filter(({ status }) => status < 300);
      assert.ok(good.length >= 1);
      assert.equal(new Set(good.map((answer) => answer.json.profile.id)).size, 1);
      const { data } = await w.api.get("/api/profiles");
      assert.equal(data.filter((profile) => profile.external_id === String(bot.id)).length, 1);
    });

    test("a form and a multipart body do as well as JSON", async () => {
      const bot = await w.makeBot();
      const { profile } = await w.api.take("POST", connect(), { form: telegram(bot.token), status: 201 });
      const multipart = new FormData();
      multipart.append("platform", "telegram");
      multipart.append("bot_token", bot.token);
      assert.equal((await w.api.take("POST", connect(), { multipart, status: 200 })).profile.id, profile.id);
    });

    test("Telegram asking to wait is a 429, Telegram out of reach a 503", async () => {
      const bot = await w.makeBot();
      await w.sandbox.fault({ bot: bot.id, kind: "rate_limit", retry_after: 7 });
      const wait = await w.api.ask("POST", connect(), { json: telegram(bot.token) });
      assert.equal(wait.status, 429);
      assert.equal(wait.headers.get("retry-after"), "7");
      await w.sandbox.fault({ bot: bot.id, kind: "html", status: 502, count: -1 });
      const away = await w.api.ask("POST", connect(), { json: telegram(bot.token) });
      await w.sandbox.control("DELETE", "/faults");
      assert.equal(away.status, 503);
      assert.equal((await w.api.get("/api/profiles")).data.some((profile) => profile.external_id === String(bot.id)), false);
      await w.api.post(connect(), telegram(bot.token), { status: 201 });
    });

    test("disconnecting removes profile, chats, messages and the webhook", async () => {
      const talk = await w.talk();
      const message = await talk.say("Bye");
      assert.deepEqual(await w.api.delete(`/api/profiles/${talk.profile.id}`), { success: true });
      assert.match(await w.api.refusal("GET", `/api/profiles/${talk.profile.id}`), /^404 /);
      assert.match(await w.api.refusal("GET", `/api/profiles/${talk.profile.id}/chats`), /^404 /);
      assert.match(await w.api.refusal("GET", `/api/chats/${talk.chat.id}`), /^404 /);
      assert.match(await w.api.refusal("GET", `/api/messages/${message.id}`), /^404 /);
      assert.match(await w.api.refusal("DELETE", `/api/profiles/${talk.profile.id}`), /^404 /);
      assert.equal((await w.api.get("/api/profiles")).data.some((profile) => profile.id === talk.profile.id), false);
      await until(async () => {
        const { data } = await w.sandbox.control("GET", "/telegram/bots");
        return data.find(({ id }) => id === talk.bot.id).webhook_url === "";
      }, "the webhook is gone");
      const profile = await w.connect(talk.bot);
      assert.equal((await w.api.get(`/api/profiles/${profile.id}/chats`)).total, 0);
    });

    test("placements are empty on Telegram", async () => {
      const bot = await w.bot();
      assert.deepEqual(await w.api.get(`/api/profiles/${bot.profile.id}/placements`), { data: [] });
      assert.match(await w.api.refusal("GET", "/api/profiles/prof_11111111111/placements"), /^404 /);
    });

    test("a token revoked later makes the profile expired, until it is connected again", async () => {
      const talk = await w.talk();
      await talk.fault({ on: "sendMessage", kind: "rate_limit", retry_after: 1 });
      const waiting = await talk.send("Accepted with the old token");
      await talk.reaches(waiting, "failed_waiting_for_retry");
      const bot = await w.sandbox.control("POST", `/telegram/bots/${talk.bot.id}/revoke`);
      w.secrets.push(bot.token);
      const expired = await until(async () => {
        const profile = await w.api.get(`/api/profiles/${talk.profile.id}`);
        return profile.status === "expired" && profile;
      }, "the profile is expired");
      assert.ok(expired.status_detail);
      assert.match(await talk.refusal({ body: "No more" }), /^422 .*connect/);
      assert.equal((await w.api.get(`/api/messages/${waiting.id}`)).status, "failed_waiting_for_retry");
      await w.connect(bot);
      assert.equal((await w.api.get(`/api/profiles/${talk.profile.id}`)).status, "active");
      await talk.reaches(waiting, "published");
    });
  });

describe("profile groups", () => {
  const w = world();

  test("are made with a name, plain or nested", async () => {
    const plain = await w.api.post("/api/profile_groups", { name: "Harbour Bikes" }, { status: 201 });
    assert.deepEqual(plain, { id: plain.id, name: "Harbour Bikes", profiles_count: 0 });
    assert.deepEqual(await w.api.get(`/api/profile_groups/${plain.id}`), plain);
    for (const options of [{ json: { profile_group: { name: "Ö" } } }, { form: { name: "Ö" } }, { form: { "profile_group[name]": "Ö" } }])
      assert.equal((await w.api.take("POST", "/api/profile_groups", { ...options, status: 201 })).name, "Ö");
    const { data } = await w.api.get("/api/profile_groups");
    assert.ok(data.some((group) => group.id === plain.id));
  });

  test("need a name", async () => {
    for (const body of [{}, { name: "" }, { name: null }, { name: "  " }, { profile_group: {} }, { profile_group: { name: "" } }, { profile_group: null }])
      assert.equal(await w.api.refusal("POST", "/api/profile_groups", body), "400 name is required", JSON.stringify(body));
  });

  test("are deleted only when empty", async () => {
    const group = await w.api.post("/api/profile_groups", { name: "Soon gone" });
    const bot = await w.makeBot();
    const profile = await w.connect(bot, group.id);
    assert.equal(profile.profile_group_id, group.id);
    assert.equal((await w.api.get(`/api/profile_groups/${group.id}`)).profiles_count, 1);
    assert.match(await w.api.refusal("DELETE", `/api/profile_groups/${group.id}`), /^409 /);
    await w.api.delete(`/api/profiles/${profile.id}`);
    assert.equal((await w.api.get(`/api/profile_groups/${group.id}`)).profiles_count, 0);
    assert.deepEqual(await w.api.delete(`/api/profile_groups/${group.id}`), { deleted: true });
    assert.match(await w.api.refusal("GET", `/api/profile_groups/${group.id}`), /^404 /);
    assert.match(await w.api.refusal("DELETE", `/api/profile_groups/${group.id}`), /^404 /);
  });

  test("that do not exist are not found", async () => {
    for (const id of ["grp_11111111111", "grp_", "grp_0", "nonsense", "prof_11111111111", `grp_${"1".repeat(500)}`]) {
      assert.match(await w.api.refusal("GET", `/api/profile_groups/${id}`), /^404 /, id);
      assert.match(await w.api.refusal("DELETE", `/api/profile_groups/${id}`), /^404 /, id);
      assert.match(await w.api.refusal("POST", `/api/profile_groups/${id}/initialize_connection`, { platform: "telegram", bot_token: "1:a" }), /^404 /, id);
    }
  });

  test("a bot connected again stays in its group", async () => {
    const group = await w.api.post("/api/profile_groups", { name: "First" });
    const bot = await w.makeBot();
    const profile = await w.connect(bot, group.id);
    const again = await w.connect(bot, w.groupId);
    assert.equal(again.id, profile.id);
    assert.equal(again.profile_group_id, group.id);
  });
});

describe("connecting without an app of Meta's", () => {
  const w = world({ env: { PARLEY_META_APP_ID: "", PARLEY_META_APP_SECRET: "", PARLEY_INSTAGRAM_APP_ID: "", PARLEY_INSTAGRAM_APP_SECRET: "" } });

  test("the OAuth form is a 422 that says what is missing", async () => {
    const path = `/api/profile_groups/${w.groupId}/initialize_connection`;
    for (const platform of ["facebook", "instagram"]) assert.match(await w.api.refusal("POST", path, { platform }), /^422 .*PARLEY_META_APP/, platform);
  });
});
