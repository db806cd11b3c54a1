// How bots hear from `parley sandbox`: getUpdates, taps and webhooks as the Bot API documents them, and two public clients.
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";

import { Bot as GrammyBot, GrammyError, InputFile as GrammyFile, webhookCallback } from "grammy";
import { Bot as NodeBot, InputFile as NodeFile, TelegramApiError } from "node-telegram-bot-api";

import { BOT, PERSON, png, startHook, startSandbox } from "./lib/sandbox.js";

let sandbox;
before(async () => {
  sandbox = await startSandbox();
});
after(() => sandbox.stop());
beforeEach(() => sandbox.reset());

const hello = () => sandbox.write("/start");
const send = (params) => sandbox.ask("sendMessage", { chat_id: PERSON, text: "Hi", ...params });
const inline = (...buttons) => ({ inline_keyboard: [buttons] });

describe("getUpdates", () => {
  test("keeps what is not confirmed", async () => {
    for (const text of ["one", "two", "three"]) await sandbox.write(text);
    const updates = await sandbox.ask("getUpdates");
    const ids = updates.map((u) => u.update_id);
    assert.deepEqual(ids, [ids[0], ids[0] + 1, ids[0] + 2]);
    assert.equal((await sandbox.ask("getUpdates", { limit: 2 })).length, 2);
    assert.deepEqual((await sandbox.ask("getUpdates", { offset: ids[1] })).map((u) => u.message.text), ["two", "three"]);
    assert.deepEqual((await sandbox.ask("getUpdates", {})).map((u) => u.message.text), ["two", "three"]);
    assert.deepEqual((await sandbox.ask("getUpdates", { offset: -1 })).map((u) => u.message.text), ["three"]);
    assert.deepEqual((await sandbox.ask("getUpdates", { offset: ids[2] + 500 })).map((u) => u.message.text), ["three"]);
    assert.equal((await sandbox.ask("getWebhookInfo")).pending_update_count, 1);
  });

  test("waits for news", async () => {
    const poll = sandbox.ask("getUpdates", { timeout: 50 });
    while ((await sandbox.calls("getUpdates")).length === 0);
    await sandbox.write("news");
    assert.equal((await poll)[0].message.text, "news");
    const quiet = sandbox.ask("getUpdates", { timeout: 50, offset: -1 });
    await quiet;
    const empty = sandbox.ask("getUpdates", { timeout: 50, offset: (await sandbox.ask("getUpdates"))[0].update_id + 1 });
    while ((await sandbox.calls("getUpdates")).length < 4);
    await sandbox.advance(50000);
    assert.deepEqual(await empty, []);
  });

  test("is for one at a time, and for none while there is a webhook", async () => {
    const first = sandbox.call("getUpdates", { timeout: 50 });
    while ((await sandbox.calls("getUpdates")).length === 0);
    const second = sandbox.call("getUpdates", { timeout: 50 });
    assert.equal((await first).description, "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running");
    const third = sandbox.call("setWebhook", { url: "http://127.0.0.1:9/x" });
    assert.equal((await third).ok, true);
    await sandbox.advance(3000);
    assert.equal((await second).description, "Conflict: terminated by setWebhook request");
    assert.equal(await sandbox.refusal("getUpdates"),
      "409 Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first");
  });

  test("tells only what was asked for", async () => {
    await hello();
    const react = () => sandbox.control("POST", `${sandbox.chat()}/messages/1/react`, { emoji: "🔥" });
    assert.equal((await react()).update_id, null);
    await sandbox.ask("getUpdates", { allowed_updates: ["message_reaction", "nonsense"] });
    assert.equal((await sandbox.write("unheard")).update_id, null);
    assert.notEqual((await react()).update_id, null);
    const { message_reaction } = (await sandbox.ask("getUpdates")).at(-1);
    assert.deepEqual([message_reaction.old_reaction, message_reaction.new_reaction], [[{ type: "emoji", emoji: "🔥" }], [{ type: "emoji", emoji: "🔥" }]]);
    assert.deepEqual((await sandbox.ask("getWebhookInfo")).allowed_updates, ["message_reaction"]);
    await sandbox.ask("getUpdates", { allowed_updates: [] });
    assert.equal((await sandbox.ask("getWebhookInfo")).allowed_updates, undefined);
  });

  test("forgets what is a day old, and taps after 150 seconds", async () => {
    await hello();
    const sent = await send({ reply_markup: inline({ text: "a", callback_data: "x" }) });
    await sandbox.control("POST", `${sandbox.chat()}/messages/${sent.message_id}/tap`, { data: "x" });
    assert.equal((await sandbox.ask("getUpdates")).length, 2);
    await sandbox.advance(151000);
    assert.equal((await sandbox.ask("getUpdates")).length, 1);
    await sandbox.advance(24 * 3600 * 1000);
    assert.equal((await sandbox.ask("getWebhookInfo")).pending_update_count, 0);
  });
});

