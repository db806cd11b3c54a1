// The server against Bluesky's own code: first the official XRPC server with the official schemas, which refuses whatever is not
// exactly as they say, then the account server itself, where its packages are installed.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { Api } from "./lib/api.js";
import { startAtproto } from "./lib/atproto.js";
import { devnetInstalled, startDevnet } from "./lib/devnet.js";
import { Program, temporaryFolder } from "./lib/process.js";
import { until } from "./lib/until.js";
import { KEY } from "./lib/world.js";

for (const [name, start, skip] of [
  ["the official schemas", startAtproto, false],
  ["the real account server", startDevnet, devnetInstalled ? false : "tests/devnet is not installed"],
])
  describe(name, { skip }, () => {
    let bluesky;
    let server;
    let api;
    let shop;
    let profile;
    let people = 0;

    before(async () => {
      bluesky = await start();
      server = new Program(["serve", "--listen", "127.0.0.1:0"], {
        PARLEY_DATA_DIR: temporaryFolder(),
        PARLEY_API_KEY: KEY,
        PARLEY_BLUESKY_SERVICE_URL: bluesky.url,
        PARLEY_BLUESKY_APPVIEW_URL: bluesky.appviewUrl,
        PARLEY_BLUESKY_PLC_URL: bluesky.plcUrl,
        PARLEY_BLUESKY_CHAT_PROXY: bluesky.chatProxy,
        PARLEY_BLUESKY_POLL_SECONDS: "200ms",
        PARLEY_BLUESKY_ACTIVE_SECONDS: "100ms",
        PARLEY_PACE: "no",
      });
      api = new Api(`http://${await server.listening()}`, KEY);
      shop = await bluesky.createAccount("corner-shop.test", "The shop");
      server.secrets = [KEY, shop.password, shop.plainPassword];
    });
    after(async () => {
      await server?.stop();
      await bluesky?.stop();
    });

    async function connect(password) {
      const groupId = (await api.get("/api/profile_groups")).data[0].id;
      const json = { platform: "bluesky", identifier: shop.handle, app_password: password };
      return api.ask("POST", `/api/profile_groups/${groupId}/initialize_connection`, { json });
    }

    const makePerson = (more) => bluesky.chat.add({ handle: `person-${++people}.example.com`, displayName: `Person ${people}`, ...more });
    const chatsOf = async () => (await api.get(`/api/profiles/${profile.id}/chats?per_page=100`)).data;
    const messagesOf = async (chat) => (await api.get(`/api/chats/${chat.id}/messages?per_page=100`)).data;

    /** Someone who has written, and the chat that came of it. */
    async function talk(text = "hello") {
      const person = makePerson();
      const { convo } = bluesky.chat.say(person.did, shop.did, text);
      const chat = await until(async () => (await chatsOf()).find((c) => c.participant_external_id === person.did), "the chat exists");
      return { person, convo, chat };
    }

    async function sent(chat, body) {
      const message = await api.post(`/api/chats/${chat.id}/messages`, { body }, { status: 202 });
      return until(async () => {
        const now = await api.get(`/api/messages/${message.id}`);
        return ["published", "failed"].includes(now.status) && now;
      }, "the message has left");
    }

    test("an app password that may not read messages is refused", async () => {
      const answer = await connect(shop.plainPassword);
      assert.equal(answer.status, 422);
      assert.match(answer.json.error, /may not use direct messages/);
    });

    test("a wrong password is refused", async () => {
      const answer = await connect("aaaa-bbbb-cccc-dddd");
      assert.ok(answer.status >= 400 && answer.status < 500, answer.text);
    });

    test("an account is connected", async () => {
      const answer = await connect(shop.password);
      assert.equal(answer.status, 201, answer.text);
      profile = answer.json.profile;
      assert.equal(profile.external_username, shop.handle);
    });

    test("what a person writes arrives", async () => {
      const { person, convo, chat } = await talk("Good day 👋🏽");
      assert.equal(chat.participant_username, person.handle);
      assert.equal(chat.participant_name, person.displayName);
      const { message } = bluesky.chat.say(person.did, shop.did, "and this");
      const [second, first] = await until(async () => {
        const list = await messagesOf(chat);
        return list.length === 2 && list;
      }, "both are there");
      assert.deepEqual([first.body, second.body], ["Good day 👋🏽", "and this"]);
      assert.equal(second.external_id, message.id);
      assert.equal(convo.messages.length, 2);
    });

    test("an answer is taken, with its link where the text has it", async () => {
      const { convo, chat } = await talk();
      const text = "Größe: see https://a.example/size?m=1 – or ask";
      const message = await sent(chat, text);
      assert.equal(message.status, "published", message.error_message);
      const got = convo.messages.at(-1);
      assert.equal(got.id, message.external_id);
      assert.equal(got.text, text);
      assert.equal(got.facets.length, 1);
      const { byteStart, byteEnd } = got.facets[0].index;
      assert.equal(Buffer.from(text).subarray(byteStart, byteEnd).toString(), "https://a.example/size?m=1");
      assert.equal(got.facets[0].features[0].uri, "https://a.example/size?m=1");
    });

    test("a long message passes the official count of characters", async () => {
      const { convo, chat } = await talk();
      const message = await sent(chat, "👨‍👩‍👧".repeat(555));
      assert.equal(message.status, "published", message.error_message);
      assert.equal(convo.messages.at(-1).text.length, 555 * 8);
    });

    test("a chat begins with someone who wants it, and not with others", async () => {
      const begin = async (person) => {
        const chat = await api.post(`/api/profiles/${profile.id}/chats`, { participant_external_id: person.did });
        return sent(chat, "May I?");
      };
      assert.equal((await begin(makePerson())).status, "published");
      const refused = await begin(makePerson({ allowIncoming: "none" }));
      assert.equal(refused.status, "failed");
      assert.notEqual(refused.error_message, null);
    });

    test("archiving mutes the conversation, and messages still arrive", async () => {
      const { person, convo, chat } = await talk();
      await api.post(`/api/chats/${chat.id}/archive`, {}, { status: 200 });
      assert.equal(convo.members.get(shop.did).muted, true);
      bluesky.chat.say(person.did, shop.did, "are you there?");
      await until(async () => (await messagesOf(chat)).some((m) => m.body === "are you there?"), "it arrives");
      await api.ask("DELETE", `/api/chats/${chat.id}/archive`);
      assert.equal(convo.members.get(shop.did).muted, false);
    });

    test("an access token that has expired is renewed on the way", async () => {
      const { person, chat } = await talk();
      const before = bluesky.refreshes;
      const restore = bluesky.expireAccess();
      try {
        assert.equal((await sent(chat, "later")).status, "published");
        bluesky.chat.say(person.did, shop.did, "much later");
        await until(async () => (await messagesOf(chat)).some((m) => m.body === "much later"), "it arrives");
        assert.ok(bluesky.refreshes > before);
      } finally {
        restore();
      }
    });
  });
