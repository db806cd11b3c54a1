// What becomes of messages on Messenger and Instagram: reactions, edits, unsending, receipts, echoes; and how people came.
import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";

import { FLAVOURS } from "./lib/meta.js";
import { Receiver } from "./lib/receiver.js";
import { png } from "./lib/sandbox.js";
import { Stream } from "./lib/stream.js";
import { noSqliteTool } from "./lib/trouble.js";
import { until } from "./lib/until.js";
import { onPostgres, world } from "./lib/world.js";

const w = world({ env: { PARLEY_ALLOW_PRIVATE_ADDRESSES: "127.0.0.0/8" }, ready: ({ meta }) => meta.setCallback() });
const setting = (meta) => w.sandbox.control("POST", "/settings", { meta });
afterEach(() => setting({ echo_first: false, deliveries: true, edit_oddity: false }));
const isFacebook = (flavour) => flavour === "facebook";
const iso = (ms) => new Date(ms).toISOString();

/** Events of a chat, oldest first: all, or those of one type. */
const events = async (talk, type) => (await w.api.get(`/api/events?limit=1000&chat_id=${talk.chat.id}${type ? `&types=${type}` : ""}`)).data;
const about = async (talk, type, mid) => (await events(talk, type)).filter(({ data }) => (data.message ?? data.object).external_id === mid);

/** Delivers an event of the account's, signed, as it is. */
function tell(talk, event) {
  return talk.meta.deliver({ object: talk.profile.platform === "facebook" ? "page" : "instagram", entry: [{ id: talk.account.id, time: Date.now(), messaging: [event] }] });
}

/** The frame of what the person does. */
const frame = async (talk, more) => ({ sender: { id: await talk.scopedId() }, recipient: { id: talk.account.id }, timestamp: Date.now(), ...more });

