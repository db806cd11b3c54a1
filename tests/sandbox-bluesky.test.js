// `parley sandbox` as Bluesky, asked by the official client library, which checks every answer against the official schemas.
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";

import { AtpAgent, RichText, schemas } from "@atproto/api";
import { Lexicons } from "@atproto/lexicon";

import { startSandbox } from "./lib/sandbox.js";

const DESK = "did:plc:desk22222222222222222222";
const SHOP = "did:plc:shop22222222222222222222";
const MINA = "did:plc:mina22222222222222222222";
const lexicons = new Lexicons(schemas);

let sandbox;
let desk;
let chat;

before(async () => {
  sandbox = await startSandbox();
});
after(() => sandbox.stop());
beforeEach(async () => {
  await sandbox.reset();
  desk = await login("desk.sandbox.test", "desk-2222-chat-2222");
  chat = desk.withProxy("bsky_chat", "did:web:api.bsky.chat").chat.bsky.convo;
});

async function login(identifier, password) {
  const agent = new AtpAgent({ service: sandbox.url });
  await agent.login({ identifier, password });
  return agent;
}

const control = (method, path, body) => sandbox.control(method, `/bluesky${path}`, body);
const mina = (path, body) => control("POST", `/accounts/${MINA}${path}`, body);
const write = (text, more) => mina("/messages", { to: DESK, text, ...more });

/** The output, if it is as the official schema has it. */
function valid(nsid, data) {
  lexicons.assertValidXrpcOutput(nsid, JSON.parse(JSON.stringify(data)));
  return data;
}

/** An event or view by its own `$type`. */
function validObject(object) {
  const result = lexicons.validate(object.$type, object);
  assert.ok(result.success, `${object.$type}: ${result.error?.message}`);
  return object;
}

async function refusal(promise) {
  const error = await promise.then(() => assert.fail("it was not refused"), (e) => e);
  return { status: error.status, error: error.error, message: error.message };
}

describe("the account server", () => {
  test("logging in gives a session that the client keeps alive", async () => {
    assert.equal(desk.did, DESK);
    assert.equal(desk.session.handle, "desk.sandbox.test");
    const first = desk.session.accessJwt;
    await control("POST", `/accounts/${DESK}/sessions/expire`);
    const { data } = await desk.com.atproto.server.getSession();
    assert.equal(data.did, DESK);
    assert.notEqual(desk.session.accessJwt, first);
  });

  test("the tokens have the shape of JWTs and say when they end", () => {
    const claims = JSON.parse(Buffer.from(desk.session.accessJwt.split(".")[1], "base64url").toString());
    assert.equal(claims.sub, DESK);
    assert.ok(Math.abs(claims.exp - Date.now() / 1000 - 7200) < 60);
  });

  test("profiles, handles and the record of who may write", async () => {
    const profile = (await desk.getProfile({ actor: "mina.sandbox.test" })).data;
    assert.equal(profile.did, MINA);
    assert.equal(profile.associated.chat.allowIncoming, "all");
    assert.equal((await fetch(profile.avatar)).headers.get("content-type"), "image/png");
    assert.equal((await desk.resolveHandle({ handle: "shop.sandbox.test" })).data.did, SHOP);
    assert.equal((await desk.getProfiles({ actors: [MINA, SHOP] })).data.profiles.length, 2);

    const record = { $type: "chat.bsky.actor.declaration", allowIncoming: "none" };
    const where = { repo: DESK, collection: "chat.bsky.actor.declaration", rkey: "self" };
    await desk.com.atproto.repo.putRecord({ ...where, record });
    assert.deepEqual((await desk.com.atproto.repo.getRecord(where)).data.value, record);
  });

  test("an app password without the permission is refused by the chat methods only", async () => {
    const plain = await login("desk.sandbox.test", "desk-2222-none-2222");
    const refused = await refusal(plain.withProxy("bsky_chat", "did:web:api.bsky.chat").chat.bsky.convo.getLog());
    assert.deepEqual(refused, { status: 400, error: "InvalidToken", message: "Bad token method" });
  });
});

