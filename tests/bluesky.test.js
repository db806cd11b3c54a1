// Bluesky accounts: connecting them, their chats, sending, what is refused, and archiving.
import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { until } from "./lib/until.js";
import { world } from "./lib/world.js";

const w = world({ webhook: false, env: { PARLEY_ALLOW_PRIVATE_ADDRESSES: "127.0.0.0/8" } });
const connecting = () => `/api/profile_groups/${w.groupId}/initialize_connection`;
const refusal = (body) => w.api.refusal("POST", connecting(), { platform: "bluesky", ...body });
const profiles = async () => (await w.api.get("/api/profiles")).data;
const change = (account, members) => w.bluesky.control("PATCH", `/accounts/${account.did}`, members);

/** The message once it is published or failed. */
const ended = (message) => until(async () => {
  const now = await w.api.get(`/api/messages/${message.id}`);
  return ["published", "failed"].includes(now.status) && now;
}, "the message has ended");

describe("connecting", () => {
  test("makes a profile of the account", async () => {
    const account = await w.bluesky.makeAccount({ display_name: "Lindgren Ceramics" });
    const answer = await w.api.post(connecting(), w.bluesky.credentials(account), { status: 201 });
    const { id } = answer.profile;
    assert.deepEqual(answer, { success: true, profile: { id, network: "bluesky", name: "Lindgren Ceramics", external_username: account.handle } });
    assert.deepEqual(await w.api.get(`/api/profiles/${id}`), {
      id,
      name: "Lindgren Ceramics",
      status: "active",
      platform: "bluesky",
      profile_group_id: w.groupId,
      expires_at: null,
      post_count: 0,
      external_id: account.did,
      username: account.handle,
      capabilities: { text: true, attachments: false, reactions: false, edit: false, receipts: false, archive: true, private_reply: false },
      status_detail: null,
    });
    assert.deepEqual(await w.api.get(`/api/profiles/${id}/placements`), { data: [] });
  });

  test("takes a handle, with an @ or in capitals too, a DID, or an e-mail address: it is one profile", async () => {
    const account = await w.bluesky.makeAccount({ email: "lindgren@example.com" });
    const ids = new Set();
    for (const identifier of [account.handle, `@${account.handle}`, ` ${account.handle.toUpperCase()} `, account.did, account.email]) {
      const answer = await w.api.post(connecting(), { platform: "bluesky", identifier, app_password: account.password });
      assert.equal(answer.profile.external_username, account.handle, identifier);
      ids.add(answer.profile.id);
    }
    assert.equal(ids.size, 1);
    assert.equal((await profiles()).filter((p) => p.external_id === account.did).length, 1);
  });

  test("again, under another name, keeps the profile", async () => {
    const account = await w.bluesky.account();
    await change(account, { handle: `renamed-${account.handle}`, display_name: "Renamed" });
    const answer = await w.api.post(connecting(), { ...w.bluesky.credentials(account), identifier: account.did });
    assert.deepEqual(answer.profile, { id: account.profile.id, network: "bluesky", name: "Renamed", external_username: `renamed-${account.handle}` });
    const again = await w.api.get(`/api/profiles/${account.profile.id}`);
    assert.deepEqual([again.name, again.username, again.external_id], ["Renamed", `renamed-${account.handle}`, account.did]);
  });

  test("what is missing is named", async () => {
    for (const [body, words] of [
      [{}, "400 identifier is required"],
      [{ identifier: "", app_password: "x" }, "400 identifier is required"],
      [{ app_password: "abcd-efgh-ijkl-mnop" }, "400 identifier is required"],
      [{ identifier: "a.example" }, "400 app_password is required"],
      [{ identifier: "a.example", app_password: null }, "400 app_password is required"],
    ])
      assert.equal(await refusal(body), words, JSON.stringify(body));
  });

  test("wrong credentials are refused with the platform's words, and make no profile", async () => {
    const account = await w.bluesky.makeAccount();
    const before = await profiles();
    for (const [identifier, app_password] of [
      [account.handle, "aaaa-bbbb-cccc-dddd"],
      [account.handle, "not an app password"],
      [account.did, "ä\u0001\"}"],
      ["nobody.sandbox.test", account.password],
      ["did:plc:aaaaaaaaaaaaaaaaaaaaaaaa", account.password],
      ["nobody@example.com", account.password],
    ])
      assert.match(await refusal({ identifier, app_password }), /^422 Invalid identifier or password/, identifier);
    for (const identifier of ["not a handle", "a/../b", "\r\nX: y", "did:", "@", "x".repeat(3000)])
      assert.match(await refusal({ identifier, app_password: account.password }), /^4(00|22) .{10,}/, identifier.slice(0, 40));
    assert.deepEqual(await profiles(), before);
  });

  test("an account that cannot be used is refused, and why", async () => {
    for (const [status, words] of [["takendown", /^422 .*taken down/], ["deactivated", /^422 .*deactivated/], ["deleted", /^422 .{10,}/]]) {
      const account = await w.bluesky.makeAccount();
      await change(account, { status });
      assert.match(await refusal({ identifier: account.did, app_password: account.password }), words, status);
      assert.ok(!(await profiles()).some((p) => p.external_id === account.did), status);
    }
  });

  test("an app password that may not read messages is refused, and how to make one that may", async () => {
    const account = await w.bluesky.makeAccount();
    for (const bad_token of ["Bad token method", "Bad token scope"])
      await w.bluesky.under({ bad_token }, async () => {
        assert.match(await refusal({ identifier: account.handle, app_password: account.plain }), /^422 .*direct messages.*App passwords.*Allow access/s, bad_token);
      });
    assert.equal((await profiles()).filter((p) => p.external_id === account.did).length, 0);
  });

  test("an account password with a second factor is refused, and what to take instead", async () => {
    const account = await w.bluesky.makeAccount({ two_factor: true });
    assert.match(await refusal({ identifier: account.handle, app_password: "sandbox-password" }), /^422 .*app password/i);
  });

  test("a server that is no server, or none of ours to ask, is refused", async () => {
    const account = await w.bluesky.makeAccount();
    for (const service of ["nonsense", "ftp://a.example", "http://169.254.169.254", "http://10.0.0.1"])
      assert.match(await refusal({ identifier: account.handle, app_password: account.password, service }), /^422 .*service/, service);
  });

  test("too many logins are a 429, and connecting works when they are allowed again", async () => {
    const account = await w.bluesky.makeAccount();
    await w.bluesky.under({ logins_per_5_minutes: 1 }, async () => {
      await w.bluesky.connect(account);
      const answer = await w.api.ask("POST", connecting(), { json: w.bluesky.credentials(account) });
      assert.equal(answer.status, 429, answer.text);
      assert.ok(Number(answer.headers.get("retry-after")) >= 1);
    });
    await w.bluesky.connect(account);
  });

  test("a log in whose chat service is away makes no profile", async () => {
    const account = await w.bluesky.makeAccount();
    await w.sandbox.fault({ platform: "bluesky", on: "getLog", kind: "status", status: 503, description: "away", count: 1, account: account.did });
    const answer = await w.api.ask("POST", connecting(), { json: w.bluesky.credentials(account) });
    assert.ok([422, 429, 502, 503].includes(answer.status), `${answer.status} ${answer.text}`);
    assert.equal((await profiles()).filter((p) => p.external_id === account.did).length, 0);
    await w.sandbox.control("DELETE", "/faults");
    assert.equal((await w.bluesky.connect(account)).status, "active");
  });
});