for (const flavour of FLAVOURS)
  describe(flavour, () => {
    test("a reaction is set, replaced and taken back", async () => {
      const talk = await w.meta.talk(flavour);
      const said = await talk.say("New glazes!");
      const me = await talk.scopedId();
      const react = (emoji) => talk.act("POST", `/messages/${encodeURIComponent(said.external_id)}/react`, { emoji });
      await react("❤️");
      const loved = await talk.find(said.external_id, (m) => m.reactions.length > 0);
      assert.deepEqual(loved.reactions.map(({ at, ...rest }) => rest), [{ sender_external_id: me, emoji: "❤️", reaction: "love" }]);
      assert.ok(Math.abs(Date.parse(loved.reactions[0].at) - Date.now()) < 60000);
      await react("😮");
      const wowed = await talk.find(said.external_id, (m) => m.reactions[0]?.emoji === "😮");
      assert.deepEqual(wowed.reactions.map(({ emoji, reaction }) => [emoji, reaction]), [["😮", "wow"]]);
      await react("");
      const bare = await talk.find(said.external_id, (m) => m.reactions.length === 0);
      const told_later = { external_delivered_at: null, external_posted_at: null }; // by the delivery, by the echo
      assert.deepEqual({ ...bare, ...told_later }, { ...said, ...told_later }, "and nothing else changed");
      const told = await about(talk, "reaction.received", said.external_id);
      assert.deepEqual(told.map(({ data }) => [data.sender_external_id, data.action, data.emoji, data.reaction]),
        [[me, "react", "❤️", "love"], [me, "react", "😮", "wow"], [me, "unreact", null, null]]);
      const { object, ...beside } = told[0].data;
      assert.deepEqual(object, beside);
      assert.deepEqual(object.message.reactions, loved.reactions);
      assert.equal(object.occurred_at, loved.reactions[0].at);
      assert.deepEqual(told[2].data.message.reactions, []);
    });

    test("a reaction told twice is one, and an old one does not undo a newer", async () => {
      const talk = await w.meta.talk(flavour);
      const heard = await talk.hear("react to me");
      const at = Date.now();
      const reaction = (timestamp, more) => frame(talk, { timestamp, reaction: { mid: heard.external_id, action: "react", reaction: "love", emoji: "❤️", ...more } });
      const newest = await reaction(at, { reaction: "sad", emoji: "😢" });
      await tell(talk, newest);
      await tell(talk, newest);
      await tell(talk, await reaction(at - 5000));
      await tell(talk, await frame(talk, { timestamp: at - 4000, reaction: { mid: heard.external_id, action: "unreact" } }));
      await talk.hear("later");
      const now = await talk.find(heard.external_id);
      assert.deepEqual(now.reactions, [{ sender_external_id: await talk.scopedId(), emoji: "😢", reaction: "sad", at: iso(at) }]);
      const told = await about(talk, "reaction.received", heard.external_id);
      assert.equal(told.filter(({ data }) => data.emoji === "😢").length, 1);
    });

    test("an edit changes the text and says when", async () => {
      const talk = await w.meta.talk(flavour);
      const heard = await talk.hear("helo");
      await talk.act("PATCH", `/messages/${encodeURIComponent(heard.external_id)}`, { text: "hello 😀" });
      const edited = await talk.find(heard.external_id, (m) => m.external_edited_at);
      assert.deepEqual({ ...edited, external_edited_at: null, platform_data: null }, { ...heard, body: "hello 😀" });
      assert.ok(edited.external_edited_at >= edited.external_posted_at);
      await talk.act("PATCH", `/messages/${encodeURIComponent(heard.external_id)}`, { text: "hello again" });
      const again = await talk.find(heard.external_id, (m) => m.body === "hello again");
      assert.ok(again.external_edited_at >= edited.external_edited_at);
      const told = await about(talk, "message.edited", heard.external_id);
      assert.deepEqual(told.map(({ data }) => data.object), [edited, again]);
      await tell(talk, await frame(talk, { timestamp: Date.parse(heard.external_posted_at) + 1, message_edit: { mid: heard.external_id, text: "hello 😀", num_edit: 1 } }));
      await talk.hear("later");
      assert.equal((await talk.find(heard.external_id)).body, "hello again", "an older edit does not undo a newer one");
      assert.equal((await about(talk, "message.edited", heard.external_id)).length, 2);
    });

    test("an edit leaves the rest of a message alone", async () => {
      const talk = await w.meta.talk(flavour);
      const question = await talk.say("Which colour?");
      const heard = await talk.hear({ message: { text: "Blu", reply_to: { mid: question.external_id }, attachments: [{ type: "image" }, { type: "fallback", payload: { url: "https://a.example/", title: "A" } }] } },
        (m) => m.attachments[0]?.status === "processed");
      await talk.act("PATCH", `/messages/${encodeURIComponent(heard.external_id)}`, { text: "Blue" });
      const edited = await talk.find(heard.external_id, (m) => m.external_edited_at);
      assert.deepEqual([edited.body, edited.attachments, edited.reply_to_external_id, edited.is_unsupported], ["Blue", heard.attachments, question.external_id, false]);
      for (const [key, value] of Object.entries(heard.platform_data)) assert.deepEqual(edited.platform_data[key], value, key);
    });

    test("what is unsent is gone, its file too", async () => {
      const talk = await w.meta.talk(flavour);
      const form = new FormData();
      form.append("text", "Do not look");
      form.append("file", new File([png(30, 30)], "a.png", { type: "image/png" }));
      const heard = await talk.hear(form, (m) => m.attachments[0].status === "processed");
      const path = new URL(heard.attachments[0].url).pathname;
      assert.equal((await w.api.with(null).ask("GET", path)).status, 200);
      await talk.act("DELETE", `/messages/${encodeURIComponent(heard.external_id)}`);
      const gone = await talk.find(heard.external_id, (m) => m.external_deleted_at);
      assert.deepEqual([gone.id, gone.body, gone.attachments, gone.reactions, gone.direction, gone.status], [heard.id, null, [], [], "inbound", "received"]);
      assert.ok(gone.external_deleted_at > gone.external_posted_at, "when it was unsent, not when it was written");
      assert.ok(!JSON.stringify(gone.platform_data ?? {}).includes("look"));
      await until(async () => (await w.api.with(null).ask("GET", path)).status === 404, "the file is gone");
      const told = await about(talk, "message.deleted", heard.external_id);
      assert.deepEqual(told.map(({ data }) => data.object), [gone]);
      await tell(talk, await frame(talk, { message: { mid: heard.external_id, text: "Do not look" } }));
      await tell(talk, await frame(talk, { message: { mid: heard.external_id, is_deleted: true } }));
      await talk.hear("later");
      assert.deepEqual(await talk.find(heard.external_id), gone, "nothing brings it back");
      assert.equal((await about(talk, "message.deleted", heard.external_id)).length, 1);
    });

    test("a file that is unsent while it is fetched is not kept", async () => {
      const talk = await w.meta.talk(flavour);
      await w.sandbox.fault({ platform: "meta", on: "file", kind: "delay", delay_ms: 300 });
      const form = new FormData();
      form.append("file", new File([png(31, 31)], "a.png", { type: "image/png" }));
      const heard = await talk.hear(form);
      await talk.act("DELETE", `/messages/${encodeURIComponent(heard.external_id)}`);
      await talk.find(heard.external_id, (m) => m.external_deleted_at);
      await until(async () => (await w.sandbox.control("GET", "/faults")).data.length === 0, "the download was under way or given up");
      assert.deepEqual((await talk.find(heard.external_id)).attachments, []);
    });

    test("what was read is marked so, once", async () => {
      const talk = await w.meta.talk(flavour);
      const said = [await talk.say("one"), await talk.say("two"), await talk.say("three")];
      const heard = await talk.hear("I see");
      await talk.act("POST", "/read", isFacebook(flavour) ? {} : { mid: said[2].external_id });
      const read = [];
      for (const { external_id } of said) read.push(await talk.find(external_id, (m) => m.external_read_at));
      for (const message of read) assert.ok(message.external_read_at >= message.external_posted_at);
      assert.equal((await talk.find(heard.external_id)).external_read_at, null, "only what we sent");
      const last = await talk.say("four");
      await talk.act("POST", "/read", isFacebook(flavour) ? {} : { mid: last.external_id });
      await talk.find(last.external_id, (m) => m.external_read_at);
      for (const message of read) assert.equal((await talk.find(message.external_id)).external_read_at, message.external_read_at, "when it was read first");
      for (const { external_id } of [...said, last]) {
        const [told, ...more] = await about(talk, "message.read", external_id);
        assert.deepEqual([told.data.object.external_id, more], [external_id, []]);
        assert.ok(told.data.object.external_read_at);
      }
      assert.deepEqual(await about(talk, "message.read", heard.external_id), []);
    });

    test("our own sends, echoed, are one message", async () => {
      const talk = await w.meta.talk(flavour);
      for (const echo_first of [false, true]) {
        await setting({ echo_first });
        const said = await talk.say(`echo first: ${echo_first}`);
        await talk.hear("after");
        const all = (await talk.list("per_page=100&direction=outbound")).filter(({ body }) => body === said.body);
        assert.deepEqual(all.map(({ id, external_id, status }) => [id, external_id, status]), [[said.id, said.external_id, "published"]]);
        assert.equal((await about(talk, "message.sent", said.external_id)).length, 1);
      }
    });

    test("what the business writes in Meta's inbox is here too", async () => {
      const talk = await w.meta.talk(flavour);
      for (const more of [{}, { app_id: 0 }, { app_id: 424242424242424 }]) {
        const { message } = await talk.act("POST", "/inbox", { text: `By hand ${JSON.stringify(more)}`, ...more });
        const here = await talk.find(message.mid);
        assert.deepEqual([here.direction, here.status, here.body, here.external_posted_at, here.chat_id], ["outbound", "published", message.text, iso(message.timestamp), talk.chat.id]);
        assert.deepEqual((await about(talk, "message.sent", message.mid)).map(({ data }) => data.object.id), [here.id]);
        assert.deepEqual(await about(talk, "message.received", message.mid), []);
        assert.equal((await talk.readChat()).last_outbound_at, here.external_posted_at);
      }
      const form = new FormData();
      form.append("file", new File([png(32, 32)], "a.png", { type: "image/png" }));
      const { message } = await talk.act("POST", "/inbox", form);
      const file = await talk.find(message.mid, (m) => m.attachments[0]?.status === "processed");
      assert.deepEqual([file.direction, file.attachments[0].width], ["outbound", 32]);
    });

    test("a conversation the business begins in Meta's inbox makes a chat", async () => {
      const account = await w.meta.account(flavour);
      const talk = await w.meta.talk(flavour, { account });
      const other = await w.meta.makePerson();
      const { message } = await w.meta.control("POST", `/accounts/${account.id}/chats/${other.id}/inbox`, { text: "We found your bowl" });
      const { data } = await until(async () => {
        const now = await w.api.get(`/api/profiles/${account.profile.id}/chats`);
        return now.total === 2 && now;
      }, "the chat is here");
      const chat = data.find(({ id }) => id !== talk.chat.id);
      assert.deepEqual([chat.last_inbound_at, chat.last_outbound_at], [null, iso(message.timestamp)]);
      assert.equal((await w.api.get(`/api/chats/${chat.id}/messages`)).data[0].external_id, message.mid);
    });

    test("while another app has the conversation, we listen", async () => {
      const talk = await w.meta.talk(flavour);
      await w.meta.control("PATCH", `/accounts/${talk.account.id}`, { thread_owner: 424242424242424 });
      const heard = await talk.hear("Is a human there?");
      assert.deepEqual([heard.direction, heard.body, heard.status], ["inbound", "Is a human there?", "received"]);
      assert.equal((await about(talk, "message.received", heard.external_id)).length, 1);
      await w.meta.control("PATCH", `/accounts/${talk.account.id}`, { thread_owner: 0 });
      assert.equal((await talk.say("Now we are")).status, "published");
    });

    test("changes of messages that never come do no harm", async () => {
      const talk = await w.meta.talk(flavour);
      const before = (await w.api.get(talk.messagesPath)).total;
      for (const more of [{ reaction: { mid: "nobody", action: "react", emoji: "😀" } }, { reaction: { mid: "nobody", action: "unreact" } }, { read: { mid: "nobody" } }, { read: {} }, { delivery: { mids: ["nobody"] } },
        { delivery: { watermark: "x" } }, { message_edit: {} }, { message: { mid: "nobody2", is_deleted: true } }, {}, { optin: { ref: "x" } }, { pass_thread_control: { new_owner_app_id: 1 } }, { future_thing: { a: 1 } }])
        await tell(talk, await frame(talk, more));
      const heard = await talk.hear("still fine");
      assert.equal((await talk.list()).filter((m) => m.body !== null).length, before + 1);
      assert.equal((await talk.list())[0].id, heard.id);
      assert.equal((await talk.say("and back")).status, "published");
    });
  });

