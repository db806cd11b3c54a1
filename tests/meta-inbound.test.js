// What people send on Messenger and Instagram, and who they are.
import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";

import { FLAVOURS } from "./lib/meta.js";
import { png } from "./lib/sandbox.js";
import { until } from "./lib/until.js";
import { startSite, world } from "./lib/world.js";

const picture = png(640, 480);
const film = Buffer.concat([Buffer.from("\0\0\0\x18ftypisom\0\0\x02\0isommp41"), Buffer.alloc(100)]);
const song = Buffer.concat([Buffer.from("ID3\x03\0\0\0\0\0\0"), Buffer.from([0xff, 0xfb, 0x90, 0x64]), Buffer.alloc(400)]);

/** Files a person sends, in one message. */
function files(list, text) {
  const data = new FormData();
  if (text) data.append("text", text);
  for (const [bytes, name, type] of list) data.append("file", new File([bytes], name, { type }));
  return data;
}

const settled = (message) => message.attachments.every(({ status }) => status !== "pending");
const isFacebook = (flavour) => flavour === "facebook";
const data = (message) => JSON.stringify(message.platform_data);

const w = world({ env: { PARLEY_RETRY_AFTER: "100ms,200ms,300ms,2s" }, ready: ({ meta }) => meta.setCallback() });
const stored = (url) => w.api.with(null).ask("GET", new URL(url).pathname);

/** One conversation for the tests of a flavour that do not mind what else is in it. */
function shared(flavour) {
  let talk;
  return async () => (talk ??= await w.meta.talk(flavour));
}