describe("taps", () => {
  let sent;
  beforeEach(async () => {
    await hello();
    sent = await send({ reply_markup: inline({ text: "a", callback_data: "x" }) });
  });
  const tap = (id = sent.message_id) => sandbox.control("POST", `${sandbox.chat()}/messages/${id}/tap`, { data: "x" });

  test("are callback queries, answered once", async () => {
    const { callback_query_id } = await tap();
    const { callback_query } = (await sandbox.ask("getUpdates")).at(-1);
    assert.deepEqual([callback_query.id, callback_query.data, callback_query.message.message_id, callback_query.from.id],
      [callback_query_id, "x", sent.message_id, PERSON]);
    assert.equal(typeof callback_query.chat_instance, "string");
    assert.equal(await sandbox.refusal("answerCallbackQuery", { callback_query_id, text: "x".repeat(201) }), "400 Bad Request: MESSAGE_TOO_LONG");
    assert.equal(await sandbox.ask("answerCallbackQuery", { callback_query_id, text: "Done" }), true);
    const late = "400 Bad Request: query is too old and response timeout expired or query ID is invalid";
    assert.equal(await sandbox.refusal("answerCallbackQuery", { callback_query_id }), late);
    assert.equal(await sandbox.refusal("answerCallbackQuery", { callback_query_id: "1" }), late);
    const [record] = (await sandbox.control("GET", `/telegram/bots/${BOT.id}/taps`)).data;
    assert.deepEqual([record.callback_query_id, record.data, record.answer], [callback_query_id, "x", "Done"]);
    assert.notEqual(record.answered_at, null);
  });

  test("grow old, and outlive their message", async () => {
    const { callback_query_id } = await tap();
    await sandbox.ask("deleteMessage", { chat_id: PERSON, message_id: sent.message_id });
    await sandbox.advance(151000);
    assert.match(await sandbox.refusal("answerCallbackQuery", { callback_query_id }), /query is too old/);
    await tap();
    const { message } = (await sandbox.ask("getUpdates")).at(-1).callback_query;
    assert.deepEqual([message.date, message.message_id, message.chat.id], [0, sent.message_id, PERSON]);
    await assert.rejects(tap(99), { status: 404 });
  });
});

