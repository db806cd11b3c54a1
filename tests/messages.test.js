// Sending text, the life of a message, editing, and finding messages again.
import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { until } from "./lib/until.js";
import { world } from "./lib/world.js";

const w = world();
const keyboard = (...buttons) => ({ inline_keyboard: [buttons.map((text) => ({ text, callback_data: text }))] });

describe("sending text", () => {
  test("is accepted as pending, then published", async () => {
    const talk = await w.talk();
    const sent = await talk.send("Yes, we ship to Spain.");
    const { id, created_at } = sent;
    const expected = {
      id,
      chat_id: talk.chat.id,
      external_id: null,
      direction: "outbound",
      body: "Yes, we ship to Spain.",
      status: "pending",
      external_comment_id: null,
      error_message: null,
      platform_data: null,
      external_posted_at: null,
      external_delivered_at: null,
      external_read_at: null,
      external_edited_at: null,
      reply_to_external_id: null,
      reply_markup: null,
      external_deleted_at: null,
      reactions: [],
      attachments: [],
      is_unsupported: false,
      created_at,
    };
    assert.deepEqual(sent, expected);
    const published = await talk.reaches(sent, "published");
    const arrived = (await talk.onTelegram()).at(-1);
    assert.equal(arrived.text, "Yes, we ship to Spain.");
    assert.equal(arrived.direction, "out");
    assert.deepEqual(published, {
      ...expected,
      status: "published",
      external_id: String(arrived.message_id),
      external_posted_at: new Date(arrived.date * 1000).toISOString(),
    });
    const chat = await talk.readChat();
    assert.equal(chat.last_outbound_at, published.external_posted_at);
    assert.ok(chat.last_message_at >= published.external_posted_at);
  });

  test("text arrives as it was given", async () => {
    const talk = await w.talk();
    for (const body of ["<b>no markup</b> *here* _or_ [there](https://a.example)", "Ünïcödé 😀 👩‍👩‍👧 漢字 עברית", "quotes \" and \\ and /", "line\nbreak", "a".repeat(4096)]) {
      await talk.say(body);
      assert.equal((await talk.onTelegram()).at(-1).text, body);
    }
    const call = (await talk.calls("sendMessage"))[0];
    assert.equal(call.params.parse_mode, undefined);
  });

  test("4096 characters are the limit, whatever they are", async () => {
    const talk = await w.talk();
    for (const [piece, name] of [["a", "one byte"], ["é", "two"], ["漢", "three"], ["😀", "four"]]) {
      const message = await talk.say(piece.repeat(4096));
      assert.equal([...message.body].length, 4096, name);
      const refusal = await talk.refusal({ body: piece.repeat(4097) });
      assert.match(refusal, /^422 /, name);
      assert.ok(refusal.includes("4096") && refusal.includes("4097"), refusal);
    }
  });

  test("what does not go is refused to the letter", async () => {
    const talk = await w.talk();
    const png = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==";
    for (const [body, words] of [
      [{}, "400 body or media is required"],
      [{ body: "" }, "400 body or media is required"],
      [{ body: " \n\t " }, "400 body or media is required"],
      [{ body: null }, "400 body or media is required"],
      [{ body: null, media: null }, "400 body or media is required"],
      [{ media: [] }, "400 body or media is required"],
      [{ body: "  ", media: [] }, "400 body or media is required"],
      [{ reply_markup: keyboard("a") }, "400 body or media is required"],
      [{ text: "wrong name" }, "400 body or media is required"],
      [{ body: "x", media: [png] }, "422 Direct messages support either text or attachment per send, not both"],
      [{ media: [png, png] }, "422 Direct messages support one attachment per send"],
      [{ media: [png, "https://a.example/b.png", { data: "AAAA" }] }, "422 Direct messages support one attachment per send"],
    ])
      assert.equal(await talk.refusal(body), words, JSON.stringify(body).slice(0, 80));
    assert.match(await talk.refusal({ body: "x", media: [png, png] }), /^422 /);
    assert.equal((await talk.list("direction=outbound")).length, 0);
    assert.deepEqual(await talk.calls("sendMessage"), []);
  });

  test("an empty media list beside a text is none, and a blank text beside media too", async () => {
    const talk = await w.talk();
    assert.equal((await talk.say({ body: "x", media: [] })).body, "x");
    const message = await talk.say({ body: "  ", media: ["data:text/plain;base64,aGVsbG8="] });
    assert.equal(message.attachments.length, 1);
    assert.ok(message.body === null);
  });

  test("as a form and as multipart", async () => {
    const talk = await w.talk();
    const form = { body: "from a form: a+b & c", reply_markup: JSON.stringify(keyboard("Ja")) };
    const sent = await talk.say(undefined, { form });
    assert.deepEqual([sent.body, sent.reply_markup], [form.body, keyboard("Ja")]);
    const multipart = new FormData();
    multipart.append("body", "in parts");
    multipart.append("reply_to_external_id", sent.external_id);
    multipart.append("reply_markup", JSON.stringify(keyboard("Nein")));
    const parts = await talk.say(undefined, { multipart });
    assert.deepEqual([parts.body, parts.reply_to_external_id, parts.reply_markup], ["in parts", sent.external_id, keyboard("Nein")]);
    assert.deepEqual((await talk.onTelegram()).at(-1).reply_markup, keyboard("Nein"));
  });

  test("to a chat named by the platform's id", async () => {
    const talk = await w.talk();
    const message = await w.api.post(`/api/chats/${talk.person.id}/messages`, { body: "x" }, { status: 202 });
    assert.equal(message.chat_id, talk.chat.id);
    await talk.reaches(message, "published");
  });

  test("in the order it was accepted", async () => {
    const talk = await w.talk();
    const sent = [];
    for (let n = 0; n < 25; n++) sent.push(await talk.send(`number ${n}`));
    for (const message of sent) await talk.reaches(message, "published");
    const texts = (await talk.onTelegram()).filter((m) => m.direction === "out").map((m) => m.text);
    assert.deepEqual(texts, sent.map((message) => message.body));
    assert.deepEqual((await talk.list("direction=outbound&per_page=100")).map((m) => m.id), sent.map((m) => m.id).reverse());
  });

  test("a reply is threaded", async () => {
    const talk = await w.talk();
    const question = await talk.hear("Do you ship to Spain?");
    const answer = await talk.say({ body: "Yes", reply_to_external_id: question.external_id });
    assert.equal(answer.reply_to_external_id, question.external_id);
    assert.equal((await talk.onTelegram()).at(-1).reply_to_message.text, "Do you ship to Spain?");
    const numeric = await talk.send({ body: "Yes!", reply_to_external_id: Number(question.external_id) }).catch((error) => error);
    if (numeric.id) assert.equal((await talk.reaches(numeric, "published")).reply_to_external_id, question.external_id);
    else assert.match(numeric.message, /answered 4(00|22)/);
  });

  test("a reply to what is not there fails with Telegram's words, and what cannot be an id is refused", async () => {
    const talk = await w.talk();
    const message = await talk.send({ body: "x", reply_to_external_id: "4711" });
    const failed = await talk.reaches(message, "failed");
    assert.equal(failed.error_message, "Bad Request: message to be replied not found");
    for (const id of ["abc", "-1", "0", "1.5", "99999999999999999999", "1 2"])
      assert.equal(await talk.refusal({ body: "x", reply_to_external_id: id }),
        `422 reply_to_external_id must be the id of a Telegram message, which is a number, not '${id}'`);
    assert.equal((await talk.calls("sendMessage")).length, 1);
  });

  for (const [name, markup] of Object.entries({
    "inline keyboard": { inline_keyboard: [[{ text: "Celadon", callback_data: "glaze:celadon" }, { text: "Site", url: "https://example.org/?a=1&b=ü" }], [{ text: "😀", callback_data: "{\"x\":[1,2.50]}" }]] },
    keyboard: { keyboard: [[{ text: "Menu" }, "Plain"]], one_time_keyboard: true, resize_keyboard: true, input_field_placeholder: "Pick one" },
    "remove keyboard": { remove_keyboard: true },
    "force reply": { force_reply: true, input_field_placeholder: "Your order number" },
  }))
    test(`reply_markup goes through unchanged: ${name}`, async () => {
      const talk = await w.talk();
      const message = await talk.say({ body: "Which?", reply_markup: markup });
      assert.deepEqual(message.reply_markup, markup);
      const { params } = (await talk.calls("sendMessage"))[0];
      const passed = typeof params.reply_markup === "string" ? JSON.parse(params.reply_markup) : params.reply_markup;
      assert.deepEqual(passed, markup);
      assert.deepEqual((await w.api.get(`/api/messages/${message.id}`)).reply_markup, markup);
    });

  test("reply_markup must be an object", async () => {
    const talk = await w.talk();
    for (const reply_markup of [[], "x", 1, true, [keyboard("a")], "[1]", "{"])
      assert.match(await talk.refusal({ body: "x", reply_markup }), /^4(00|22) .*reply_markup/, JSON.stringify(reply_markup));
    assert.equal((await talk.say({ body: "x", reply_markup: null })).reply_markup, null);
  });

  test("a keyboard Telegram refuses fails the message with its words", async () => {
    const talk = await w.talk();
    const message = await talk.send({ body: "x", reply_markup: { inline_keyboard: [[{ text: "a" }]] } });
    const failed = await talk.reaches(message, "failed");
    assert.equal(failed.error_message, "Bad Request: can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard");
    assert.equal(failed.external_id, null);
  });

  test("unknown fields are ignored", async () => {
    const talk = await w.talk();
    const message = await talk.say({ body: "x", tag: "HUMAN_AGENT", id: "msg_1", status: "published", direction: "inbound", nested: { a: [1, { b: null }] } });
    assert.deepEqual([message.body, message.direction], ["x", "outbound"]);
  });
});