for (const flavour of FLAVOURS)
  describe(flavour, () => {
    const common = shared(flavour);

    test("a text", async () => {
      const talk = await w.meta.talk(flavour);
      const text = "¿Envían a España? 😀 <b>\"&\\/\u2028";
      const sent = await talk.write(text);
      const message = await talk.find(sent.mid);
      assert.deepEqual(message, {
        id: message.id,
        chat_id: talk.chat.id,
        external_id: sent.mid,
        direction: "inbound",
        body: text,
        status: "received",
        external_comment_id: null,
        error_message: null,
        platform_data: message.platform_data,
        external_posted_at: new Date(sent.timestamp).toISOString(),
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
      assert.deepEqual(await w.api.get(`/api/messages/${encodeURIComponent(sent.mid)}`), message);
      const chat = await talk.readChat();
      assert.equal(chat.platform, isFacebook(flavour) ? "facebook" : "instagram");
      assert.equal(chat.participant_external_id, await talk.scopedId());
      assert.deepEqual([chat.last_inbound_at, chat.last_message_at, chat.last_outbound_at], [message.external_posted_at, message.external_posted_at, null]);
      assert.equal("archived" in chat, false);
      const { data: events } = await w.api.get(`/api/events?types=message.received&chat_id=${chat.id}`);
      assert.deepEqual(events.map(({ data }) => data.object.external_id).filter((mid) => mid === sent.mid), [sent.mid], "one event");
      assert.deepEqual(events.at(-1).data, { message, object: message });
    });

    for (const [type, bytes, name, mime, more] of [
      ["image", picture, "a.png", "image/png", { width: 640, height: 480 }],
      ["image", Buffer.from("GIF89a\x0a\0\x14\0\0\0\0;", "latin1"), "a.gif", "image/gif", {}],
      ["video", film, "a.mp4", "video/mp4", {}],
      ["audio", song, "a.mp3", "audio/mpeg", {}],
      ["file", Buffer.from("%PDF-1.7\n%%EOF"), "offer.pdf", "application/pdf", {}],
    ])
      test(`${mime} is mirrored`, async () => {
        const talk = await common();
        const heard = await talk.hear(files([[bytes, name, mime]]), settled);
        assert.deepEqual([heard.body, heard.is_unsupported, heard.attachments.length], [null, false, 1]);
        const [got] = heard.attachments;
        for (const [key, value] of Object.entries({ type, status: "processed", content_type: mime, size: bytes.length, ...more })) assert.equal(got[key], value, key);
        assert.equal("stored" in got, false);
        assert.ok(got.url.startsWith(`${w.api.url}/storage/`), got.url);
        const file = await stored(got.url);
        assert.equal(file.status, 200);
        assert.deepEqual(file.bytes, bytes);
        assert.equal(file.headers.get("content-type").split(";")[0], mime);
        assert.deepEqual((await w.api.get(`/api/messages/${heard.id}`)).attachments, heard.attachments, "the address is stable");
      });

    test("several files and words are one message", async () => {
      const talk = await common();
      const heard = await talk.hear(files([[png(10, 10), "1.png", "image/png"], [png(20, 20), "2.png", "image/png"], [film, "3.mp4", "video/mp4"]], "Look"), settled);
      assert.equal(heard.body, "Look");
      assert.deepEqual(heard.attachments.map((a) => [a.type, a.status, a.width]), [["image", "processed", 10], ["image", "processed", 20], ["video", "processed", null]]);
      assert.equal(new Set(heard.attachments.map(({ url }) => url)).size, 3);
      for (const [n, bytes] of [png(10, 10), png(20, 20), film].entries()) assert.deepEqual((await stored(heard.attachments[n].url)).bytes, bytes);
    });

    test("a sticker, in both shapes", async () => {
      const talk = await common();
      for (const type of ["sticker", "image"]) {
        const heard = await talk.hear({ attachments: [{ type, payload: { sticker_id: 369239263222822 } }] }, settled);
        const [sticker] = heard.attachments;
        assert.deepEqual([sticker.type, sticker.external_id, sticker.status], ["sticker", "369239263222822", "processed"]);
        assert.equal((await stored(sticker.url)).status, 200);
      }
      const numbered = await talk.hear({ message: { sticker_id: 369239383222810, attachments: [{ type: "image" }] } }, settled);
      assert.deepEqual([numbered.attachments[0].type, numbered.attachments[0].external_id], ["sticker", "369239383222810"]);
    });

    for (const [what, attachment, words] of [
      ["a shared link", { type: "fallback", payload: { url: "https://lindgren.example/bowls", title: "Bowls" } }, "https://lindgren.example/bowls"],
      ["a link without anything else", { type: "fallback", title: "Bowls", url: "https://lindgren.example/bowls" }, "see"],
      ["a reel with a relative address", { type: "reel", payload: { url: "/reel/123/", title: "Kiln", reel_video_id: 1234567890123456 } }, null],
      ["a reel of Instagram's", { type: "ig_reel", payload: { url: "https://www.instagram.com/reel/x/", title: "Kiln", reel_video_id: "18001" } }, null],
      ["a post", { type: "ig_post", payload: { url: "https://lookaside.fbsbx.com/x", title: "Glaze", id: 17900000000000009 } }, "nice"],
      ["a share of the old kind", { type: "share", payload: { url: "https://lookaside.fbsbx.com/y" } }, null],
      ["a product", { type: "template", payload: { product: { elements: [{ id: "1", retailer_id: "b", title: "Bowl" }] } } }, null],
    ])
      test(`${what} is kept as it is, and not fetched`, async () => {
        const talk = await common();
        const heard = await talk.hear({ ...(words ? { text: words } : {}), attachments: [attachment] });
        assert.deepEqual([heard.body, heard.is_unsupported, heard.attachments], [words, false, []]);
        const kept = data(heard);
        for (const part of [attachment.payload?.url ?? attachment.url, attachment.payload?.title ?? attachment.title].filter(Boolean)) assert.ok(kept.includes(JSON.stringify(part)), kept);
      });

    test("a large number in what is kept stays what it is", async () => {
      const talk = await common();
      const mid = `m_big_${Math.random()}`;
      const id = await talk.scopedId();
      const at = Date.now();
      // Written by hand: JSON.stringify would round it.
      const message = `{"mid":"${mid}","attachments":[{"type":"ig_post","payload":{"url":"https://x.example/","id":17900000000000123457}}]}`;
      const event = `{"sender":{"id":"${id}"},"recipient":{"id":"${talk.account.id}"},"timestamp":${at},"message":${message}}`;
      const body = `{"object":"${isFacebook(flavour) ? "page" : "instagram"}","entry":[{"id":"${talk.account.id}","time":${at},"messaging":[${event}]}]}`;
      const { status } = await fetch(`${w.sandbox.url}/sandbox/meta/events`, { method: "POST", body, headers: { "Content-Type": "application/json" } });
      assert.ok(status < 300, String(status));
      const heard = await talk.find(mid);
      const { text } = await w.api.ask("GET", `/api/messages/${heard.id}`);
      assert.ok(text.includes("17900000000000123457"), text);
    });

    test("a heart, a place, and what nobody can show", async () => {
      const talk = await common();
      const heart = await talk.hear({ attachments: [{ type: "like_heart" }] });
      assert.deepEqual([heart.is_unsupported, heart.attachments, heart.platform_data.kind], [false, [], "like_heart"]);
      const place = await talk.hear({ attachments: [{ type: "location", payload: { coordinates: { lat: 59.33, long: -18.06 } } }] });
      assert.equal(place.is_unsupported, false);
      assert.match(data(place), /59\.33.*-18\.06/);
      for (const message of [{ is_unsupported: true }, { attachments: [{ type: "unsupported_type", payload: { url: "https://x.example/" } }] }, { attachments: [{ type: "hologram_of_2031", payload: { depth: 3 } }] },
        { attachments: [{ type: "ephemeral" }] }, { attachments: [{ type: "fallback" }] }]) {
        const heard = await talk.hear({ message });
        assert.deepEqual([heard.is_unsupported, heard.body, heard.attachments], [true, null, []], JSON.stringify(message));
        if (message.attachments?.[0].payload) assert.ok(data(heard).includes(message.attachments[0].type), data(heard));
      }
      const worded = await talk.hear({ message: { text: "with words", attachments: [{ type: "hologram_of_2031", payload: { depth: 3 } }] } });
      assert.equal(worded.body, "with words");
      assert.ok(data(worded).includes("hologram_of_2031"));
    });

    test("a file whose address is dead is a failed attachment that says why, not a lost message", async () => {
      const talk = await common();
      const url = `${w.sandbox.url}/meta-cdn/1?oe=1&signature=0`;
      const heard = await talk.hear({ text: "look", attachments: [{ type: "image", payload: { url } }] }, settled);
      assert.deepEqual([heard.body, heard.attachments[0].status, heard.attachments[0].type], ["look", "failed", "image"]);
      assert.equal(heard.platform_data.media_error, "The link to the file has expired (HTTP 403), and Meta gives no other");
      assert.equal(heard.is_unsupported, false);
    });

    test("a download that breaks is tried again", async () => {
      const talk = await common();
      await w.sandbox.fault({ platform: "meta", on: "file", kind: "cut_before", count: 1 });
      const heard = await talk.hear(files([[picture, "a.png", "image/png"]]), settled);
      assert.equal(heard.attachments[0].status, "processed");
      assert.deepEqual((await stored(heard.attachments[0].url)).bytes, picture);
    });

    test("a reply names what it answers", async () => {
      const talk = await common();
      const question = await talk.say("Which colour?");
      const answer = await talk.hear({ text: "Blue", reply_to: question.external_id });
      assert.equal(answer.reply_to_external_id, question.external_id);
      assert.equal((await talk.hear({ text: "and this one", reply_to: answer.external_id })).reply_to_external_id, answer.external_id);
    });

    test("a tap on a quick reply is a message with its title", async () => {
      const talk = await common();
      const asked = await talk.act("POST", "/inbox", { message: { text: "Which glaze?", quick_replies: [{ content_type: "text", title: "Celadon", payload: "glaze:celadon" }] } });
      const heard = await talk.hear({ message: { text: "Celadon", quick_reply: { payload: "glaze:celadon" }, reply_to: { mid: asked.message.mid } } });
      assert.deepEqual([heard.body, heard.direction, heard.status, heard.is_unsupported], ["Celadon", "inbound", "received", false]);
      assert.equal(heard.reply_to_external_id, asked.message.mid);
      assert.ok(data(heard).includes("glaze:celadon"), data(heard));
    });

    test("a postback is a message", async () => {
      const talk = await common();
      const { mid } = await talk.act("POST", "/postback", { payload: "START", title: "Get started" });
      const heard = await talk.find(mid);
      assert.deepEqual([heard.body, heard.direction, heard.is_unsupported, heard.attachments], ["Get started", "inbound", false, []]);
      assert.equal(heard.platform_data.kind, "postback");
      assert.ok(data(heard).includes("START"), data(heard));
      assert.equal((await talk.readChat()).last_inbound_at, heard.external_posted_at, "it opens the window");
      await talk.act("POST", "/postback", { payload: "START", title: "Get started" });
      await until(async () => (await talk.list("per_page=100&direction=inbound")).filter((m) => m.platform_data?.kind === "postback").length === 2, "a second tap is another message");
    });

    test("who the person is becomes known", async () => {
      const person = await w.meta.makePerson({ first_name: "Mína", last_name: "Öberg 😀" });
      const talk = await w.meta.talk(flavour, { person });
      const chat = await until(async () => {
        const now = await talk.readChat();
        return now.participant_avatar_url && now;
      }, "the picture is there");
      assert.equal(chat.participant_name, "Mína Öberg 😀");
      assert.equal(chat.participant_username, isFacebook(flavour) ? null : person.username);
      const { participant_fetched_at, ...rest } = chat.metadata;
      assert.ok(Math.abs(Date.parse(participant_fetched_at) - Date.now()) < 120000);
      const keys = isFacebook(flavour) ? ["page_id"] : ["follower_count", "is_business_follow_user", "is_user_follow_business", "is_verified_user", ...(flavour === FLAVOURS[1] ? ["page_id"] : [])];
      assert.deepEqual(Object.keys(rest).sort(), keys);
      if (rest.page_id) assert.equal(rest.page_id, talk.account.page ?? talk.account.id);
      assert.ok(chat.participant_avatar_url.startsWith(`${w.api.url}/storage/`));
      const file = await stored(chat.participant_avatar_url);
      assert.equal(file.status, 200);
      assert.match(file.headers.get("content-type"), /^image\//);
      assert.equal((await talk.readChat()).participant_avatar_url, chat.participant_avatar_url);
    });

    test("the person is asked about once an hour at most", async () => {
      const talk = await w.meta.talk(flavour);
      const asked = async () => (await w.meta.calls(`?operation=participant&account=${talk.account.page ?? talk.account.id}`)).length;
      const before = await asked();
      for (let n = 0; n < 5; n++) await talk.hear(`more ${n}`);
      assert.ok(before >= 1);
      assert.equal(await asked(), before);
    });

    test("a person who has not consented is no error", async () => {
      const account = await w.meta.account(flavour);
      await w.sandbox.fault({ platform: "meta", on: "participant", bot: account.page ?? account.id, kind: "status", status: 400, code: 230, description: "User consent is required to access user profile", count: -1 });
      const talk = await w.meta.talk(flavour, { account });
      const chat = await talk.readChat();
      assert.deepEqual([chat.participant_name, chat.participant_username, chat.participant_avatar_url], [null, null, null]);
      for (const key of ["is_verified_user", "follower_count", "is_user_follow_business"]) assert.equal(key in chat.metadata, false, key);
      assert.equal((await w.api.get(`/api/profiles/${account.profile.id}`)).status, "active");
      assert.equal((await talk.say("Hello!")).status, "published");
      await w.sandbox.control("DELETE", "/faults");
    });
  });

for (const flavour of FLAVOURS)
  describe(`links that died before their file was fetched, ${flavour}`, () => {
    const speaker = ({ account }) => account.page ?? account.id;
    const lifetime = (media_link_s) => w.sandbox.control("POST", "/settings", { meta: { media_link_s } });
    const asked = async (talk) => (await w.meta.calls(`?operation=message&account=${speaker(talk)}`)).map(({ params, status }) => [params.fields, status]);
    const cards = [png(10, 10), png(20, 20)];
    const several = () => files([[cards[0], "1.png", "image/png"], [cards[1], "2.png", "image/png"], [film, "3.mp4", "video/mp4"]], "Look");

    /** What the person writes arrives late, when its links are dead. Gives the message as the sandbox has it. */
    async function late(talk, body, meanwhile) {
      await w.meta.control("POST", "/hold");
      await lifetime(0);
      const sent = await talk.write(body);
      await lifetime(604800);
      await meanwhile?.(sent);
      await w.meta.control("POST", "/release");
      return sent;
    }
    afterEach(() => lifetime(604800));

    async function allThere(message) {
      assert.deepEqual([message.body, ...message.attachments.map(({ type, status }) => `${type} ${status}`)], ["Look", "image processed", "image processed", "video processed"]);
      for (const [n, bytes] of [...cards, film].entries()) assert.deepEqual((await stored(message.attachments[n].url)).bytes, bytes);
    }

    test("are asked for anew, and each leads to its own file", async () => {
      const talk = await w.meta.talk(flavour);
      const { mid } = await late(talk, several());
      await allThere(await talk.find(mid, settled));
      assert.deepEqual(await asked(talk), Array(3).fill(["attachments", 200]));
    });

    test("a new one that does not work either is one failed attempt", { skip: !isFacebook(flavour) && "it is the same everywhere" }, async () => {
      const talk = await w.meta.talk(flavour);
      const { mid } = await late(talk, several(), async () => {
        await w.sandbox.advance(2000); // links of one second are the same
        await lifetime(0);
      });
      await until(async () => (await asked(talk)).length > 3, "some have been tried again");
      assert.ok((await talk.find(mid)).attachments.every(({ status }) => status === "pending"));
      await lifetime(604800);
      await allThere(await talk.find(mid, settled));
    });

    test("what was unsent meanwhile is a failed attachment that says so in Meta's words", async () => {
      const talk = await w.meta.talk(flavour);
      const subscribe = (subscribed) => w.meta.control("PATCH", `/accounts/${speaker(talk)}`, { subscribed });
      const { mid } = await late(talk, files([[picture, "a.png", "image/png"]], "Look"), async (sent) => {
        await subscribe(false); // so that nobody hears of it
        await talk.act("DELETE", `/messages/${encodeURIComponent(sent.mid)}`);
        await subscribe(true);
      });
      const heard = await talk.find(mid, settled);
      assert.deepEqual([heard.body, heard.attachments.map(({ status }) => status)], ["Look", ["failed"]]);
      assert.equal(heard.platform_data.media_error, "The link to the file has expired (HTTP 410), and Meta gives no new one: (#9000001) This message has been deleted by the user or the business");
      assert.deepEqual(await asked(talk), [["attachments", 400]]);
      assert.equal((await w.api.get(`/api/profiles/${talk.profile.id}`)).status, "active");
    });

    test("a token that died, too, waits for a reconnect", async () => {
      const talk = await w.meta.talk(flavour);
      const { mid } = await late(talk, several(), () => w.meta.control("POST", `/accounts/${speaker(talk)}/revoke`, {}));
      await until(async () => (await w.api.get(`/api/profiles/${talk.profile.id}`)).status === "expired", "the profile is expired");
      const refused = await asked(talk);
      assert.ok(refused.length > 0 && refused.every(([, status]) => status === 400), JSON.stringify(refused));
      assert.ok((await talk.find(mid)).attachments.every(({ status }) => status === "pending"));
      const { token } = await w.meta.control("POST", `/accounts/${speaker(talk)}/tokens`, {});
      w.secrets.push(token);
      await w.meta.connect({ ...talk.account, token });
      await allThere(await talk.find(mid, settled));
    });
  });

for (const flavour of FLAVOURS.slice(1))
  describe(`stories, ${flavour}`, () => {
    test("a reply to a story keeps the story's address", async () => {
      const talk = await w.meta.talk(flavour);
      const story = { url: `${w.sandbox.url}/meta-cdn/1?story`, id: "17871234567890123" };
      const heard = await talk.hear({ text: "Beautiful", reply_to: { story } });
      assert.deepEqual([heard.body, heard.is_unsupported, heard.reply_to_external_id, heard.attachments], ["Beautiful", false, null, []]);
      assert.equal(heard.platform_data.kind, "story_reply");
      assert.deepEqual(heard.platform_data.story, story);
    });

    test("a mention in a story is shown where it is, and not kept", async () => {
      const talk = await w.meta.talk(flavour);
      const sent = await talk.write({ attachments: [{ type: "story_mention" }] });
      const heard = await talk.find(sent.mid);
      assert.deepEqual([heard.is_unsupported, heard.platform_data.kind, heard.attachments.length], [false, "story_mention", 1]);
      const [story] = heard.attachments;
      assert.deepEqual([story.url, story.stored, story.status], [sent.attachments[0].payload.url, false, "processed"]);
      assert.ok(["image", "video"].includes(story.type));
      await talk.hear(files([[picture, "a.png", "image/png"]]), settled);
      assert.deepEqual((await w.api.get(`/api/messages/${heard.id}`)).attachments, heard.attachments, "later neither");
    });
  });

describe("with permission to keep stories", () => {
  const keeping = world({ env: { PARLEY_META_KEEP_STORIES: "yes" }, ready: ({ meta }) => meta.setCallback() });

  test("a mention in a story is kept", async () => {
    const talk = await keeping.meta.talk("instagram by itself");
    const heard = await talk.hear({ attachments: [{ type: "story_mention" }] }, settled);
    const [story] = heard.attachments;
    assert.deepEqual(["stored" in story, story.status, story.type], [false, "processed", "image"]);
    assert.ok(story.url.startsWith(`${keeping.api.url}/storage/`), story.url);
    assert.equal((await keeping.api.with(null).ask("GET", new URL(story.url).pathname)).status, 200);
  });
});

describe("addresses that are not Meta's", () => {
  let site;
  before(async () => {
    site = await startSite();
    site.files["/a.png"] = { bytes: picture, type: "image/png" };
  });
  after(() => site.stop());

  test("are not fetched", async () => {
    const talk = await w.meta.talk("facebook");
    const { port } = new URL(site.url);
    for (const url of [`${site.url}/a.png`, `http://localhost:${port}/a.png`, `http://[::1]:${port}/a.png`, `http://0.0.0.0:${port}/a.png`, `http://lookaside.fbsbx.com.localhost:${port}/a.png`,
      `http://lookaside.fbsbx.com@127.0.0.1:${port}/a.png`, "https://media.example/a.png", "https://fbcdn.net.media.example/a.png", "https://notfbcdn.net/a.png", "file:///etc/passwd", "//x", "not an address"]) {
      const heard = await talk.hear({ text: url, attachments: [{ type: "image", payload: { url } }] }, settled);
      assert.equal(heard.body, url);
      assert.ok(heard.attachments.every(({ status }) => status === "failed"), url);
    }
    assert.deepEqual(site.asked, []);
  });
});
