// Reacting to messages on Messenger and Instagram, and taking it back.
import assert from "node:assert/strict";
import { before, describe, test } from "node:test";

import { FLAVOURS } from "./lib/meta.js";
import { until } from "./lib/until.js";
import { world } from "./lib/world.js";

const w = world({ ready: ({ meta }) => meta.setCallback() });
const isPage = (talk) => talk.account.flavour === FLAVOURS[0];
const speaker = (talk) => talk.account.page ?? talk.account.id;
const fault = (talk, order) => w.sandbox.fault({ platform: "meta", on: "messages", bot: speaker(talk), ...order });
const asked = (talk) => w.meta.calls(`?account=${speaker(talk)}&operation=messages`);

for (const flavour of FLAVOURS)
  describe(`reactions, ${flavour}`, () => {
    let talk, inbound, path, ours;
    before(async () => {
      talk = await w.meta.talk(flavour);
      ours = talk.profile.external_id;
    });
    const react = (json, options) => w.api.post(`${path}/react`, json, { status: 200, ...options });
    const refuse = (json) => w.api.refusal("POST", `${path}/react`, json);
    const unreact = () => w.api.delete(`${path}/unreact`, { status: 200 });
    const lastAsked = async () => (await asked(talk)).at(-1).params;
    const events = async () => {
      const { data } = await w.api.get("/api/events?limit=1000&types=reaction.received");
      return data.filter((event) => event.data.message.id === inbound.id);
    };
    /** A message to react to. */
    const hear = async () => {
      inbound = await talk.hear("React to this");
      path = `/api/messages/${inbound.id}`;
    };

    test("love, if nothing is said, whatever the body", async () => {
      for (const options of [{}, { headers: { "Content-Type": "application/json" } }, { json: {} }, { form: { reaction: "love", emoji: "❤️" } }]) {
        await hear();
        const answer = await w.api.take("POST", `${path}/react`, { status: 200, ...options });
        assert.equal(answer.id, inbound.id);
        assert.equal(answer.reactions.length, 1);
        const [{ at, ...reaction }] = answer.reactions;
        assert.deepEqual(reaction, { sender_external_id: ours, emoji: options.form ? "❤️" : "❤", reaction: "love" });
        assert.ok(Math.abs(Date.parse(at) - Date.now()) < 5000);
        const { sender_action, payload, recipient } = await lastAsked();
        assert.deepEqual({ sender_action, payload, recipient }, { sender_action: "react", recipient: { id: talk.chat.participant_external_id },
          payload: { message_id: inbound.external_id, reaction: isPage(talk) ? reaction.emoji : "love" } });
        await talk.hear("and so on");
        const all = await events();
        assert.equal(all.length, 1);
        const { message, object, occurred_at, ...data } = all[0].data;
        assert.deepEqual(data, { sender_external_id: ours, action: "react", reaction: "love", emoji: reaction.emoji });
        assert.deepEqual(message.reactions, answer.reactions);
        assert.equal(occurred_at, at);
      }
    });

    test("what the platform takes, and nothing else", async () => {
      await hear();
      const names = { love: "❤", like: "👍", dislike: "👎", smile: "😆", wow: "😮", sad: "😢", angry: "😡" };
      if (!isPage(talk)) {
        for (const reaction of ["like", "smile", "nothing"]) assert.match(await refuse({ reaction }), /^422 .*love/);
        assert.equal((await react({ reaction: "love", emoji: "🔥" })).reactions[0].emoji, "🔥");
        assert.equal((await lastAsked()).payload.reaction, "love");
        return;
      }
      for (const [reaction, emoji] of Object.entries(names)) {
        const { reactions } = await react({ reaction });
        assert.deepEqual(reactions.map((r) => [r.sender_external_id, r.reaction, r.emoji]), [[ours, reaction, emoji]]);
        assert.equal((await lastAsked()).payload.reaction, emoji);
      }
      assert.equal((await react({ reaction: "like", emoji: "🎉" })).reactions[0].emoji, "🎉");
      assert.equal((await lastAsked()).payload.reaction, "🎉");
      assert.equal((await react({ emoji: "🥐" })).reactions[0].emoji, "🥐");
      const calls = (await asked(talk)).length;
      assert.match(await refuse({ reaction: "nothing" }), /^422 .*nothing/);
      assert.equal((await asked(talk)).length, calls);
      assert.equal((await w.api.get(path)).reactions[0].emoji, "🥐");
    });

    test("one for each sender; taking ours back leaves the person's", async () => {
      await hear();
      await talk.act("POST", `/messages/${encodeURIComponent(inbound.external_id)}/react`, { emoji: "😂" });
      await until(async () => (await w.api.get(path)).reactions.length === 1, "the person's reaction is here");
      await react({});
      const { reactions } = await react({ reaction: "love", emoji: "💛" });
      assert.deepEqual(reactions.map((r) => r.sender_external_id).toSorted(), [ours, talk.chat.participant_external_id].toSorted());
      assert.equal(reactions.find((r) => r.sender_external_id === ours).emoji, "💛");
      const left = await unreact();
      assert.deepEqual(left.reactions.map((r) => [r.sender_external_id, r.emoji]), [[talk.chat.participant_external_id, "😂"]]);
      const { sender_action, payload } = await lastAsked();
      assert.deepEqual([sender_action, payload], ["unreact", { message_id: inbound.external_id }]);
      await talk.hear("all told");
      const last = (await events()).at(-1).data;
      assert.deepEqual([last.action, last.sender_external_id], ["unreact", ours]);
      assert.deepEqual((await w.api.get(path)).reactions, left.reactions);
    });

    test("taking back what is not there asks nobody and tells nobody", async () => {
      await hear();
      const calls = (await asked(talk)).length;
      assert.deepEqual((await unreact()).reactions, []);
      assert.equal((await asked(talk)).length, calls);
      assert.deepEqual(await events(), []);
      await react({});
      await unreact();
      await unreact();
      assert.deepEqual((await events()).map(({ data }) => data.action), ["react", "unreact"]);
    });

    test("a refusal is a 422 in Meta's words, and changes nothing", async () => {
      await hear();
      const order = { kind: "status", status: 400, code: 100, subcode: 2534015, description: "(#100) Reactions are not for this one" };
      await fault(talk, order);
      assert.equal(await refuse({}), "422 (#100) Reactions are not for this one");
      assert.deepEqual((await w.api.get(path)).reactions, []);
      await react({});
      await fault(talk, order);
      assert.equal(await w.api.refusal("DELETE", `${path}/unreact`), "422 (#100) Reactions are not for this one");
      assert.equal((await w.api.get(path)).reactions.length, 1);
      assert.equal((await events()).length, 1);
      assert.match(await w.api.refusal("POST", "/api/messages/msg_nobodyhasthis/react", {}), /^404 /);
    });

    test("a message is found by its mid, ours can be reacted to as well", async () => {
      const sent = await talk.say("Ours");
      const answer = await w.api.post(`/api/messages/${encodeURIComponent(sent.external_id)}/react`, {}, { status: 200 });
      assert.deepEqual([answer.id, answer.reactions.length], [sent.id, 1]);
    });
  });
