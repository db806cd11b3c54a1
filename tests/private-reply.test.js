// Direct messages to people who commented on Facebook or Instagram.
import assert from "node:assert/strict";
import { afterEach, describe, test } from "node:test";

import { FLAVOURS } from "./lib/meta.js";
import { until } from "./lib/until.js";
import { Wall } from "./lib/wall.js";
import { world } from "./lib/world.js";

const w = world({ ready: ({ meta }) => meta.setCallback() });
const DAY = 86400000;
const isFacebook = (flavour) => flavour === "facebook";

afterEach(async () => {
  await w.sandbox.control("DELETE", "/faults");
  await w.sandbox.control("POST", "/settings", { meta: { other_comment_ids: false } });
});

const reaches = (message, status) => until(async () => {
  const now = await w.api.get(`/api/messages/${message.id}`);
  if (now.status === "failed" && status !== "failed") throw new Error(now.error_message);
  return now.status === status && now;
}, `the message is ${status}`);

const sends = async (wall) => (await w.meta.calls(`?operation=messages&account=${wall.account.page ?? wall.account.id}`)).filter(({ params }) => JSON.stringify(params).includes("comment_id"));

for (const flavour of FLAVOURS)
  describe(flavour, () => {
    test("a comment is answered with a message to its author", async () => {
      const wall = await Wall.build(w, flavour);
      const comment = await wall.hear("How much?");
      const accepted = await wall.reply(comment.id, "Forty euros 😀");
      assert.deepEqual({ ...accepted, id: null, chat_id: null, created_at: null }, {
        id: null, chat_id: null, external_id: null, direction: "outbound", body: "Forty euros 😀", status: "pending", external_comment_id: comment.external_id, error_message: null, platform_data: null,
        external_posted_at: null, external_delivered_at: null, external_read_at: null, external_edited_at: null, reply_to_external_id: null, reply_markup: null, external_deleted_at: null, reactions: [], attachments: [],
        is_unsupported: false, created_at: null,
      });
      const sent = await reaches(accepted, "published");
      assert.ok(sent.external_id && sent.external_posted_at);
      assert.equal(sent.external_comment_id, comment.external_id);
      const [chat, ...others] = await wall.chats();
      assert.deepEqual(others, []);
      assert.equal(chat.id, sent.chat_id);
      assert.equal(chat.participant_external_id, await wall.scopedId());
      assert.equal(chat.last_inbound_at, null);
      await until(async () => (await w.api.get(`/api/chats/${chat.id}`)).last_outbound_at === (await w.api.get(`/api/messages/${sent.id}`)).external_posted_at, "the chat has the message's time, also when its echo corrects it");
      const [call, ...more] = await sends(wall);
      assert.deepEqual(more, []);
      const recipient = typeof call.params.recipient === "string" ? JSON.parse(call.params.recipient) : call.params.recipient;
      assert.deepEqual(recipient, { comment_id: comment.external_id });
      const { data: events } = await w.api.get(`/api/events?types=message.sent&chat_id=${chat.id}`);
      assert.deepEqual(events.map(({ data }) => [data.object.id, data.object.external_comment_id]), [[sent.id, comment.external_id]]);
      // The person answers, into the same chat.
      const { message } = await w.meta.control("POST", `${wall.path}/chats/${wall.person.id}/messages`, { text: "I take it" });
      await until(async () => (await w.api.get(`/api/chats/${chat.id}/messages`)).data.some((m) => m.external_id === message.mid), "the answer is in the chat");
      assert.equal((await wall.chats()).length, 1);
    });

    test("once, ever", async () => {
      const wall = await Wall.build(w, flavour);
      const comment = await wall.hear("How much?");
      const first = await wall.reply(comment.external_id);
      assert.match(await wall.refusal(comment.id), /^422 /, "while the first is on its way");
      await reaches(first, "published");
      for (const id of [comment.id, comment.external_id]) assert.match(await wall.refusal(id), /^422 /, "afterwards");
      const another = await wall.hear("And this one?");
      const results = await Promise.all(Array.from({ length: 5 }, () => w.api.ask("POST", wall.replyPath(another.id), { json: { text: "once" } })));
      assert.deepEqual(results.map(({ status }) => status).sort(), [202, 422, 422, 422, 422], "five at once");
      await reaches(results.find(({ status }) => status === 202).json, "published");
      assert.equal((await sends(wall)).length, 2);
      assert.equal((await wall.chats()).length, 1, "the chat is used again");
    });

    test("an Idempotency-Key gives the same answer again", async () => {
      const wall = await Wall.build(w, flavour);
      const comment = await wall.hear("How much?");
      const options = { headers: { "Idempotency-Key": `reply-${comment.id}` }, status: 202 };
      const first = await w.api.post(wall.replyPath(comment.id), { text: "Forty" }, options);
      assert.deepEqual(await w.api.post(wall.replyPath(comment.id), { text: "Forty" }, options), first);
      await reaches(first, "published");
      assert.equal((await sends(wall)).length, 1);
    });

    test("one that failed may be tried again", async () => {
      const wall = await Wall.build(w, flavour);
      const comment = await wall.hear("How much?");
      await w.sandbox.fault({ platform: "meta", on: "messages", bot: wall.account.page ?? wall.account.id, kind: "status", status: 400, code: 10903, description: "This user cannot reply to this activity" });
      const failed = await reaches(await wall.reply(comment.id), "failed");
      assert.match(failed.error_message, /\S/);
      const sent = await reaches(await wall.reply(comment.id), "published");
      assert.equal(sent.chat_id, failed.chat_id);
      assert.match(await wall.refusal(comment.id), /^422 /);
    });

    test("one that is tried again by itself is one", async () => {
      const wall = await Wall.build(w, flavour);
      const comment = await wall.hear("How much?");
      await w.sandbox.fault({ platform: "meta", on: "messages", bot: wall.account.page ?? wall.account.id, kind: "status", status: 500, code: 2, description: "Temporary" });
      const accepted = await wall.reply(comment.id);
      assert.match(await wall.refusal(comment.id), /^422 /);
      await reaches(accepted, "published");
      const on = (await w.meta.control("GET", `${wall.path}/chats/${wall.person.id}/messages`)).data.filter(({ direction }) => direction === "out");
      assert.equal(on.length, 1);
    });

    test("outside the window, in the chat there is", async () => {
      const wall = await Wall.build(w, flavour);
      const { message } = await w.meta.control("POST", `${wall.path}/chats/${wall.person.id}/messages`, { text: "Long ago", timestamp: Date.now() - 2 * DAY });
      const chat = await until(async () => (await wall.chats())[0], "the chat is here");
      assert.equal(chat.last_inbound_at, new Date(message.timestamp).toISOString());
      const refusal = await w.api.refusal("POST", `/api/chats/${chat.id}/messages`, { body: "Too late" });
      assert.match(refusal, /^422 /);
      const comment = await wall.hear("How much?");
      const sent = await reaches(await wall.reply(comment.id), "published");
      assert.equal(sent.chat_id, chat.id);
      assert.equal((await wall.chats()).length, 1);
      assert.match(await w.api.refusal("POST", `/api/chats/${chat.id}/messages`, { body: "Still too late" }), /^422 /, "it opens no window");
    });

    test("what is missing is a 400", async () => {
      const wall = await Wall.build(w, flavour);
      const comment = await wall.hear("How much?");
      assert.equal(await wall.refusal(comment.id, { text: "x" }, { profile: null }), "400 profile_id is required");
      for (const body of [{}, { text: "" }, { text: null }, { body: "x" }]) assert.match(await wall.refusal(comment.id, body), /^400 .*text/, JSON.stringify(body));
      assert.match(await w.api.refusal("POST", wall.replyPath(comment.id)), /^400 /);
      assert.deepEqual(await wall.chats(), []);
    });

    test("texts are limited as elsewhere", async () => {
      const wall = await Wall.build(w, flavour);
      const comment = await wall.hear("How much?");
      const [fits, long] = isFacebook(flavour) ? ["😀".repeat(2000), "é".repeat(2001)] : ["é".repeat(500), "é".repeat(501)];
      assert.match(await wall.refusal(comment.id, { text: long }), isFacebook(flavour) ? /^422 .*2000.*2001/ : /^422 .*1000.*1002/);
      await reaches(await wall.reply(comment.id, fits), "published");
    });

    test("what is not there is a 404", async () => {
      const wall = await Wall.build(w, flavour);
      const comment = await wall.hear("How much?");
      const other = await Wall.build(w, flavour);
      const foreign = await other.hear("Elsewhere");
      for (const [id, options] of [["cmt_11111111111", {}], [comment.id, { post: "post_11111111111" }], [comment.id, { post: other.id }], [foreign.id, {}], [comment.id, { profile: "prof_11111111111" }]])
        assert.match(await wall.refusal(id, undefined, options), /^404 /, JSON.stringify([id, options]));
      const group = await w.api.post("/api/profile_groups", { name: "Elsewhere" });
      assert.match(await w.api.refusal("POST", `${wall.replyPath(comment.id)}&profile_group_id=${group.id}`, { text: "x" }), /^404 /);
      assert.deepEqual(await sends(wall), []);
    });

    test("a comment of eight days ago is too old, one of six is not", async () => {
      const wall = await Wall.build(w, flavour);
      await wall.post();
      const at = (days) => Math.floor((Date.now() - days * DAY) / 1000);
      const value = (id, days) => (isFacebook(flavour)
        ? { item: "comment", verb: "add", comment_id: id, post_id: wall.id, parent_id: wall.id, from: { id: "7001002003004005", name: "Ana Lima" }, created_time: at(days), message: "price?" }
        : { id, text: "price?", from: { id: "6001002003004005", username: "ana.lima" }, media: { id: wall.id } });
      await wall.tell(value("18000000000077708", 8), Date.now() - 8 * DAY);
      await wall.find("18000000000077708");
      assert.match(await wall.refusal("18000000000077708"), /^422 .*7 days/);
      await wall.tell(value("18000000000077706", 6), Date.now() - 6 * DAY);
      await wall.find("18000000000077706");
      await wall.reply("18000000000077706");
    });

    test("a comment never seen here: Meta decides, and its author is learnt", async () => {
      const account = await w.meta.makeAccount(flavour);
      const wall = await Wall.build(w, flavour, { ...account, profile: { id: "none", platform: isFacebook(flavour) ? "facebook" : "instagram" } });
      const said = await wall.write("Before you were connected");
      wall.profile = await w.meta.connect(account);
      const accepted = await wall.reply(said.id);
      assert.equal(accepted.external_comment_id, said.id);
      const sent = await reaches(accepted, "published");
      assert.equal((await w.api.get(`/api/chats/${sent.chat_id}`)).participant_external_id, await wall.scopedId());
      assert.match(await wall.refusal(said.id), /^422 /);
      assert.equal((await wall.chats()).length, 1);
      const failed = await reaches(await wall.reply("18000000000999999"), "failed");
      assert.match(failed.error_message, /\S/);
      assert.equal((await w.api.get(`/api/profiles/${wall.profile.id}`)).status, "active");
    });

    test("a comment never seen here of somebody who has a chat already", async () => {
      const account = await w.meta.makeAccount(flavour);
      const wall = await Wall.build(w, flavour, { ...account, profile: { id: "none", platform: isFacebook(flavour) ? "facebook" : "instagram" } });
      const said = await wall.write("Before you were connected");
      wall.profile = await w.meta.connect(account);
      const talk = await w.meta.talk(flavour, { account: { ...account, profile: wall.profile }, person: wall.person });
      const sent = await reaches(await wall.reply(said.id), "published");
      const { data } = await w.api.get(`/api/chats/${talk.chat.id}/messages`);
      assert.ok(data.some(({ id }) => id === sent.id), "it is in that chat");
      assert.equal(sent.chat_id, talk.chat.id);
      assert.deepEqual((await wall.chats()).map(({ participant_external_id }) => participant_external_id), [await talk.scopedId()], "and no other is left");
    });
  });