describe("disconnecting", () => {
  test("ends the profile and the asking", async () => {
    const [gone, stays] = [await w.bluesky.talk(), await w.bluesky.talk()];
    assert.deepEqual(await w.api.delete(`/api/profiles/${gone.profile.id}`), { success: true });
    assert.match(await w.api.refusal("GET", `/api/profiles/${gone.profile.id}`), /^404 /);
    await stays.hear("one"); // by now a poll that was under way has ended
    const polls = await w.bluesky.count(gone.account, "getLog");
    for (const text of ["two", "three", "four"]) await stays.hear(text);
    assert.equal(await w.bluesky.count(gone.account, "getLog"), polls);
    const { data } = await w.api.get("/api/events?types=profile.disconnected&limit=100");
    assert.equal(data.filter((event) => event.data.id === gone.profile.id).length, 1);
  });

  test("and connecting again begins anew", async () => {
    const talk = await w.bluesky.talk();
    await w.api.delete(`/api/profiles/${talk.profile.id}`);
    talk.profile = await w.bluesky.connect(talk.account);
    assert.notEqual(talk.profile.id, talk.account.profile.id);
    const { id } = await talk.write("again");
    talk.chat = await until(() => talk.findChat(), "the chat is here again");
    assert.equal((await talk.find(id)).body, "again");
  });
});