describe("events of what was unsent", () => {
  let receiver;
  before(async () => (receiver = await new Receiver().start()));
  after(() => receiver.stop());

  test("say no more what it said: listed, streamed, replayed, and where they are kept", async () => {
    const words = "Nobody may keep this";
    const talk = await w.meta.talk("facebook");
    const heard = await talk.hear(words);
    const other = await talk.hear("This may be kept");
    await tell(talk, await frame(talk, { reaction: { mid: heard.external_id, action: "react", reaction: "love", emoji: "❤️" } }));
    await talk.act("PATCH", `/messages/${encodeURIComponent(heard.external_id)}`, { text: `${words}!` });
    await talk.find(heard.external_id, (m) => m.external_edited_at && m.reactions.length > 0);
    const told = await events(talk);
    const holding = told.filter((event) => JSON.stringify(event).includes(words));
    assert.deepEqual(holding.map(({ type }) => type).toSorted(), ["message.edited", "message.received", "reaction.received"]);

    await talk.act("DELETE", `/messages/${encodeURIComponent(heard.external_id)}`);
    const now = await until(async () => {
      const all = await events(talk);
      return all.length > told.length && !JSON.stringify(all).includes(words) && all;
    }, "no event has the words");
    const gone = await talk.find(heard.external_id, (m) => m.external_deleted_at);
    const expected = told.map((event) => {
      if (!holding.includes(event)) return event;
      if (event.type !== "reaction.received") return { ...event, data: { message: gone, object: gone } };
      const { object: _, ...members } = { ...event.data, message: gone };
      return { ...event, data: { ...members, object: members } };
    });
    assert.deepEqual(now.slice(0, told.length), expected, "nothing else of them has changed, and no other event");
    assert.ok(JSON.stringify(now).includes(other.body));

    const stream = await Stream.open(w.api, `?chat_id=${talk.chat.id}`, { "Last-Event-ID": told[0].id });
    await stream.await(({ type }) => type === "message.deleted");
    stream.close();
    assert.deepEqual(stream.events.map(({ event }) => event).slice(0, told.length - 1), expected.slice(1));

    const made = await w.api.post("/api/webhooks", { url: `${receiver.url}/unsent`, events: ["*"] });
    const event_ids = holding.map(({ id }) => id);
    await w.api.post(`/api/webhooks/${made.id}/replay`, { event_ids }, { status: 202 });
    const replayed = await receiver.await("/unsent", event_ids.length, ({ event }) => event_ids.includes(event.id));
    assert.deepEqual(replayed.map(({ event }) => event), expected.filter(({ id }) => event_ids.includes(id)));
    await w.api.delete(`/api/webhooks/${made.id}`);

    if (!onPostgres && noSqliteTool) return;
    const rows = w.askDatabase("SELECT data FROM event").join("");
    assert.ok(rows.includes(other.body) && !rows.includes(words));
  });
});