describe("webhooks", () => {
  let hook;
  beforeEach(async () => {
    hook = await startHook();
  });
  afterEach(async () => {
    await sandbox.reset(); /* what is on its way is given up */
    await hook.stop();
  });

  test("are set, described, repeated and removed", async () => {
    const set = (params) => sandbox.call("setWebhook", { url: hook.url, ...params });
    assert.deepEqual([(await set()).description, (await set()).description], ["Webhook was set", "Webhook is already set"]);
    const hasty = await set({ max_connections: 7 });
    assert.deepEqual([hasty.status, hasty.parameters.retry_after, hasty.headers.get("retry-after")], [429, 1, "1"]);
    await sandbox.advance(1000);
    await set({ max_connections: 700, allowed_updates: ["message"], secret_token: "abc" });
    const info = await sandbox.ask("getWebhookInfo");
    assert.deepEqual(info, { url: hook.url, has_custom_certificate: false, pending_update_count: 0, max_connections: 100, allowed_updates: ["message"] });
    await sandbox.advance(1000);
    assert.equal((await sandbox.call("deleteWebhook")).description, "Webhook was deleted");
    assert.equal((await sandbox.call("deleteWebhook")).description, "Webhook is already deleted");
    assert.equal((await sandbox.ask("getWebhookInfo")).url, "");
    for (const [params, description] of [
      [{ url: "ftp://a.example" }, "invalid webhook URL specified"],
      [{ url: "https://" }, "invalid webhook URL specified"],
      [{ secret_token: "a b" }, "secret token contains unallowed characters"],
      [{ secret_token: "a".repeat(257) }, "secret token is too long"],
    ])
      assert.equal(await sandbox.refusal("setWebhook", { url: hook.url, ...params }), `400 Bad Request: ${description}`);
  });

  test("get what waited, with the secret, as ASCII", async () => {
    await sandbox.write("é😀");
    await sandbox.ask("setWebhook", { url: `${hook.url}?a=b`, secret_token: "s_e-cret" });
    const request = await hook.next();
    assert.deepEqual([request.method, request.path, request.headers["content-type"], request.headers["x-telegram-bot-api-secret-token"]],
      ["POST", "/hook?a=b", "application/json", "s_e-cret"]);
    assert.match(request.text, /^\{"update_id":\d+,\n"message":\{.*"text":"\\u00e9\\ud83d\\ude00"\}\}$/);
    request.answer(204);
  });

  test("are in order within a chat, and chats do not wait for each other", async () => {
    await sandbox.control("POST", "/telegram/users", { id: 7000002, first_name: "Ada" });
    await sandbox.ask("setWebhook", { url: hook.url });
    await sandbox.write("m1");
    await sandbox.write("m2");
    await sandbox.write("a1", 7000002);
    const [a1, m1] = [await hook.next(), await hook.next()].sort((x, y) => (x.update.message.text < y.update.message.text ? -1 : 1));
    assert.deepEqual([a1.update.message.text, m1.update.message.text], ["a1", "m1"]);
    assert.equal(hook.waiting, 0);
    a1.answer();
    m1.answer();
    const m2 = await hook.next();
    assert.equal(m2.update.message.text, "m2");
    m2.answer();
  });

  test("do not let a tap wait for a message, nor more than max_connections at once", async () => {
    await hello();
    const sent = await send({ reply_markup: inline({ text: "a", callback_data: "x" }) });
    await sandbox.ask("setWebhook", { url: hook.url, max_connections: 2 });
    const message = await hook.next();
    await sandbox.control("POST", `${sandbox.chat()}/messages/${sent.message_id}/tap`, { data: "x" });
    const tap = await hook.next();
    assert.ok(tap.update.callback_query);
    await sandbox.control("POST", `${sandbox.chat()}/block`);
    tap.answer();
    const member = await hook.next();
    assert.ok(member.update.my_chat_member);
    message.answer();
    member.answer();
  });

  test("are tried again: at once, then after 2, 4, 8, 16, 32 seconds, then 60 to 120", async () => {
    const watch = await sandbox.watch();
    const failed = () => watch.until((e) => e.what === "webhook_error");
    await sandbox.ask("setWebhook", { url: hook.url });
    await sandbox.write("hi");
    const id = (await hook.next().then((r) => (r.answer(500), r))).update.update_id;
    await failed();
    (await hook.next()).answer(302, { Location: "/elsewhere" });
    await failed();
    for (const seconds of [2, 4, 8, 16, 32]) {
      await sandbox.advance(seconds * 1000 - 500);
      assert.equal(hook.waiting, 0, `before ${seconds} s`);
      await sandbox.advance(500);
      const again = await hook.next();
      assert.equal(again.update.update_id, id);
      again.drop();
      await failed();
    }
    await sandbox.advance(59000);
    assert.equal(hook.waiting, 0);
    await sandbox.advance(61000);
    (await hook.next()).answer(503, { "Retry-After": "3000" });
    const { error } = await failed();
    assert.equal(error, "Wrong response from the webhook: 503 Service Unavailable");
    await sandbox.advance(2999000);
    assert.equal(hook.waiting, 0);
    await sandbox.advance(1000);
    (await hook.next()).answer(200);
    const info = await sandbox.ask("getWebhookInfo");
    assert.equal(info.last_error_message, error);
    watch.close();
  });

  test("give up on what is too old, and go on with the next", async () => {
    const watch = await sandbox.watch();
    await sandbox.ask("setWebhook", { url: hook.url });
    await sandbox.write("old");
    (await hook.next()).answer(500, { "Retry-After": "3600" });
    await watch.until((e) => e.what === "webhook_error");
    await sandbox.advance(24 * 3600 * 1000 + 1000);
    await sandbox.write("new");
    const next = await hook.next();
    assert.equal(next.update.message.text, "new");
    next.answer();
    watch.close();
  });

  test("may answer with a call", async () => {
    const watch = await sandbox.watch();
    await sandbox.ask("setWebhook", { url: hook.url });
    await sandbox.write("hi");
    (await hook.next()).answer(200, { "Content-Type": "application/json" }, JSON.stringify({ method: "sendMessage", chat_id: PERSON, text: "pong" }));
    const { message } = await watch.until((e) => e.what === "message" && e.message.direction === "out");
    assert.equal(message.text, "pong");
    watch.close();
  });

  test("that cannot be reached are tried again until they can", async () => {
    const watch = await sandbox.watch();
    await hook.stop();
    await sandbox.ask("setWebhook", { url: hook.url });
    await sandbox.write("hi");
    assert.equal((await watch.until((e) => e.what === "webhook_error")).error, "Connection refused");
    assert.equal((await sandbox.ask("getWebhookInfo")).pending_update_count, 1);
    await sandbox.advance(2000);
    assert.equal((await watch.until((e) => e.what === "webhook_error")).error, "Connection refused");
    watch.close();
  });

  test("are gone after a day of 410", async () => {
    const watch = await sandbox.watch();
    await sandbox.ask("setWebhook", { url: hook.url });
    await sandbox.write("hi");
    (await hook.next()).answer(410);
    await watch.until((e) => e.what === "webhook_error");
    (await hook.next()).answer(410, { "Retry-After": "3600" });
    await watch.until((e) => e.what === "webhook_error");
    await sandbox.advance(23 * 3600 * 1000 + 1000);
    (await hook.next()).answer(410);
    await watch.until((e) => e.what === "webhook_error");
    assert.equal((await sandbox.ask("getWebhookInfo")).url, "");
    watch.close();
  });
});