describe("chats", () => {
  test("are what they are, with `archived`", async () => {
    const talk = await w.bluesky.talk();
    const [first] = await talk.list();
    const { chat } = talk;
    assert.deepEqual(chat, {
      id: chat.id,
      profile_id: talk.profile.id,
      platform: "bluesky",
      participant_external_id: talk.person.did,
      participant_username: talk.person.handle,
      participant_name: talk.person.display_name,
      participant_avatar_url: null,
      external_conversation_id: (await w.bluesky.control("GET", `/accounts/${talk.account.did}/convos`)).data[0].id,
      last_inbound_at: first.external_posted_at,
      last_outbound_at: null,
      last_message_at: first.external_posted_at,
      metadata: { muted: false, participant_fetched_at: chat.metadata.participant_fetched_at },
      archived: false,
      created_at: chat.created_at,
    });
    assert.deepEqual(await w.api.get(`/api/chats/${chat.external_conversation_id}`), chat);
    assert.deepEqual((await w.api.get(`/api/profiles/${talk.profile.id}/chats`)).data, [chat]);
  });

  test("only here have `archived`", async () => {
    const telegram = await w.talk();
    assert.ok(!("archived" in telegram.chat));
    assert.ok(!("muted" in telegram.chat.metadata));
    assert.match(await w.api.refusal("POST", `/api/chats/${telegram.chat.id}/archive`), /^422 /);
  });

  test("show who the person is: handle, name, picture", async () => {
    const talk = await w.bluesky.talk({ person: await w.bluesky.makeAccount({ display_name: "Inês 🌊", avatar: true }) });
    const chat = await until(async () => {
      const now = await talk.readChat();
      return now.participant_avatar_url && now;
    }, "the picture is here");
    assert.deepEqual([chat.participant_username, chat.participant_name], [talk.person.handle, "Inês 🌊"]);
    assert.ok(chat.participant_avatar_url.startsWith(`${w.api.url}/storage/`));
    const file = await w.api.with(null).ask("GET", new URL(chat.participant_avatar_url).pathname);
    assert.equal(file.headers.get("content-type"), "image/png");
    assert.ok(file.bytes.length > 0);
    const asked = await w.bluesky.count(talk.account, "getProfile");
    for (const text of ["one", "two", "three"]) await talk.hear(text);
    assert.equal(await w.bluesky.count(talk.account, "getProfile"), asked, "not again within the hour");
  });

  test("a person without a display name has none", async () => {
    const talk = await w.bluesky.talk({ person: await w.bluesky.makeAccount({ display_name: "" }) });
    assert.deepEqual([talk.chat.participant_username, talk.chat.participant_name], [talk.person.handle, null]);
  });

  test("an account that is deleted keeps its chat, under no made-up name", async () => {
    const [account, person] = [await w.bluesky.makeAccount(), await w.bluesky.makeAccount()];
    await w.bluesky.control("POST", `/accounts/${person.did}/messages`, { to: account.did, text: "Remember me" });
    await change(person, { status: "deleted" });
    const profile = await w.bluesky.connect(account);
    const chat = await until(async () => (await w.api.get(`/api/profiles/${profile.id}/chats`)).data[0], "the chat is here");
    assert.equal(chat.participant_external_id, person.did);
    assert.notEqual(chat.participant_username, "missing.invalid");
    assert.notEqual(chat.participant_name, "missing.invalid");
    assert.equal((await w.api.get(`/api/chats/${chat.id}/messages`)).data[0].body, "Remember me");
  });
});