describe("people who cannot be written to", () => {
  test("one who never wrote is a 422 with Telegram's words", async () => {
    const talk = await w.silence();
    assert.equal(await talk.refusal({ body: "Hello" }), "422 Forbidden: bot can't initiate conversation with a user");
    assert.deepEqual(await talk.list(), []);
    const unknown = await w.api.post(`/api/profiles/${talk.profile.id}/chats`, { participant_external_id: "987654321" });
    const refusal = await w.api.refusal("POST", `/api/chats/${unknown.id}/messages`, { body: "Hello" });
    assert.match(refusal, /^422 (Forbidden: bot can't initiate conversation with a user|Bad Request: chat not found)$/);
    await talk.write("Now I write");
    await until(async () => (await talk.list()).length === 1, "they wrote");
    await talk.say("Hello");
  });

  test("an id that is no Telegram user's is refused", async () => {
    const { profile } = await w.bot();
    for (const id of ["abc", "@mina", "-100123", "0", "1.5", "12 34", "99999999999999999999999"])
      assert.equal(await w.api.refusal("POST", `/api/profiles/${profile.id}/chats`, { participant_external_id: id }),
        `422 participant_external_id must be the id of a Telegram user, a number such as 7031558204, not '${id}'`);
  });

  test("one who blocked the bot is a permanent failure, until they come back", async () => {
    const talk = await w.talk();
    await talk.act("POST", "/block");
    const message = await talk.send("Are you there?");
    const failed = await talk.reaches(message, "failed");
    assert.equal(failed.error_message, "Forbidden: bot was blocked by the user");
    assert.equal((await talk.calls("sendMessage")).length, 1);
    await talk.act("POST", "/unblock");
    assert.equal((await talk.say("Welcome back")).status, "published");
    assert.equal((await w.api.get(`/api/messages/${message.id}`)).status, "failed");
  });
});

describe("when sending fails", () => {
  test("trouble that passes is waited out", async () => {
    const talk = await w.talk();
    await talk.fault({ on: "sendMessage", kind: "status", status: 500, description: "Internal Server Error: restart", count: 2 });
    const message = await talk.send("Patience");
    const waiting = await talk.reaches(message, "failed_waiting_for_retry");
    assert.equal(waiting.error_message, "Internal Server Error: restart");
    assert.equal(waiting.external_id, null);
    const published = await talk.reaches(message, "published");
    assert.equal(published.error_message, null);
    assert.equal((await talk.onTelegram()).filter((m) => m.text === "Patience").length, 1);
    assert.equal((await talk.calls("sendMessage")).length, 3);
  });

  for (const [name, order] of Object.entries({
    "an HTML page": { kind: "html", status: 502 },
    "a body that is not JSON": { kind: "garbage" },
    "a connection cut before anything happened": { kind: "cut_before" },
  }))
    test(`${name} is tried again`, async () => {
      const talk = await w.talk();
      await talk.fault({ on: "sendMessage", ...order });
      const message = await talk.send("Once more");
      const published = await talk.reaches(message, "published");
      assert.equal(published.status, "published");
      assert.ok((await talk.onTelegram()).filter((m) => m.text === "Once more").length >= 1);
    });

  test("a cut after the request may have been carried out is repeated and says so", async () => {
    const talk = await w.talk();
    await talk.fault({ on: "sendMessage", kind: "cut_after" });
    const message = await talk.send("Twice perhaps");
    const published = await talk.reaches(message, "published");
    assert.equal(published.platform_data.possible_duplicate, true);
    assert.equal((await talk.onTelegram()).filter((m) => m.text === "Twice perhaps").length, 2);
  });

  test("when tries run out it has failed", async () => {
    const talk = await w.talk();
    await talk.fault({ on: "sendMessage", kind: "status", status: 500, description: "Internal Server Error: no", count: -1 });
    const message = await talk.send("Never");
    const failed = await talk.reaches(message, "failed");
    assert.equal(failed.error_message, "Internal Server Error: no");
    assert.equal((await talk.calls("sendMessage")).length, 5);
    await w.sandbox.control("DELETE", "/faults");
    assert.equal((await talk.say("Next")).status, "published");
  });

  test("a permanent refusal is not tried again", async () => {
    const talk = await w.talk();
    for (const [status, description] of [[400, "Bad Request: PEER_ID_INVALID"], [403, "Forbidden: user is deactivated"], [400, "Bad Request: something new"]]) {
      await w.sandbox.control("DELETE", `/telegram/bots/${talk.bot.id}/calls`);
      await talk.fault({ on: "sendMessage", kind: "status", status, description });
      const failed = await talk.reaches(await talk.send("x"), "failed");
      assert.equal(failed.error_message, description);
      assert.equal((await talk.calls("sendMessage")).length, 1);
    }
    assert.equal((await talk.say("y")).status, "published");
  });

  test("Telegram's retry_after is obeyed", async () => {
    const talk = await w.talk();
    await talk.fault({ on: "sendMessage", kind: "rate_limit", retry_after: 2 });
    const message = await talk.send("Slowly");
    const waiting = await talk.reaches(message, "failed_waiting_for_retry");
    assert.match(waiting.error_message, /Too Many Requests: retry after 2/);
    await talk.reaches(message, "published");
    const [first, second] = (await talk.calls("sendMessage")).map((call) => Date.parse(call.at));
    assert.ok(second - first >= 2000, `tried again after ${second - first} ms`);
  });

  test("one that waits holds back its own chat only, in order", async () => {
    const bot = await w.bot();
    const [stuck, free] = [await w.talk({ bot }), await w.talk({ bot })];
    await stuck.fault({ on: "sendMessage", chat: stuck.person.id, kind: "status", status: 500, description: "Internal Server Error", count: 3 });
    const first = await stuck.send("first");
    const second = await stuck.send("second");
    await free.say("unharmed");
    const held = (await w.api.get(`/api/messages/${second.id}`)).status;
    assert.ok(held === "pending" || held === "published");
    await stuck.reaches(first, "published");
    await stuck.reaches(second, "published");
    assert.deepEqual((await stuck.onTelegram()).filter((m) => m.direction === "out").map((m) => m.text), ["first", "second"]);
  });

  test("a failed message does not hold back the next one", async () => {
    const talk = await w.talk();
    await talk.fault({ on: "sendMessage", kind: "status", status: 400, description: "Bad Request: no" });
    const [bad, good] = [await talk.send("bad"), await talk.send("good")];
    await talk.reaches(bad, "failed");
    await talk.reaches(good, "published");
  });
});

describe("editing", () => {
  const edit = (message, body, options) => w.api.patch(`/api/messages/${message.id}`, body, { status: 200, ...options });
  const refusal = (message, body, options) => w.api.refusal("PATCH", `/api/messages/${message.id}`, body, options);

  test("changes the text there and here", async () => {
    const talk = await w.talk();
    const sent = await talk.say({ body: "four days", reply_markup: keyboard("OK") });
    const edited = await edit(sent, { body: "three days" });
    const there = (await talk.onTelegram()).at(-1);
    assert.equal(there.text, "three days");
    assert.equal(there.edited, true);
    assert.deepEqual(there.reply_markup, keyboard("OK"), "the keyboard is kept when it is left out");
    assert.deepEqual(edited, {
      ...sent,
      body: "three days",
      external_edited_at: edited.external_edited_at,
    });
    assert.ok(Date.parse(edited.external_edited_at) >= Date.parse(sent.external_posted_at));
    assert.deepEqual(await w.api.get(`/api/messages/${sent.id}`), edited);
  });

  test("changes the keyboard, and {} removes it", async () => {
    const talk = await w.talk();
    const sent = await talk.say({ body: "Pick", reply_markup: keyboard("a") });
    const other = await edit(sent, { reply_markup: keyboard("b") });
    assert.deepEqual([other.body, other.reply_markup], ["Pick", keyboard("b")]);
    assert.deepEqual((await talk.onTelegram()).at(-1).reply_markup, keyboard("b"));
    const both = await edit(sent, { body: "Choose", reply_markup: keyboard("c") });
    assert.deepEqual([both.body, both.reply_markup], ["Choose", keyboard("c")]);
    const none = await edit(sent, { reply_markup: {} });
    assert.equal((await talk.onTelegram()).at(-1).reply_markup, undefined);
    assert.ok(none.reply_markup === null || Object.keys(none.reply_markup).length === 0, JSON.stringify(none.reply_markup));
    assert.equal(none.body, "Choose");
    const again = await edit(sent, { body: "Chosen" });
    assert.equal((await talk.onTelegram()).at(-1).reply_markup, undefined);
    assert.equal(again.body, "Chosen");
  });

  test("of media changes the caption", async () => {
    const talk = await w.talk();
    const sent = await talk.say({ media: [{ data: Buffer.from("price list").toString("base64"), filename: "prices.txt", content_type: "text/plain" }] });
    const edited = await edit(sent, { body: "Our prices" });
    assert.equal(edited.body, "Our prices");
    assert.equal((await talk.onTelegram()).at(-1).caption, "Our prices");
    assert.equal((await talk.calls("editMessageCaption")).length, 1);
    assert.deepEqual(edited.attachments, sent.attachments);
    assert.match(await refusal(sent, { body: "x".repeat(1025) }), /^422 /);
    const marked = await edit(sent, { reply_markup: keyboard("Buy") });
    assert.equal(marked.body, "Our prices");
    assert.equal((await talk.onTelegram()).at(-1).caption, "Our prices");
  });

  test("as a form, by the platform's id", async () => {
    const talk = await w.talk();
    for (let n = 0; n < 3; n++) await talk.hear("padding");
    const sent = await talk.say("old");
    const edited = await w.api.take("PATCH", `/api/messages/${sent.id}`, { form: { body: "new", reply_markup: JSON.stringify(keyboard("x")) }, status: 200 });
    assert.deepEqual([edited.body, edited.reply_markup], ["new", keyboard("x")]);
  });

  test("is refused in this order", async () => {
    const talk = await w.talk();
    const inbound = (await talk.list())[0];
    const sent = await talk.say("x");
    for (const body of [{ body: "y" }, {}])
      assert.match(await w.api.refusal("PATCH", "/api/messages/msg_11111111111", body), /^404 /);
    for (const body of [{ body: "y" }, {}])
      assert.equal(await refusal(inbound, body), "422 Only published outbound messages can be edited");
    await talk.fault({ on: "sendMessage", kind: "status", status: 400, description: "Bad Request: no" });
    const failed = await talk.reaches(await talk.send("bad"), "failed");
    assert.equal(await refusal(failed, { body: "y" }), "422 Only published outbound messages can be edited");
    for (const body of [{}, { body: null }, { reply_markup: null }, { body: null, reply_markup: null }, { text: "y" }])
      assert.equal(await refusal(sent, body), "400 body or reply_markup is required", JSON.stringify(body));
    for (const reply_markup of [[], "x", 3]) assert.match(await refusal(sent, { reply_markup }), /^4(00|22) .*reply_markup/);
    assert.match(await refusal(sent, { body: "a".repeat(4097) }), /^422 /);
    assert.equal((await w.api.get(`/api/messages/${sent.id}`)).body, "x");
    assert.equal((await w.api.get(`/api/messages/${sent.id}`)).external_edited_at, null);
  });

  test("of what still waits is refused", async () => {
    const talk = await w.talk();
    await talk.fault({ on: "sendMessage", kind: "rate_limit", retry_after: 1 });
    const waiting = await talk.reaches(await talk.send("x"), "failed_waiting_for_retry");
    assert.equal(await refusal(waiting, { body: "y" }), "422 Only published outbound messages can be edited");
    await talk.reaches(waiting, "published");
  });

  test("Telegram's refusals are passed on", async () => {
    const talk = await w.talk();
    const sent = await talk.say("same");
    assert.match(await refusal(sent, { body: "same" }), /^422 Bad Request: message is not modified/);
    const asked = await talk.say({ body: "Number?", reply_markup: { force_reply: true } });
    assert.equal(await refusal(asked, { body: "Number, please?" }), "422 Bad Request: message can't be edited");
    assert.equal(await refusal(sent, { reply_markup: { force_reply: true } }), "422 Bad Request: inline keyboard expected");
    await talk.fault({ on: "editMessageText", kind: "status", status: 400, description: "Bad Request: message to edit not found" });
    assert.equal(await refusal(sent, { body: "new" }), "422 Bad Request: message to edit not found");
    assert.equal((await w.api.get(`/api/messages/${sent.id}`)).body, "same");
  });

  test("Telegram asking to wait is a 429, out of reach a 503", async () => {
    const talk = await w.talk();
    const sent = await talk.say("x");
    await talk.fault({ on: "editMessageText", kind: "rate_limit", retry_after: 9 });
    const wait = await w.api.ask("PATCH", `/api/messages/${sent.id}`, { json: { body: "y" } });
    assert.deepEqual([wait.status, wait.headers.get("retry-after")], [429, "9"]);
    await talk.fault({ on: "editMessageText", kind: "html", status: 502, count: -1 });
    assert.equal((await w.api.ask("PATCH", `/api/messages/${sent.id}`, { json: { body: "y" } })).status, 503);
    await w.sandbox.control("DELETE", "/faults");
    assert.equal((await w.api.get(`/api/messages/${sent.id}`)).body, "x");
    assert.equal((await edit(sent, { body: "y" })).body, "y");
  });
});

describe("what Telegram cannot do", () => {
  test("reactions are a 422, in every form", async () => {
    const talk = await w.talk();
    const message = (await talk.list())[0];
    for (const options of [{}, { json: {} }, { json: { reaction: "love" } }, { form: { reaction: "love", emoji: "❤️" } }, { headers: { "Content-Type": "application/json" } }]) {
      assert.equal((await w.api.ask("POST", `/api/messages/${message.id}/react`, options)).status, 422);
    }
    for (const options of [{}, { headers: { "Content-Type": "application/json" } }])
      assert.equal((await w.api.ask("DELETE", `/api/messages/${message.id}/unreact`, options)).status, 422);
    for (const [method, path] of [["POST", "react"], ["DELETE", "unreact"]])
      assert.match(await w.api.refusal(method, `/api/messages/msg_11111111111/${path}`), /^404 /);
    assert.deepEqual((await talk.list())[0], message);
  });

  test("a private reply is a 422 before the post is looked up", async () => {
    const talk = await w.talk();
    const path = "/api/posts/post_11111111111/comments/17858893269123456/private_reply";
    assert.match(await w.api.refusal("POST", `${path}?profile_id=${talk.profile.id}`, { text: "Thanks" }), /^422 /);
    assert.equal(await w.api.refusal("POST", path, { text: "Thanks" }), "400 profile_id is required");
    assert.match(await w.api.refusal("POST", `${path}?profile_id=prof_11111111111`, { text: "Thanks" }), /^404 /);
  });
});

describe("finding messages", () => {
  test("the list has the newest first, filters, and true totals", async () => {
    const talk = await w.talk();
    const start = Math.floor(Date.now() / 1000) - 1000;
    for (let n = 0; n < 30; n++)
      await w.sandbox.control("POST", `/telegram/bots/${talk.bot.id}/updates`, {
        message: { message_id: 500 + n, from: { id: talk.person.id, is_bot: false, first_name: "A" }, chat: { id: talk.person.id, type: "private", first_name: "A" }, date: start + (n * 7) % 30, text: `in ${n}` },
      });
    await until(async () => (await w.api.get(talk.messagesPath)).total === 31, "all are here");
    for (let n = 0; n < 5; n++) await talk.say(`out ${n}`);
    await talk.fault({ on: "sendMessage", kind: "status", status: 400, description: "Bad Request: no" });
    await talk.reaches(await talk.send("bad"), "failed");
    const all = await talk.list();
    const time = (message) => message.external_posted_at ?? message.created_at;
    assert.deepEqual(all.map(time), all.map(time).sort().reverse());
    for (const [query, fits] of [
      ["", () => true],
      ["direction=inbound", (m) => m.direction === "inbound"],
      ["direction=outbound", (m) => m.direction === "outbound"],
      ["status=received", (m) => m.status === "received"],
      ["status=published", (m) => m.status === "published"],
      ["status=failed", (m) => m.status === "failed"],
      ["status=pending", () => false],
      ["status=failed_waiting_for_retry", () => false],
      ["direction=outbound&status=failed", (m) => m.status === "failed"],
      ["direction=inbound&status=failed", () => false],
      ["direction=inbound&status=received", (m) => m.direction === "inbound"],
    ])
      for (const per_page of [3, 100]) {
        const expected = all.filter(fits).map((m) => m.id);
        const seen = [];
        for (let page = 0; page === 0 || page * per_page < expected.length; page++) {
          const list = await w.api.get(`${talk.messagesPath}?${query}&per_page=${per_page}&page=${page}`);
          assert.deepEqual([list.total, list.page, list.per_page], [expected.length, page, per_page], query);
          seen.push(...list.data.map((m) => m.id));
        }
        assert.deepEqual(seen, expected, query);
      }
    assert.equal((await w.api.get(talk.messagesPath)).data.length, 20);
  });

  test("bad filters and pages are a 400", async () => {
    const talk = await w.talk();
    for (const query of ["direction=in", "direction=", "direction=INBOUND", "status=sent", "status=", "page=-1", "page=a", "per_page=0", "per_page=101", "per_page=1.0"])
      assert.equal((await w.api.ask("GET", `${talk.messagesPath}?${query}`)).status, 400, query);
  });

  test("a platform id that names one message finds it, one that names several is a 409", async () => {
    const bot = await w.bot();
    const [one, other] = [await w.talk({ bot }), await w.talk()];
    const big = 1000000 + one.bot.id;
    const update = (talk, message_id, text) => w.sandbox.control("POST", `/telegram/bots/${talk.bot.id}/updates`, {
      message: { message_id, from: { id: talk.person.id, is_bot: false, first_name: "A" }, chat: { id: talk.person.id, type: "private", first_name: "A" }, date: Math.floor(Date.now() / 1000), text },
    });
    await update(one, big, "only one");
    const first = await one.received(big);
    assert.deepEqual(await w.api.get(`/api/messages/${big}`), first);
    await update(other, big, "now two");
    const second = await other.received(big);
    const answer = await w.api.ask("GET", `/api/messages/${big}`);
    assert.equal(answer.status, 409);
    assert.deepEqual(answer.json.candidates.sort(), [first.id, second.id].sort());
    for (const [method, path, json] of [["PATCH", "", { body: "x" }], ["POST", "/react"], ["DELETE", "/unreact"]])
      assert.equal((await w.api.ask(method, `/api/messages/${big}${path}`, { json })).status, 409, method + path);
    await w.api.delete(`/api/profiles/${other.profile.id}`);
    assert.equal((await w.api.get(`/api/messages/${big}`)).id, first.id);
  });

  test("ids may be percent-encoded, and a plus is a plus", async () => {
    const talk = await w.talk();
    const message = (await talk.list())[0];
    const encoded = [...message.id].map((c) => `%${c.charCodeAt(0).toString(16)}`).join("");
    assert.equal((await w.api.get(`/api/messages/${encoded}`)).id, message.id);
    for (const id of ["a+b", "a%2Bb", "a%2Fb", "a%20b", "m_AbC-_=", "aWdf%3D%3D", "at%3A%2F%2Fdid%3Aplc%3Ax%2Fapp.bsky%2F3l", "msg_", "msg_11111111111", "x".repeat(2000), "%E2%82%AC"])
      assert.equal((await w.api.ask("GET", `/api/messages/${id}`)).status, 404, id);
    for (const id of ["%", "%2", "%zz", "%FF", "%C0%80"])
      assert.ok([400, 404].includes((await w.api.ask("GET", `/api/messages/${id}`)).status), id);
  });
});

describe("idempotency keys", () => {
  let n = 0;
  const keyed = (key = `key ${++n}`) => ({ headers: { "Idempotency-Key": key } });

  test("repeat the first answer and do nothing else", async () => {
    const talk = await w.talk();
    const options = keyed();
    const first = await w.api.ask("POST", talk.messagesPath, { json: { body: "once" }, ...options });
    await talk.reaches(first.json, "published");
    for (let again = 0; again < 3; again++) {
      const answer = await w.api.ask("POST", talk.messagesPath, { json: { body: "once" }, ...options });
      assert.equal(answer.status, 202);
      assert.deepEqual(answer.json, first.json);
    }
    assert.equal((await talk.onTelegram()).filter((m) => m.text === "once").length, 1);
    assert.equal((await talk.list("direction=outbound")).length, 1);
  });

  test("are a 422 with another request", async () => {
    const talk = await w.talk();
    const other = await w.talk();
    const options = keyed();
    await talk.send({ body: "one" }, options);
    assert.match(await talk.refusal({ body: "two" }, options), /^422 /);
    assert.match(await other.refusal({ body: "one" }, options), /^422 /);
    assert.match(await w.api.refusal("POST", `/api/profiles/${talk.profile.id}/chats`, { participant_external_id: "1" }, options), /^422 /);
    assert.equal((await talk.list("direction=outbound")).length, 1);
  });

  test("of two requests at once one is done, the other repeated or told to wait", async () => {
    const talk = await w.talk();
    await talk.fault({ on: "editMessageText", kind: "delay", delay_ms: 300 });
    const sent = await talk.say("old");
    const options = { json: { body: "new" }, ...keyed() };
    const edits = await Promise.all(Array.from({ length: 3 }, () => w.api.ask("PATCH", `/api/messages/${sent.id}`, options)));
    const done = edits.filter(({ status }) => status === 200);
    assert.ok(done.length > 0 && edits.every(({ status }) => status === 200 || status === 409), edits.map(({ status }) => status).join());
    assert.deepEqual((await w.api.ask("PATCH", `/api/messages/${sent.id}`, options)).json, done[0].json);
    assert.equal((await talk.calls("editMessageText")).length, 1);
    const many = await Promise.all(Array.from({ length: 10 }, () => w.api.ask("POST", talk.messagesPath, { json: { body: "flood" }, headers: { "Idempotency-Key": "flood" } })));
    assert.ok(many.every(({ status }) => status === 202 || status === 409), many.map(({ status }) => status).join());
    assert.equal(new Set(many.filter(({ status }) => status === 202).map((answer) => answer.json.id)).size, 1);
    assert.equal((await talk.list("direction=outbound")).filter((m) => m.body === "flood").length, 1);
  });

  test("are free again after an error", async () => {
    const talk = await w.talk();
    const options = keyed();
    assert.match(await talk.refusal({}, options), /^400 /);
    assert.match(await talk.refusal({ body: "a".repeat(5000) }, options), /^422 /);
    const message = await talk.send({ body: "good" }, options);
    assert.equal((await talk.send({ body: "good" }, options)).id, message.id);
    const sent = await talk.say("x");
    const edit = { json: { body: "y" }, ...keyed() };
    await talk.fault({ on: "editMessageText", kind: "status", status: 400, description: "Bad Request: no" });
    assert.equal((await w.api.ask("PATCH", `/api/messages/${sent.id}`, edit)).status, 422);
    assert.equal((await w.api.ask("PATCH", `/api/messages/${sent.id}`, edit)).status, 200);
  });

  test("hold for every kind of write", async () => {
    const group = keyed();
    const made = await w.api.post("/api/profile_groups", { name: "Once" }, group);
    assert.deepEqual(await w.api.post("/api/profile_groups", { name: "Once" }, { status: 201, ...group }), made);
    const gone = keyed();
    await w.api.delete(`/api/profile_groups/${made.id}`, gone);
    assert.deepEqual(await w.api.delete(`/api/profile_groups/${made.id}`, gone), { deleted: true });
    const { profile } = await w.bot();
    const chat = keyed();
    const path = `/api/profiles/${profile.id}/chats`;
    const created = await w.api.post(path, { participant_external_id: "4711" }, { status: 201, ...chat });
    assert.deepEqual(await w.api.post(path, { participant_external_id: "4711" }, { status: 201, ...chat }), created);
  });

  test("belong to the key that used them", async () => {
    const { stdout } = await w.command(["key", "create", "other"]);
    const key = stdout.trim().split(/\s+/).at(-1);
    w.secrets.push(key);
    const options = keyed();
    const mine = await w.api.post("/api/profile_groups", { name: "Mine" }, options);
    const answer = await w.api.with(key).ask("POST", "/api/profile_groups", { json: { name: "Theirs" }, ...options });
    assert.ok(answer.status === 201 || answer.status === 422, `${answer.status}`);
    assert.ok(answer.status !== 201 || answer.json.id !== mine.id);
  });

  test("have at most 255 characters", async () => {
    const body = { name: "x" };
    await w.api.post("/api/profile_groups", body, keyed("k".repeat(255)));
    assert.match(await w.api.refusal("POST", "/api/profile_groups", body, keyed("k".repeat(256))), /^400 /);
    const before = (await w.api.get("/api/profile_groups")).data.length;
    assert.match(await w.api.refusal("POST", "/api/profile_groups", body, keyed("k".repeat(256))), /^400 /);
    assert.equal((await w.api.get("/api/profile_groups")).data.length, before);
  });

  test("mean nothing on a read", async () => {
    const options = keyed();
    const before = await w.api.get("/api/profile_groups", options);
    await w.api.post("/api/profile_groups", { name: "New" });
    assert.equal((await w.api.get("/api/profile_groups", options)).data.length, before.data.length + 1);
  });
});