describe("receipts of Messenger", () => {
  let account; // Meta's stand-in has room for so many
  before(async () => (account = await w.meta.account("facebook")));

  test("a delivery marks all before it, each once", async () => {
    await setting({ deliveries: false });
    const talk = await w.meta.talk("facebook", { account });
    const said = [await talk.say("one"), await talk.say("two"), await talk.say("three")];
    const heard = await talk.hear("between");
    assert.deepEqual((await talk.list("direction=outbound")).map((m) => m.external_delivered_at), [null, null, null]);
    const watermark = Date.parse(said[1].external_posted_at);
    const first = await frame(talk, { delivery: { watermark } });
    await tell(talk, first);
    const marked = async (external_id) => (await talk.find(external_id)).external_delivered_at;
    await talk.find(said[1].external_id, (m) => m.external_delivered_at);
    const when = await marked(said[0].external_id);
    assert.ok([iso(watermark), iso(first.timestamp)].includes(when), when);
    if (said[2].external_posted_at > said[1].external_posted_at) assert.equal(await marked(said[2].external_id), null);
    await tell(talk, first);
    await tell(talk, await frame(talk, { timestamp: undefined, delivery: { mids: [said[2].external_id], watermark: String(Date.now()) } }));
    await talk.find(said[2].external_id, (m) => m.external_delivered_at);
    assert.equal(await marked(said[0].external_id), when);
    assert.equal(await marked(heard.external_id), null);
    for (const { external_id } of said) assert.equal((await about(talk, "message.delivered", external_id)).length, 1);
    assert.deepEqual(await about(talk, "message.delivered", heard.external_id), []);
  });

  test("what is sent is delivered without anybody asking", async () => {
    const talk = await w.meta.talk("facebook", { account });
    const said = await talk.say("Here");
    const here = await talk.find(said.external_id, (m) => m.external_delivered_at);
    assert.equal(here.external_read_at, null);
    assert.equal((await about(talk, "message.delivered", said.external_id)).length, 1);
  });
});