describe("sending", () => {
  test("a first message to a DID begins the conversation", async () => {
    const talk = await w.bluesky.silence();
    assert.deepEqual([talk.chat.external_conversation_id, talk.chat.archived, talk.chat.last_message_at], [null, false, null]);
    const messages = [await talk.send("one"), await talk.send("two"), await talk.send("three")];
    assert.deepEqual([messages[0].status, messages[0].external_id, messages[0].direction], ["pending", null, "outbound"]);
    const published = [];
    for (const message of messages) published.push(await talk.reaches(message, "published"));
    talk.chat = await talk.readChat();
    const there = await talk.onBluesky();
    assert.deepEqual(there.map((m) => [m.direction, m.id, m.text]), published.map((m) => ["out", m.external_id, m.body]));
    assert.deepEqual(published.map((m) => m.external_posted_at), there.map((m) => m.sentAt));
    assert.deepEqual(await talk.got(), ["one", "two", "three"]);
    assert.equal(await w.bluesky.count(talk.account, "getConvoForMembers"), 1);
    assert.equal(talk.chat.last_outbound_at, published[2].external_posted_at);
    assert.equal((await w.api.get(`/api/chats/${talk.chat.external_conversation_id}`)).id, talk.chat.id);
    assert.equal((await w.api.get(`/api/messages/${published[0].external_id}`)).id, published[0].id);
    await until(async () => (await talk.readChat()).participant_username === talk.person.handle, "it is known who they are");
  });

  test("what the person answers comes into the same chat", async () => {
    const talk = await w.bluesky.silence();
    await talk.say("May I ask?");
    assert.equal((await talk.hear("You may")).chat_id, talk.chat.id);
    assert.equal((await w.api.get(`/api/profiles/${talk.profile.id}/chats`)).total, 1);
  });

  test("text arrives as it is", async () => {
    const talk = await w.bluesky.talk();
    const bodies = ["Größe: <b>\"&\\ 😀", "two\nlines", "a\r\nb", "  spaces  ", "e\u0301 नमस्ते 👩‍👩‍👧‍👦 🇩🇪"];
    for (const body of bodies) assert.equal((await talk.say(body)).body, body);
    assert.deepEqual(await talk.got(), bodies);
  });

  for (const [name, sentence] of Object.entries({
    MessagesDisabled: "recipient has disabled incoming messages",
    NotFollowedBySender: "recipient requires incoming messages to come from someone they follow",
    BlockedActor: "block between recipient and sender",
    BlockedSubject: "block between recipient and sender",
    RecipientNotFound: "recipient does not exist",
    AccountSuspended: "Account is disabled",
    ConvoLocked: "",
  }))
    for (const named of [true, false])
      test(`is refused: ${name}, ${named ? "by name" : "by its text"}`, { skip: !sentence && !named }, async () => {
        const [fresh, old] = [await w.bluesky.silence(), await w.bluesky.talk()];
        await w.bluesky.under({ named_refusals: named, check_replies: true }, async () => {
          for (const talk of [fresh, old]) {
            await change(talk.person, { refuses: name });
            const failed = await ended(await talk.send("Anybody there?"));
            assert.equal(failed.status, "failed");
            assert.ok(failed.error_message.toLowerCase().includes(sentence.toLowerCase()), `${failed.error_message}, not ${sentence}`);
            assert.ok(failed.error_message.length > 5);
            assert.equal(failed.external_id, null);
            await change(talk.person, { refuses: "" });
            assert.equal((await ended(await talk.send("And now?"))).status, "published", "it is not held against the chat");
          }
        });
        const { data } = await w.api.get("/api/events?types=message.failed&limit=500");
        for (const talk of [fresh, old]) assert.equal(data.filter((e) => e.data.message.chat_id === talk.chat.id).length, 1);
      });

  test("to nobody fails with the platform's sentence", async () => {
    const talk = await w.bluesky.silence({ person: { did: "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa" } });
    const failed = await ended(await talk.send("Anybody there?"));
    assert.equal(failed.status, "failed");
    assert.match(failed.error_message, /recipient does not exist/);
  });

  for (const [name, unit, unitBytes] of [
    ["letters", "a", 1],
    ["letters with marks", "e\u0301", 3],
    ["flags", "🇩🇪", 8],
    ["hands of a colour", "👋🏽", 8],
    ["Hangul in pieces", "\u1100\u1161\u11a8", 9],
    ["line ends", "\r\n", 2],
  ])
    test(`1000 ${name} are the most there can be`, async () => {
      const talk = await w.bluesky.silence();
      const fits = `${unit.repeat(998)}xy`;
      assert.ok(Buffer.byteLength(fits) <= 10000 && Buffer.byteLength(unit) === unitBytes);
      assert.equal((await talk.say(fits)).body, fits);
      assert.match(await talk.refusal({ body: `${fits}z` }), /^422 .*\b1000\b.*\b1001\b/);
      assert.match(await talk.refusal({ body: `${unit.repeat(1100)}xy` }), /^422 .*\b1000\b.*\b1102\b/);
    });

  test("10000 bytes are the most there can be", async () => {
    const talk = await w.bluesky.silence();
    const family = "👨‍👩‍👧"; // 18 bytes, one character
    const fits = `${family.repeat(555)}${"z".repeat(10)}`;
    assert.equal(Buffer.byteLength(fits), 10000);
    assert.equal((await talk.say(fits)).body, fits);
    assert.match(await talk.refusal({ body: `${fits}z` }), /^422 .*\b10000\b.*\b10001\b/);
    assert.equal((await talk.list("direction=outbound")).length, 1, "what is refused is not kept");
  });

  const links = [
    ["https://a.example", ["https://a.example"]],
    ["Look: http://a.example/b?c=d&e=f#g", ["http://a.example/b?c=d&e=f#g"]],
    ["At https://a.example/b, or https://c.example.", ["https://a.example/b", "https://c.example"]],
    ["Is it https://a.example/b? Yes: https://c.example/d!", ["https://a.example/b", "https://c.example/d"]],
    ["(see https://a.example/b)", ["https://a.example/b"]],
    ["(https://a.example/b).", ["https://a.example/b"]],
    ["see https://a.example/wiki/B_(c)", ["https://a.example/wiki/B_(c)"]],
    ["Größe 😀👩‍👩‍👧 https://a.example/größe?x=é und", ["https://a.example/größe?x=é"]],
    ["one\nhttps://a.example\r\nhttps://b.example\tend", ["https://a.example", "https://b.example"]],
    ["https://a.example/x https://a.example/x", ["https://a.example/x", "https://a.example/x"]],
    ["https://a.example:8443/~b/%20;c=1", ["https://a.example:8443/~b/%20;c=1"]],
    ["nothing here: https:// http:/x ://y mailto:a@b.example", []],
    ["javascript:alert(1) ftp://a.example", []],
    [Array.from({ length: 40 }, (_, n) => `https://a.example/${n}`).join(" "), Array.from({ length: 40 }, (_, n) => `https://a.example/${n}`)],
  ];
  test("links are links", async () => {
    const talk = await w.bluesky.talk();
    for (const [body, uris] of links) {
      const message = await talk.say(body);
      assert.equal(message.body, body);
      const got = (await talk.onBluesky()).find((m) => m.id === message.external_id);
      assert.equal(got.text, body);
      const bytes = Buffer.from(body);
      assert.deepEqual((got.facets ?? []).map(({ index, features }) => [features, bytes.subarray(index.byteStart, index.byteEnd).toString()]),
        uris.map((uri) => [[{ $type: "app.bsky.richtext.facet#link", uri }], uri]), body);
      if (uris.length === 0) assert.ok(!("facets" in got));
    }
  });

  test("what Bluesky cannot do is a 422", async () => {
    const talk = await w.bluesky.talk();
    const [inbound, own] = [await talk.hear("hello"), await talk.say("hello")];
    const picture = "data:image/png;base64,iVBORw0KGgo=";
    for (const body of [
      { media: ["https://a.example/b.png"] },
      { media: [picture] },
      { media: [picture, picture] },
      { media: [{ data: "aGk=", filename: "a.txt", content_type: "text/plain" }] },
      { body: "x", media: [picture] },
      { body: "x", reply_to_external_id: inbound.external_id },
      { body: "x", reply_markup: { inline_keyboard: [] } },
    ])
      assert.match(await talk.refusal(body), /^422 .{10,}/, JSON.stringify(body));
    const multipart = new FormData();
    multipart.append("media[]", new File(["x"], "a.png", { type: "image/png" }));
    assert.equal((await w.api.ask("POST", talk.messagesPath, { multipart })).status, 422);
    for (const { id } of [inbound, own]) {
      assert.match(await w.api.refusal("POST", `/api/messages/${id}/react`), /^422 .*only supported on Facebook and Instagram/);
      assert.match(await w.api.refusal("DELETE", `/api/messages/${id}/unreact`), /^422 .*only supported on Facebook and Instagram/);
      assert.equal(await w.api.refusal("PATCH", `/api/messages/${id}`, { body: "y" }), "422 Editing messages is only supported on Telegram");
    }
    assert.match(await w.api.refusal("POST", `/api/posts/1/comments/2/private_reply?profile_id=${talk.profile.id}`, { text: "x" }), /^422 /);
    for (const body of [{}, { body: "" }, { body: " \n" }, { media: [] }]) assert.equal(await talk.refusal(body), "400 body or media is required");
    assert.equal((await talk.list()).length, 3, "nothing of that is kept");
    assert.equal((await talk.onBluesky()).length, 3);
  });
});

