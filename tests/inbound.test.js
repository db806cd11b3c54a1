// What people send: every kind of Telegram content, edits, taps, and everything the network does to it.
import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { png } from "./lib/sandbox.js";
import { until } from "./lib/until.js";
import { world } from "./lib/world.js";

const now = () => Math.floor(Date.now() / 1000);
const picture = png(640, 480);

function upload(kind, bytes, name, type, more = {}) {
  const data = new FormData();
  data.append("kind", kind);
  for (const [key, value] of Object.entries(more)) data.append(key, String(value));
  data.append("file", new File([bytes], name, { type }));
  return data;
}

const processed = (message) => message.attachments.every((attachment) => attachment.status === "processed");

for (const webhook of [true, false])
  describe(webhook ? "pushed by webhook" : "polled", () => {
    const w = world({ webhook });
    const deliver = (talk, update) => w.sandbox.control("POST", `/telegram/bots/${talk.bot.id}/updates`, update);
    const from = (talk) => ({ id: talk.person.id, is_bot: false, first_name: talk.person.first_name, last_name: "Test", username: talk.person.username, language_code: "es" });
    const chat = (talk) => ({ id: talk.person.id, first_name: talk.person.first_name, type: "private" });
    const message = (talk, more) => ({ message_id: 900, from: from(talk), chat: chat(talk), date: now(), ...more });
    const total = async (talk) => (await w.api.get(talk.messagesPath)).total;

    /** Everything delivered before has been taken in once this has. */
    async function settled(talk) {
      await talk.hear(`settled ${Math.random()}`);
      return total(talk);
    }

    test("a text", async () => {
      const talk = await w.talk();
      const text = "¿Envían a España? 😀 <b>\"&\\";
      const sent = await talk.write(text);
      const message = await talk.received(sent.message_id);
      assert.deepEqual(message, {
        id: message.id,
        chat_id: talk.chat.id,
        external_id: String(sent.message_id),
        direction: "inbound",
        body: text,
        status: "received",
        external_comment_id: null,
        error_message: null,
        platform_data: message.platform_data,
        external_posted_at: new Date(sent.date * 1000).toISOString(),
        external_delivered_at: null,
        external_read_at: null,
        external_edited_at: null,
        reply_to_external_id: null,
        reply_markup: null,
        external_deleted_at: null,
        reactions: [],
        attachments: [],
        is_unsupported: false,
        created_at: message.created_at,
      });
      assert.deepEqual(await w.api.get(`/api/messages/${message.id}`), message);
      const chat = await talk.readChat();
      assert.equal(chat.last_inbound_at, message.external_posted_at);
      assert.equal(chat.last_message_at, message.external_posted_at);
      assert.equal(chat.last_outbound_at, null);
    });

    test("/start with a payload", async () => {
      const talk = await w.talk();
      const heard = await talk.hear("/start ref_42");
      assert.equal(heard.body, "/start ref_42");
      assert.ok(JSON.stringify(heard.platform_data).includes("\"ref_42\""), JSON.stringify(heard.platform_data));
    });

    for (const [kind, bytes, name, type, attachment, more] of [
      ["photo", picture, "a.png", "image/png", { type: "image", content_type: "image/png", width: 640, height: 480 }, { caption: "Like this one" }],
      ["video", Buffer.concat([Buffer.from("\0\0\0\x18ftypisom\0\0\x02\0isommp41"), Buffer.alloc(100)]), "a.mp4", "video/mp4", { type: "video", content_type: "video/mp4" }, { caption: "Look" }],
      ["document", Buffer.from("%PDF-1.7\n%%EOF"), "offer.pdf", "application/pdf", { type: "file", content_type: "application/pdf", file_name: "offer.pdf" }, {}],
      ["animation", Buffer.from("GIF89a\x0a\0\x14\0\0\0\0;", "latin1"), "a.gif", "image/gif", {}, {}],
      ["audio", Buffer.concat([Buffer.from("ID3\x03\0\0\0\0\0\0"), Buffer.from([0xff, 0xfb, 0x90, 0x64]), Buffer.alloc(400)]), "song.mp3", "audio/mpeg", { type: "audio", content_type: "audio/mpeg" }, {}],
      ["voice", Buffer.concat([Buffer.from("OggS\0\x02"), Buffer.alloc(20), Buffer.from("\x01\x13OpusHead\x01"), Buffer.alloc(40)]), "v.ogg", "audio/ogg", { type: "audio" }, {}],
      ["video_note", Buffer.concat([Buffer.from("\0\0\0\x18ftypisom\0\0\x02\0isommp41"), Buffer.alloc(100)]), "n.mp4", "video/mp4", { type: "video" }, {}],
      ["sticker", Buffer.concat([Buffer.from("RIFF\x1a\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\xff\x01\0\xff\x01\0", "latin1")]), "s.webp", "image/webp", { type: "sticker", content_type: "image/webp" }, {}],
    ])
      test(`a ${kind} is mirrored`, async () => {
        const talk = await w.talk();
        const sent = await talk.write(upload(kind, bytes, name, type, more));
        const heard = await talk.received(sent.message_id, processed);
        assert.equal(heard.body, more.caption ?? null);
        assert.equal(heard.attachments.length, 1, "one attachment, although Telegram names an animation twice");
        const [got] = heard.attachments;
        for (const [key, value] of Object.entries({ size: bytes.length, ...attachment })) assert.equal(got[key], value, key);
        const original = sent.photo?.at(-1) ?? sent[kind];
        assert.equal(got.external_id, original.file_unique_id);
        assert.ok(got.url.startsWith(`${w.api.url}/storage/`), got.url);
        const file = await w.api.with(null).ask("GET", new URL(got.url).pathname);
        assert.equal(file.status, 200);
        assert.deepEqual(file.bytes, bytes);
        assert.equal(file.headers.get("content-type").split(";")[0], got.content_type);
        assert.equal((await w.api.with(null).ask("GET", new URL(got.url).pathname, { headers: { Range: "bytes=0-3" } })).status, 206);
        assert.equal((await w.api.with(null).ask("GET", new URL(got.url).pathname, { headers: { "If-None-Match": file.headers.get("etag") } })).status, 304);
        assert.deepEqual((await w.api.get(`/api/messages/${heard.id}`)).attachments, heard.attachments, "the address is stable");
        assert.equal(heard.is_unsupported, false);
      });

    test("an album is as many messages as it has pictures", async () => {
      const talk = await w.talk();
      const sent = [];
      for (let n = 0; n < 3; n++) sent.push(await talk.write(upload("photo", png(100 + n, 100), `${n}.png`, "image/png", { media_group_id: "13948273645182736", ...(n ? {} : { caption: "Album" }) })));
      const heard = [];
      for (const { message_id } of sent) heard.push(await talk.received(message_id, processed));
      assert.deepEqual(heard.map((m) => [m.body, m.attachments.length, m.attachments[0].width]), [["Album", 1, 100], [null, 1, 101], [null, 1, 102]]);
      assert.equal(new Set(heard.map((m) => JSON.stringify(m.platform_data?.media_group_id))).size, 1);
      assert.equal(heard[0].platform_data.media_group_id, "13948273645182736");
    });

    test("a reply names what it answers", async () => {
      const talk = await w.talk();
      const question = await talk.say("Which colour?");
      const answer = await talk.hear({ text: "Blue", reply_to_message_id: Number(question.external_id) });
      assert.equal(answer.reply_to_external_id, question.external_id);
    });

    test("an edit changes the message, and says when", async () => {
      const talk = await w.talk();
      const heard = await talk.hear("helo");
      await talk.act("PATCH", `/messages/${heard.external_id}`, { text: "hello" });
      const edited = await talk.received(heard.external_id, (m) => m.external_edited_at);
      assert.deepEqual({ ...edited, external_edited_at: null, platform_data: null }, { ...heard, body: "hello", platform_data: null });
      assert.ok(edited.external_edited_at >= edited.external_posted_at);
      const captioned = await talk.received((await talk.write(upload("photo", picture, "a.png", "image/png", { caption: "one" }))).message_id, processed);
      await talk.act("PATCH", `/messages/${captioned.external_id}`, { caption: "two" });
      const other = await talk.received(captioned.external_id, (m) => m.external_edited_at);
      assert.equal(other.body, "two");
      assert.deepEqual(other.attachments, captioned.attachments);
    });

    test("a tap is an inbound message, and is acknowledged", async () => {
      const talk = await w.talk();
      const asked = await talk.say({ body: "Which glaze?", reply_markup: { inline_keyboard: [[{ text: "Celadon", callback_data: "glaze:celadon" }, { text: "Tenmoku", callback_data: "glaze:tenmoku" }]] } });
      const { callback_query_id } = await talk.act("POST", `/messages/${asked.external_id}/tap`, { data: "glaze:celadon" });
      const tap = await until(async () => (await talk.list("direction=inbound")).find((m) => m.platform_data?.kind === "callback_query"), "the tap arrives");
      assert.equal(tap.body, "glaze:celadon");
      assert.equal(tap.direction, "inbound");
      assert.equal(tap.status, "received");
      assert.equal(tap.reply_to_external_id, asked.external_id);
      await until(async () => (await w.sandbox.control("GET", `/telegram/bots/${talk.bot.id}/taps`)).data.find((t) => t.callback_query_id === callback_query_id)?.answered_at, "it is acknowledged");
      await talk.act("POST", `/messages/${asked.external_id}/tap`, { data: "glaze:celadon" });
      await until(async () => (await talk.list("direction=inbound")).filter((m) => m.platform_data?.kind === "callback_query").length === 2, "a second tap is another message");
    });

    test("a button of a reply keyboard is a text", async () => {
      const talk = await w.talk();
      await talk.say({ body: "Menu?", reply_markup: { keyboard: [[{ text: "Menu" }]] } });
      assert.equal((await talk.hear("Menu")).body, "Menu");
    });

    test("locations, contacts and the like are kept, with what they hold", async () => {
      const talk = await w.talk();
      for (const content of [
        { location: { latitude: 59.33, longitude: 18.06 } },
        { contact: { phone_number: "+46700000000", first_name: "Mina", user_id: talk.person.id } },
        { venue: { location: { latitude: 1, longitude: 2 }, title: "Studio", address: "Main St 1" }, location: { latitude: 1, longitude: 2 } },
        { dice: { emoji: "🎲", value: 4 } },
        { poll: { id: "1", question: "?", options: [], total_voter_count: 0, is_closed: false } },
        { story: { chat: { id: 1, type: "private" }, id: 2 } },
        { something_of_next_year: { a: 1 } },
        {},
      ]) {
        const heard = await talk.hear({ message: content });
        assert.equal(heard.attachments.length, 0);
        assert.equal(typeof heard.is_unsupported, "boolean");
        const key = Object.keys(content)[0];
        if (["location", "contact", "venue", "dice", "poll"].includes(key)) {
          assert.equal(heard.is_unsupported, false, key);
          assert.deepEqual([heard.platform_data.kind, heard.platform_data[key]], [key, content[key]]);
        } else {
          assert.equal(heard.is_unsupported, true, JSON.stringify(content));
        }
      }
    });

    test("forwarded, quoted and decorated messages keep their text", async () => {
      const talk = await w.talk();
      const heard = await talk.hear({ message: { text: "Forwarded", forward_origin: { type: "hidden_user", sender_user_name: "Ola", date: 1789800000 }, quote: { text: "x", position: 0 }, effect_id: "5104841245755180586", has_protected_content: true } });
      assert.deepEqual([heard.body, heard.is_unsupported], ["Forwarded", false]);
    });

    test("a file that cannot be had is a failed attachment, not a lost message", async () => {
      const talk = await w.talk();
      await talk.fault({ on: "getFile", kind: "status", status: 400, description: "Bad Request: file is too big", count: -1 });
      const sent = await talk.write(upload("document", Buffer.from("too big"), "big.bin", "application/octet-stream"));
      const heard = await talk.received(sent.message_id, (m) => m.attachments[0]?.status === "failed");
      assert.equal(heard.attachments[0].file_name, "big.bin");
      await w.sandbox.control("DELETE", "/faults");
    });

    test("a download that breaks is tried again", async () => {
      const talk = await w.talk();
      await talk.fault({ on: "file", kind: "cut_before", count: 1 });
      const sent = await talk.write(upload("document", Buffer.from("hello"), "a.txt", "text/plain"));
      const heard = await talk.received(sent.message_id);
      await until(async () => processed(await w.api.get(`/api/messages/${heard.id}`)), "it is mirrored", 40);
    });

    test("who the person is becomes known", async () => {
      const talk = await w.talk({ person: { photo: true, language_code: "pt-br", last_name: "Öberg" } });
      const chat = await until(async () => {
        const now = await talk.readChat();
        return now.participant_avatar_url && now;
      }, "the picture is there");
      assert.equal(chat.participant_name, `${talk.person.first_name} Öberg`);
      assert.equal(chat.participant_username, talk.person.username);
      assert.equal(chat.metadata.language_code, "pt-br");
      assert.ok(Math.abs(Date.parse(chat.metadata.participant_fetched_at) - Date.now()) < 120000);
      assert.deepEqual(Object.keys(chat.metadata).sort(), ["language_code", "participant_fetched_at"]);
      assert.ok(chat.participant_avatar_url.startsWith(`${w.api.url}/storage/`));
      const file = await w.api.with(null).ask("GET", new URL(chat.participant_avatar_url).pathname);
      assert.equal(file.status, 200);
      assert.match(file.headers.get("content-type"), /^image\//);
      assert.equal((await talk.readChat()).participant_avatar_url, chat.participant_avatar_url);
    });

    test("the person is asked about once an hour at most", async () => {
      const talk = await w.talk();
      await talk.hear("one");
      const asked = (await talk.calls("getChat")).length;
      for (let n = 0; n < 5; n++) await talk.hear(`more ${n}`);
      assert.equal((await talk.calls("getChat")).length, asked);
    });

    test("without a username or last name those are null, without a language it is absent", async () => {
      const bot = await w.bot();
      const person = await w.makePerson();
      await w.sandbox.control("POST", `/telegram/bots/${bot.id}/updates`, {
        message: { message_id: 5, from: { id: person.id + 5000000, is_bot: false, first_name: "Solo" }, chat: { id: person.id + 5000000, first_name: "Solo", type: "private" }, date: now(), text: "x" },
      });
      const chat = await until(async () => (await w.api.get(`/api/profiles/${bot.profile.id}/chats`)).data[0], "the chat");
      assert.deepEqual([chat.participant_name, chat.participant_username], ["Solo", null]);
      assert.equal(chat.metadata?.language_code, undefined);
    });

    test("the same update twice changes nothing", async () => {
      const talk = await w.talk();
      const update = { message: message(talk, { message_id: 950, text: "once" }) };
      const { update_id } = await deliver(talk, update);
      await talk.received(950);
      const before = await settled(talk);
      await deliver(talk, { update_id, ...update });
      await deliver(talk, update);
      assert.equal(await settled(talk), before + 1);
      assert.equal((await talk.list()).filter((m) => m.external_id === "950").length, 1);
    });

    test("an edit before its message, and a late message, end in the same state", async () => {
      const talk = await w.talk();
      await deliver(talk, { edited_message: message(talk, { message_id: 960, date: now() - 60, edit_date: now() - 30, text: "after" }) });
      const early = await talk.received(960);
      assert.equal(early.body, "after");
      await deliver(talk, { message: message(talk, { message_id: 960, date: now() - 60, text: "before" }) });
      await settled(talk);
      const [late] = (await talk.list()).filter((m) => m.external_id === "960");
      assert.equal(late.body, "after");
      assert.ok(late.external_edited_at);
      await deliver(talk, { edited_message: message(talk, { message_id: 960, date: now() - 60, edit_date: now() - 45, text: "between" }) });
      await settled(talk);
      assert.equal((await talk.list()).find((m) => m.external_id === "960").body, "after", "an older edit does not undo a newer one");
    });

    test("an older message takes its place in time", async () => {
      const talk = await w.talk();
      const latest = await talk.hear("now");
      await deliver(talk, { message: message(talk, { message_id: 970, date: now() - 3600, text: "an hour ago" }) });
      await talk.received(970);
      const list = await talk.list();
      assert.equal(list.at(-1).body, "an hour ago");
      assert.equal((await talk.readChat()).last_inbound_at, latest.external_posted_at);
    });

    test("groups and channels are no direct messages", async () => {
      const talk = await w.talk();
      for (const group of [{ id: -100123, type: "supergroup", title: "G" }, { id: -5, type: "group", title: "G" }])
        await deliver(talk, { message: message(talk, { message_id: 980, chat: group, text: "in a group" }) });
      await deliver(talk, { channel_post: { message_id: 3, chat: { id: -100124, type: "channel", title: "C" }, date: now(), text: "post" } });
      await settled(talk);
      const { data } = await w.api.get(`/api/profiles/${talk.profile.id}/chats`);
      assert.deepEqual(data.map((c) => c.id), [talk.chat.id]);
      assert.equal((await talk.list()).filter((m) => /group|post/.test(m.body)).length, 0);
    });

    test("a block and a return are no messages", async () => {
      const talk = await w.talk();
      const before = await total(talk);
      await talk.act("POST", "/block");
      await talk.act("POST", "/unblock");
      assert.equal(await settled(talk), before + 1);
    });

    test("updates that cannot be understood hold nothing up", async () => {
      const talk = await w.talk();
      const before = await total(talk);
      for (const update of [{ message: null }, { message: 5 }, { message: [] }, { message: {} }, { message: { message_id: "x" } }, { message: message(talk, { from: undefined, chat: undefined }) },
        { callback_query: {} }, { edited_message: {} }, { my_chat_member: {} }, { unheard_of: { deep: { a: [1] } } }, { message: message(talk, { message_id: 1.5, text: "x" }) },
        { message: message(talk, { photo: "no list", text: undefined }) }, { message: message(talk, { message_id: 990, photo: [] }) },
        { message: message(talk, { message_id: 991, date: "yesterday", text: "x" }) }, { message: message(talk, { message_id: 992, text: { a: 1 } }) }])
        await deliver(talk, update);
      await settled(talk);
      const bad = (await talk.list()).filter((m) => m.external_id?.includes("."));
      assert.deepEqual(bad, []);
      assert.ok((await total(talk)) >= before + 1);
      assert.equal((await talk.say("still fine")).status, "published");
    });

    test("many people at once all arrive, each in order", async () => {
      const bot = await w.bot();
      const talks = await Promise.all(Array.from({ length: 8 }, () => w.talk({ bot })));
      await Promise.all(talks.map(async (talk) => {
        for (let n = 0; n < 6; n++) await talk.write(`${n}`);
      }));
      for (const talk of talks) {
        await until(async () => (await total(talk)) === 7, "all are here");
        const texts = (await talk.list()).sort((a, b) => Number(a.external_id) - Number(b.external_id)).map((m) => m.body);
        assert.deepEqual(texts, ["/start", "0", "1", "2", "3", "4", "5"]);
      }
    });

    test("what comes while the server is down is there afterwards", async () => {
      const talk = await w.talk();
      await w.server.stop();
      const sent = await talk.write("Anybody there?");
      await w.serve();
      assert.equal((await talk.received(sent.message_id)).body, "Anybody there?");
    });
  });

describe("the webhook", () => {
  const w = world();

  async function listening() {
    const talk = await w.talk();
    const calls = await talk.calls("setWebhook");
    const { url, secret_token } = calls.at(-1).params;
    w.secrets.push(secret_token);
    const path = new URL(url).pathname;
    const update = (n, text = "direct") => ({ update_id: n, message: { message_id: n, from: { id: talk.person.id, is_bot: false, first_name: "A" }, chat: { id: talk.person.id, type: "private", first_name: "A" }, date: now(), text } });
    const post = (json, { headers, at = path, ...options } = {}) => w.api.with(null).ask("POST", at, { json, headers: { "X-Telegram-Bot-Api-Secret-Token": secret_token, ...headers }, ...options });
    return { talk, path, secret: secret_token, update, post };
  }

  test("takes an update with the right secret", async () => {
    const { talk, post, update } = await listening();
    const answer = await post(update(7000));
    assert.deepEqual([answer.status, answer.json.method], [200, undefined]);
    assert.equal((await talk.list()).find((m) => m.external_id === "7000").body, "direct", "it is stored when the answer comes");
  });

  test("asks for messages, edits, taps and blocks", async () => {
    const { talk } = await listening();
    const { params } = (await talk.calls("setWebhook")).at(-1);
    const allowed = typeof params.allowed_updates === "string" ? JSON.parse(params.allowed_updates) : params.allowed_updates;
    for (const kind of ["message", "edited_message", "callback_query", "my_chat_member"]) assert.ok(allowed.includes(kind), kind);
    assert.match(params.secret_token, /^[A-Za-z0-9_-]{32,256}$/);
  });

  test("refuses a wrong secret and stores nothing", async () => {
    const { talk, path, secret, post, update } = await listening();
    const other = await listening();
    const before = await talk.list();
    for (const wrong of ["", "wrong", `${secret}x`, secret.slice(0, -1), secret.toUpperCase(), other.secret, secret.replace(/./, (c) => (c === "a" ? "b" : "a"))]) {
      if (wrong === secret) continue;
      assert.equal((await post(update(7100), { headers: { "X-Telegram-Bot-Api-Secret-Token": wrong } })).status, 401, wrong);
    }
    assert.equal((await w.api.with(null).ask("POST", path, { json: update(7100) })).status, 401);
    assert.equal((await w.api.ask("POST", path, { json: update(7100) })).status, 401, "an API key is no secret");
    assert.equal((await w.api.with(null).ask("POST", `${path}?secret_token=${secret}`, { json: update(7100) })).status, 401);
    assert.deepEqual(await talk.list(), before);
  });

  test("a profile that does not exist is a 401 or 404", async () => {
    const { post, update } = await listening();
    for (const at of ["/webhooks/telegram/prof_11111111111", "/webhooks/telegram/x"]) assert.ok([401, 404].includes((await post(update(7200), { at })).status), at);
    for (const at of ["/webhooks/telegram", "/webhooks/telegram/", "/webhooks/discord/prof_11111111111"]) assert.equal((await w.api.with(null).ask("POST", at, { json: {} })).status, 404, at);
  });

  test("answers 200 to what it cannot read", async () => {
    const { talk, post, update } = await listening();
    const before = await talk.list();
    const type = { "Content-Type": "application/json" };
    for (const body of ["", "{", "null", "[]", "5", "\"x\"", "{\"update_id\":", "{\"update_id\":\"x\"}", "{}", "\xff\xfe", `${"[".repeat(5000)}`, `{"update_id":${"9".repeat(50)}}`,
      "{\"update_id\":1,\"message\":{\"text\":\"\\ud800\"}}"]) {
      const answer = await post(undefined, { body, headers: type });
      assert.equal(answer.status, 200, body.slice(0, 40));
    }
    assert.deepEqual(await talk.list(), before);
    assert.equal((await post(update(7300))).status, 200);
    assert.equal((await talk.list()).length, before.length + 1);
  });

  test("does not mind the content type", async () => {
    const { talk, post, update } = await listening();
    for (const [n, type] of [[7400, "application/json; charset=utf-8"], [7401, "text/plain"], [7402, "application/x-www-form-urlencoded"]]) {
      const answer = await post(undefined, { body: JSON.stringify(update(n)), headers: { "Content-Type": type } });
      assert.equal(answer.status, 200, type);
      assert.ok((await talk.list()).some((m) => m.external_id === String(n)), type);
    }
  });

  test("one update delivered ten times at once is one message", async () => {
    const { talk, post, update } = await listening();
    const same = update(7500);
    const answers = await Promise.all(Array.from({ length: 10 }, () => post(same)));
    assert.ok(answers.every(({ status }) => status === 200));
    assert.equal((await talk.list()).filter((m) => m.external_id === "7500").length, 1);
  });

  test("the platform delivering twice, or finding the server slow, does no harm", async () => {
    const talk = await w.talk();
    await talk.fault({ on: "webhook", kind: "duplicate", count: 3 });
    for (let n = 0; n < 3; n++) await talk.hear(`twice ${n}`);
    await until(async () => (await w.sandbox.control("GET", "/telegram/bots")).data.find((bot) => bot.id === talk.bot.id).pending_update_count === 0, "all is answered");
    await talk.fault({ on: "webhook", kind: "cut_after" });
    await talk.hear("cut");
    assert.equal((await talk.list("direction=inbound")).length, 5);
  });

  test("a disconnected bot's webhook is gone", async () => {
    const { talk, post, update } = await listening();
    await w.api.delete(`/api/profiles/${talk.profile.id}`);
    assert.ok([401, 404].includes((await post(update(7600))).status));
  });
});