describe("on a Page, where people comment by another id than they write by", () => {
  for (const met of [false, true])
    test(`the chat is that of the writer, ${met ? "who wrote before" : "who writes later"}`, async () => {
      await w.sandbox.control("POST", "/settings", { meta: { other_comment_ids: true } });
      const wall = await Wall.build(w, "facebook");
      const talk = met && (await w.meta.talk("facebook", { account: wall.account, person: wall.person }));
      const comment = await wall.hear("How much?");
      const sent = await reaches(await wall.reply(comment.id), "published");
      const me = await wall.scopedId();
      assert.notEqual(comment.author_external_id, me);
      const { message } = await w.meta.control("POST", `${wall.path}/chats/${wall.person.id}/messages`, { text: "I take it" });
      const chat = await until(async () => (await wall.chats()).find(({ participant_external_id }) => participant_external_id === me), "the writer's chat");
      await until(async () => (await w.api.get(`/api/chats/${chat.id}/messages`)).data.some((m) => m.external_id === message.mid), "the answer is here");
      assert.equal(sent.chat_id, chat.id);
      if (talk) assert.equal(chat.id, talk.chat.id);
      assert.deepEqual((await wall.chats()).map(({ participant_external_id }) => participant_external_id), [me]);
    });
});

describe("elsewhere", () => {
  test("it is a 422, whatever the post", async () => {
    const { profile } = await w.bot();
    const wall = await Wall.build(w, "facebook");
    const comment = await wall.hear("How much?");
    for (const [post, id] of [[wall.id, comment.id], ["post_11111111111", "cmt_11111111111"], ["1", "2"]]) assert.match(await wall.refusal(id, undefined, { post, profile: profile.id }), /^422 /);
  });
});