describe("archiving", () => {
  const path = (chat) => `/api/chats/${chat.id ?? chat}/archive`;
  const muted = async (talk, convo = talk.chat.external_conversation_id) =>
    (await w.bluesky.control("GET", `/accounts/${talk.account.did}/convos`)).data.find((c) => c.id === convo).muted;

  test("mutes the conversation, and unarchiving unmutes it; once more is no harm", async () => {
    const talk = await w.bluesky.talk();
    for (const [method, state] of [["POST", true], ["POST", true], ["DELETE", false], ["DELETE", false], ["POST", true]]) {
      const chat = await w.api.take(method, path(talk.chat), { status: 200 });
      assert.deepEqual(chat, { ...talk.chat, archived: state, metadata: { ...talk.chat.metadata, muted: state } });
      assert.equal(await muted(talk), state);
    }
    await talk.hear("still arrives"); // and what the log told of the above has been read
    const chat = await talk.readChat();
    assert.deepEqual([chat.archived, chat.metadata.muted], [true, true]);
    assert.equal((await talk.say("still goes")).status, "published");
  });

  test("takes the platform's id, and a body that says nothing", async () => {
    const talk = await w.bluesky.talk();
    assert.equal((await w.api.post(path(talk.chat.external_conversation_id), {})).archived, true);
    assert.equal((await w.api.take("DELETE", path(talk.chat.external_conversation_id), { headers: { "Content-Type": "application/json" } })).archived, false);
  });

  test("a chat without a conversation gets one first", async () => {
    const talk = await w.bluesky.silence();
    const chat = await w.api.take("POST", path(talk.chat), { status: 200 });
    assert.ok(chat.external_conversation_id);
    assert.deepEqual([chat.archived, chat.metadata.muted], [true, true]);
    assert.equal(await muted(talk, chat.external_conversation_id), true);
    assert.deepEqual((await w.api.delete(path(talk.chat))).archived, false);
  });

  test("is refused with the platform's words, and then nothing has changed", async () => {
    const [fresh, old] = [await w.bluesky.silence(), await w.bluesky.talk()];
    await change(fresh.person, { refuses: "MessagesDisabled" });
    assert.match(await w.api.refusal("POST", path(fresh.chat)), /^422 .*recipient has disabled incoming messages/);
    assert.deepEqual([(await fresh.readChat()).archived, (await fresh.readChat()).external_conversation_id], [false, null]);
    await w.bluesky.fault(old.account, { on: "muteConvo", kind: "status", status: 400, description: "InvalidRequest: not today" });
    assert.match(await w.api.refusal("POST", path(old.chat)), /^422 .*not today/);
    assert.deepEqual(await old.readChat(), old.chat);
    assert.equal(await muted(old), false);
  });

  test("done in the app is seen here", async () => {
    const talk = await w.bluesky.talk();
    for (const [what, state] of [["mute", true], ["unmute", false]]) {
      await talk.act("POST", `/${what}`);
      const chat = await until(async () => {
        const now = await talk.readChat();
        return now.archived === state && now;
      }, `it is seen that it is ${what}d`);
      assert.deepEqual(chat, { ...talk.chat, archived: state, metadata: { ...talk.chat.metadata, muted: state } });
    }
  });

  test("done before the account was connected is seen, too", async () => {
    const [account, person] = [await w.bluesky.makeAccount(), await w.bluesky.makeAccount()];
    const { convo } = await w.bluesky.control("POST", `/accounts/${person.did}/messages`, { to: account.did, text: "old" });
    await w.bluesky.control("POST", `/accounts/${account.did}/convos/${convo}/mute`);
    const profile = await w.bluesky.connect(account);
    const chat = await until(async () => (await w.api.get(`/api/profiles/${profile.id}/chats`)).data[0], "the chat is here");
    assert.deepEqual([chat.archived, chat.metadata.muted], [true, true]);
  });
});