describe("the chat service", () => {
  test("every answer is as the schemas say", async () => {
    const { cursor } = valid("chat.bsky.convo.getLog", (await chat.getLog({})).data);
    const { convo: convoId, message } = await write("hello 👋🏽", {
      facets: [{ index: { byteStart: 0, byteEnd: 5 }, features: [{ $type: "app.bsky.richtext.facet#tag", tag: "hello" }] }],
    });
    validObject(message);
    const members = [MINA];
    const own = valid("chat.bsky.convo.sendMessage", (await chat.sendMessage({ convoId, message: { text: "good day" } })).data);
    valid("chat.bsky.convo.listConvos", (await chat.listConvos({ limit: 10 })).data);
    valid("chat.bsky.convo.getConvo", (await chat.getConvo({ convoId })).data);
    valid("chat.bsky.convo.getConvoForMembers", (await chat.getConvoForMembers({ members })).data);
    valid("chat.bsky.convo.getConvoAvailability", (await chat.getConvoAvailability({ members })).data);
    valid("chat.bsky.convo.getMessages", (await chat.getMessages({ convoId })).data).messages.forEach(validObject);
    valid("chat.bsky.convo.muteConvo", (await chat.muteConvo({ convoId })).data);
    valid("chat.bsky.convo.unmuteConvo", (await chat.unmuteConvo({ convoId })).data);
    valid("chat.bsky.convo.acceptConvo", (await chat.acceptConvo({ convoId })).data);
    valid("chat.bsky.convo.addReaction", (await chat.addReaction({ convoId, messageId: message.id, value: "👍" })).data);
    valid("chat.bsky.convo.removeReaction", (await chat.removeReaction({ convoId, messageId: message.id, value: "👍" })).data);
    valid("chat.bsky.convo.updateRead", (await chat.updateRead({ convoId })).data);
    valid("chat.bsky.convo.sendMessageBatch", (await chat.sendMessageBatch({ items: [{ convoId, message: { text: "more" } }] })).data);
    valid("chat.bsky.convo.deleteMessageForSelf", (await chat.deleteMessageForSelf({ convoId, messageId: own.id })).data);
    await mina("/groups", { name: "Three of us", members: [DESK, SHOP] });
    valid("chat.bsky.convo.leaveConvo", (await chat.leaveConvo({ convoId })).data);

    const log = valid("chat.bsky.convo.getLog", (await chat.getLog({ cursor })).data);
    for (const event of log.logs) {
      validObject(event);
      if (event.message) validObject(event.message);
    }
    const kinds = new Set(log.logs.map((event) => event.$type.split("#")[1]));
    for (const kind of ["logBeginConvo", "logCreateMessage", "logAcceptConvo", "logMuteConvo", "logUnmuteConvo", "logAddReaction",
      "logRemoveReaction", "logReadMessage", "logReadConvo", "logDeleteMessage", "logLeaveConvo", "logAddMember"])
      assert.ok(kinds.has(kind), `${kind} is in the log`);
  });

  test("what the official client writes arrives, with its links", async () => {
    const { data } = await chat.getConvoForMembers({ members: [MINA] });
    const text = new RichText({ text: "see https://a.example/ä?b=1 – or not" });
    text.detectFacetsWithoutResolution();
    await chat.sendMessage({ convoId: data.convo.id, message: { text: text.text, facets: text.facets } });
    const seen = (await control("GET", `/accounts/${MINA}/convos/${data.convo.id}/messages`)).data;
    assert.equal(seen.length, 1);
    assert.equal(seen[0].direction, "in");
    assert.equal(seen[0].facets[0].features[0].uri, "https://a.example/ä?b=1");
  });

  test("a request is answered, and so accepted", async () => {
    const { convo: convoId } = await write("may I?");
    assert.equal((await chat.getConvo({ convoId })).data.convo.status, "request");
    assert.equal((await chat.getConvo({ convoId })).data.convo.unreadCount, 1);
    await chat.sendMessage({ convoId, message: { text: "you may" } });
    assert.equal((await chat.getConvo({ convoId })).data.convo.status, "accepted");
    assert.equal((await chat.listConvos({ status: "request" })).data.convos.length, 0);
  });

  test("all of a burst comes, in order, page by page", async () => {
    let { cursor } = (await chat.getLog({})).data;
    await mina("/burst", { to: DESK, count: 250, text: "no." });
    const texts = [];
    for (;;) {
      const { data } = await chat.getLog({ cursor });
      if (data.logs.length === 0) break;
      assert.ok(data.logs.length <= 100);
      texts.push(...data.logs.flatMap((event) => event.message?.text ?? []));
      cursor = data.cursor;
    }
    assert.deepEqual(texts, Array.from({ length: 250 }, (_, i) => `no. ${i + 1}`));
  });

  test("everyone is listed, a page at a time", async () => {
    for (let i = 0; i < 5; i++) {
      const { did } = await control("POST", "/accounts", { handle: `person-${i}.sandbox.test` });
      await control("POST", `/accounts/${did}/messages`, { to: DESK, text: `${i}` });
    }
    const seen = [];
    let cursor;
    do {
      const { data } = await chat.listConvos({ limit: 2, cursor });
      seen.push(...data.convos.map((convo) => convo.lastMessage.text));
      cursor = data.cursor;
    } while (cursor);
    assert.deepEqual(seen, ["4", "3", "2", "1", "0"]);
  });

  for (const [change, error, message] of [
    [{ allow_incoming: "none" }, "MessagesDisabled", "recipient has disabled incoming messages"],
    [{ allow_incoming: null }, "NotFollowedBySender", "recipient requires incoming messages to come from someone they follow"],
    [{ status: "deactivated" }, "RecipientNotFound", "recipient does not exist"],
    [{ refuses: "BlockedActor" }, "BlockedActor", "block between recipient and sender"],
  ])
    test(`whoever cannot be written to: ${error}`, async () => {
      await control("PATCH", `/accounts/${MINA}`, change);
      assert.deepEqual(await refusal(chat.getConvoForMembers({ members: [MINA] })), { status: 400, error, message });
      assert.equal((await chat.getConvoAvailability({ members: [MINA] })).data.canChat, false);
      await sandbox.control("POST", "/settings", { bluesky: { named_refusals: false } });
      assert.deepEqual(await refusal(chat.getConvoForMembers({ members: [MINA] })), { status: 400, error: "InvalidRequest", message });
    });

  test("too long a text is refused as the official validator does", async () => {
    const { convo: convoId } = await write("hello");
    const plain = sandbox.url;
    const send = (text) => fetch(`${plain}/xrpc/chat.bsky.convo.sendMessage`, {
      method: "POST",
      headers: { "Content-Type": "application/json", "Authorization": `Bearer ${desk.session.accessJwt}`, "atproto-proxy": "did:web:api.bsky.chat#bsky_chat" },
      body: JSON.stringify({ convoId, message: { text } }),
    });
    for (const text of ["a".repeat(1000), "🇩🇪".repeat(1000), "e\u0301".repeat(1000), "👨‍👩‍👧".repeat(555)]) {
      assert.ok(lexicons.validate("chat.bsky.convo.defs#messageInput", { text }).success);
      assert.equal((await send(text)).status, 200);
    }
    for (const text of ["a".repeat(1001), "🇩🇪".repeat(1001), "e\u0301".repeat(1001), "👨‍👩‍👧".repeat(556)]) {
      assert.ok(!lexicons.validate("chat.bsky.convo.defs#messageInput", { text }).success);
      assert.equal((await send(text)).status, 400);
    }
  });
});