for (const flavour of FLAVOURS.slice(1))
  describe(`oddities of ${flavour}`, () => {
    test("an edit that is none makes no second message", async () => {
      await setting({ edit_oddity: true });
      const talk = await w.meta.talk(flavour);
      const heard = await talk.hear("Only once");
      await talk.hear("And another");
      assert.equal((await w.api.get(talk.messagesPath)).total, 3);
      const now = await talk.find(heard.external_id);
      assert.deepEqual(now, heard);
      assert.equal(now.external_edited_at, null);
      assert.deepEqual(await events(talk, "message.edited"), []);
      assert.equal((await about(talk, "message.received", heard.external_id)).length, 1);
    });

    test("nothing is ever said of deliveries", async () => {
      const talk = await w.meta.talk(flavour);
      const said = await talk.say("Here");
      await talk.act("POST", "/read", { mid: said.external_id });
      await talk.find(said.external_id, (m) => m.external_read_at);
      assert.equal((await talk.find(said.external_id)).external_delivered_at, null);
      assert.deepEqual(await events(talk, "message.delivered"), []);
    });
  });

describe("how people came", () => {
  let receiver;
  before(async () => {
    receiver = await new Receiver().start();
    await w.api.post("/api/webhooks", { url: `${receiver.url}/all`, events: ["*"] });
    await w.api.post("/api/webhooks", { url: `${receiver.url}/named`, events: ["referral.received"] });
  });
  after(() => receiver.stop());
  const told = (talk, path) => receiver.at(path).filter(({ event }) => event.type === "referral.received" && event.data.object.chat.id === talk.chat.id);

  for (const flavour of FLAVOURS)
    test(`${flavour}: through a link, beside a postback, with the first message`, async () => {
      const talk = await w.meta.talk(flavour);
      assert.equal("referral" in (await talk.readChat()).metadata, false);
      const came = async (ref) => until(async () => {
        const { metadata } = await talk.readChat();
        return metadata.referral?.ref === ref && metadata;
      }, `the referral ${ref} is known`);
      await talk.act("POST", "/referral", { ref: "shop-window", source: "SHORTLINK" });
      const metadata = await came("shop-window");
      assert.deepEqual([metadata.referral.source, metadata.referral.type], ["SHORTLINK", "OPEN_THREAD"]);
      assert.ok(metadata.participant_fetched_at, "the rest stays");
      const before = (await w.api.get(talk.messagesPath)).total;
      const { mid } = await talk.act("POST", "/postback", { payload: "START", title: "Go", referral: { ref: "poster", source: "SHORTLINK", type: "OPEN_THREAD" } });
      await talk.find(mid);
      await came("poster");
      const ad = { ref: "ad_1", ad_id: "6045246247433", source: "ADS", type: "OPEN_THREAD", ads_context_data: { ad_title: "Bowls" } };
      const heard = await talk.hear({ message: { text: "Hi, I saw your ad", referral: ad } });
      assert.equal(heard.body, "Hi, I saw your ad");
      assert.equal((await came("ad_1")).referral.source, "ADS");
      assert.equal((await w.api.get(talk.messagesPath)).total, before + 2, "a referral alone is no message");
      await until(() => told(talk, "/named").length >= 3, "three events");
      assert.deepEqual(told(talk, "/named").map(({ event: { data } }) => [data.object.ref, data.object.source, data.object.type]),
        [["shop-window", "SHORTLINK", "OPEN_THREAD"], ["poster", "SHORTLINK", "OPEN_THREAD"], ["ad_1", "ADS", "OPEN_THREAD"]]);
      await receiver.await("/all", 1, ({ event }) => event.data.object.external_id === heard.external_id);
      assert.deepEqual(told(talk, "/all"), [], "only by name");
    });

  test("somebody new who comes through a link and says nothing", async () => {
    const account = await w.meta.account("facebook");
    const person = await w.meta.makePerson();
    await w.meta.control("POST", `/accounts/${account.id}/chats/${person.id}/referral`, { ref: "qr" });
    const { data: [chat] } = await until(async () => {
      const now = await w.api.get(`/api/profiles/${account.profile.id}/chats`);
      return now.total > 0 && now;
    }, "the chat is here");
    assert.equal(chat.metadata.referral.ref, "qr");
    assert.equal((await w.api.get(`/api/chats/${chat.id}/messages`)).total, 0);
  });
});