describe("accounts on their own servers", () => {
  const own = world({ webhook: false, env: { PARLEY_BLUESKY_SERVICE_URL: undefined, PARLEY_ALLOW_PRIVATE_ADDRESSES: "127.0.0.0/8" } });

  const connect = (account, more) => own.api.ask("POST", `/api/profile_groups/${own.groupId}/initialize_connection`,
    { json: { ...own.bluesky.credentials(account), ...more } });

  test("are found by their handle or DID", async () => {
    const account = await own.bluesky.makeAccount();
    const ids = new Set();
    for (const identifier of [account.handle, account.did]) ids.add((await connect(account, { identifier })).json.profile.id);
    assert.equal(ids.size, 1);
    const talk = await own.bluesky.talk({ account: { ...account, profile: await own.api.get(`/api/profiles/${[...ids][0]}`) } });
    assert.equal((await talk.say("hello")).status, "published");
    const unknown = await connect(account, { identifier: "nobody.sandbox.test" });
    assert.equal(unknown.status, 422);
    assert.match(unknown.json.error, /nobody\.sandbox\.test|resolve/i);
  });

  test("may be named, and must be the one that the account's identity names", async () => {
    const elsewhere = await own.bluesky.makeAccount({ pds: "http://127.0.0.1:1" });
    const lost = await connect(elsewhere);
    assert.ok(lost.status === 422 || lost.status === 503, `${lost.status} ${lost.text}`);
    const refused = await connect(elsewhere, { service: `${own.sandbox.url}/` });
    assert.equal(refused.status, 422, refused.text);
    assert.match(refused.json.error, /does not live on .*its identity names http:\/\/127\.0\.0\.1:1$/);

    const account = await own.bluesky.makeAccount();
    const named = await connect(account, { service: `${own.sandbox.url}/` });
    assert.equal(named.status, 201, named.text);
    const talk = await own.bluesky.talk({ account: { ...account, profile: await own.api.get(`/api/profiles/${named.json.profile.id}`) } });
    assert.equal((await talk.say("hello")).status, "published", "it stays there");
    const wrong = await connect(account, { service: "http://127.0.0.1:1" });
    assert.ok(wrong.status === 422 || wrong.status === 503, `${wrong.status} ${wrong.text}`);
    assert.equal((await talk.say("as before")).status, "published");
  });
});