describe("public clients", () => {
  const grammy = () => new GrammyBot(BOT.token, { client: { apiRoot: sandbox.url } });

  test("grammY polls, answers, edits and taps", async () => {
    const watch = await sandbox.watch();
    const bot = grammy();
    bot.command("start", (ctx) => ctx.reply("Pick", { reply_markup: inline({ text: "A", callback_data: "a" }), reply_parameters: { message_id: ctx.msgId } }));
    bot.on("callback_query:data", async (ctx) => {
      await ctx.answerCallbackQuery({ text: `You took ${ctx.callbackQuery.data}` });
      await ctx.editMessageText("Done");
    });
    const running = bot.start();
    await sandbox.write("/start");
    const { message } = await watch.until((e) => e.what === "message" && e.message.direction === "out");
    assert.equal(message.reply_to_message.text, "/start");
    await sandbox.control("POST", `${sandbox.chat()}/messages/${message.message_id}/tap`, { data: "a" });
    assert.equal((await watch.until((e) => e.what === "answer")).text, "You took a");
    assert.equal((await watch.until((e) => e.what === "edited")).message.text, "Done");
    const stopping = bot.stop();
    await sandbox.advance(60000);
    await stopping;
    await running;
    watch.close();
  });

  test("grammY uploads and takes webhooks", async () => {
    await hello();
    const bot = grammy();
    const group = await bot.api.sendMediaGroup(PERSON, [
      { type: "photo", media: new GrammyFile(png(3, 3), "a.png"), caption: "one" },
      { type: "document", media: new GrammyFile(Buffer.from("x"), "b.txt") },
    ]);
    assert.deepEqual(group.map((m) => Boolean(m.photo)), [true, false]);
    const voice = await bot.api.sendVoice(PERSON, new GrammyFile(Buffer.from("OggS"), "v.ogg"));
    assert.equal((await bot.api.getFile(voice.voice.file_id)).file_path.endsWith(".oga"), true);
    await assert.rejects(bot.api.sendMessage(4711, "x"), (e) => e instanceof GrammyError && e.description === "Bad Request: chat not found");

    const hook = await startHook();
    const watch = await sandbox.watch();
    bot.on("message:text", (ctx) => ctx.reply(ctx.msg.text.toUpperCase()));
    await bot.api.setWebhook(hook.url, { secret_token: "s", drop_pending_updates: true });
    await bot.init();
    const handle = webhookCallback(bot, "std/http", { secretToken: "s" });
    await sandbox.write("loud");
    const request = await hook.next();
    const response = await handle(new Request(hook.url, { method: "POST", headers: request.headers, body: request.text }));
    request.answer(response.status, { "Content-Type": response.headers.get("content-type") ?? "text/plain" }, await response.text());
    const { message } = await watch.until((e) => e.what === "message" && e.message.direction === "out");
    assert.equal(message.text, "LOUD");
    watch.close();
    await sandbox.reset();
    await hook.stop();
  });

  test("node-telegram-bot-api sends what it can send", async () => {
    const { message } = await sandbox.write("hi");
    const { api } = new NodeBot(BOT.token, { apiRoot: sandbox.url, maxRetries: 0 });
    const chat_id = PERSON;
    assert.equal((await api.getMe()).username, "sandbox_bot");
    assert.equal((await api.getUpdates({}))[0].message.text, "hi");
    assert.equal((await api.sendMessage({ chat_id, text: "<i>x</i>", parse_mode: "HTML" })).entities[0].type, "italic");
    const photo = await api.sendPhoto({ chat_id, photo: new NodeFile(png(4, 4), { filename: "a.png" }), caption: "c" });
    assert.equal(photo.photo[0].width, 4);
    assert.equal((await api.sendPhoto({ chat_id, photo: photo.photo[0].file_id })).photo[0].file_id, photo.photo[0].file_id);
    assert.equal((await api.sendLocation({ chat_id, latitude: 48.5, longitude: 9 })).location.latitude, 48.5);
    assert.equal((await api.sendContact({ chat_id, phone_number: "+49", first_name: "Ada" })).contact.first_name, "Ada");
    assert.equal((await api.editMessageCaption({ chat_id, message_id: photo.message_id, caption: "d" })).caption, "d");
    assert.equal(await api.setMessageReaction({ chat_id, message_id: message.message_id, reaction: [{ type: "emoji", emoji: "👍" }] }), true);
    assert.equal(await api.deleteMessage({ chat_id, message_id: photo.message_id }), true);
    assert.equal((await api.getChat({ chat_id })).username, "mina");
    await sandbox.fault({ on: "sendMessage", kind: "rate_limit", retry_after: 7 });
    await assert.rejects(api.sendMessage({ chat_id, text: "x" }), (e) => e instanceof TelegramApiError && e.errorCode === 429 && e.retryAfter === 7);
  });
});
