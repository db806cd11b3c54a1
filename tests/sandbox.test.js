// `parley sandbox` against the Bot API as it is documented: methods, trouble and the control API. How updates come is in
// sandbox-updates.test.js.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { request } from "node:http";
import { after, before, beforeEach, describe, test } from "node:test";

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
const file = (bytes, name, type) => new File([bytes], name, { type });

function form(fields) {
  const data = new FormData();
  for (const [name, value] of Object.entries(fields)) data.append(name, value);
  return data;
}

async function upload(method, fields) {
  return sandbox.send(method, { body: form({ chat_id: PERSON, ...fields }) });
}

async function download(path, token = BOT.token) {
  const response = await fetch(`${sandbox.url}/file/bot${token}/${path}`);
  return { status: response.status, bytes: Buffer.from(await response.arrayBuffer()) };
}

describe("tokens and methods", () => {
  test("getMe tells who the bot is", async () => {
    const me = await sandbox.ask("GETME");
    assert.equal(me.id, BOT.id);
    assert.equal(me.username, "sandbox_bot");
    assert.equal(me.is_bot, true);
    assert.equal(me.can_join_groups, true);
  });

  for (const [token, status, description] of [
    ["1000001:wrong", 401, "Unauthorized"],
    ["4711:sandbox-default-bot-token-000000000", 401, "Unauthorized"],
    ["0123:abc", 401, "Unauthorized: invalid token specified"],
    [`1:${"a".repeat(80)}`, 401, "Unauthorized: invalid token specified"],
    ["no-colon", 404, "Not Found"],
  ])
    test(`the token ${token.slice(0, 20)} gets ${status}`, async () => {
      const answer = await sandbox.call("getMe", {}, token);
      assert.deepEqual([answer.status, answer.ok, answer.error_code, answer.description], [status, false, status, description]);
    });

  test("unknown methods and other verbs are refused", async () => {
    for (const method of ["sendNothing", "logOut", "close"])
      assert.equal(await sandbox.refusal(method), "404 Not Found: method not found");
    assert.equal((await fetch(`${sandbox.url}/bot${BOT.token}/getMe`, { method: "PUT" })).status, 501);
    assert.equal((await fetch(`${sandbox.url}/bot${BOT.token}`)).status, 404);
  });

  test("a revoked token is no longer one, and its open request ends", async () => {
    const poll = sandbox.call("getUpdates", { timeout: 50 });
    while ((await sandbox.calls("getUpdates")).length === 0);
    const bot = await sandbox.control("POST", `/telegram/bots/${BOT.id}/revoke`);
    assert.equal((await poll).error_code, 401);
    assert.notEqual(bot.token, BOT.token);
    assert.equal((await sandbox.call("getMe")).status, 401);
    assert.equal((await sandbox.ask("getMe", {}, bot.token)).id, BOT.id);
    await sandbox.control("DELETE", `/telegram/bots/${BOT.id}`);
    assert.equal((await sandbox.call("getMe", {}, bot.token)).status, 401);
  });
});

describe("parameters", () => {
  beforeEach(hello);

  test("come four ways, and the query wins", async () => {
    const query = new URLSearchParams({ chat_id: PERSON, text: "from the query" });
    assert.equal((await sandbox.send(`sendMessage?${query}`, { method: "GET" })).result.text, "from the query");
    assert.equal((await sandbox.send("sendMessage", { body: new URLSearchParams({ chat_id: PERSON, text: "form" }) })).result.text, "form");
    assert.equal((await upload("sendMessage", { text: "parts" })).result.text, "parts");
    assert.equal((await send({ chat_id: String(PERSON), text: "JSON" })).text, "JSON");
    assert.equal((await sandbox.send(`sendMessage?${query}`, { body: new URLSearchParams({ text: "body" }) })).result.text, "from the query");
  });

  test("nested values are JSON, or text that holds JSON", async () => {
    const markup = inline({ text: "Yes", callback_data: "y" });
    assert.deepEqual((await send({ reply_markup: markup })).reply_markup, markup);
    assert.deepEqual((await send({ reply_markup: JSON.stringify(markup) })).reply_markup, markup);
  });

  for (const [body, expected] of [
    [`{"chat_id":${PERSON},"text":"before","bad":}`, "before"],
    [`{"chat_id":${PERSON},"text":"a\\u00e9\\ud83d\\ude00" nonsense`, "aé😀"],
    [`{"chat_id":${PERSON},"reply_markup":{"a":},"text":"x"}`, "400 Bad Request: message text is empty"],
    [`{"text":"x","chat_id" ${PERSON}}`, "400 Bad Request: chat_id is empty"],
    [`{"chat_id":${PERSON},"text":null}`, "null"],
    [`{"chat_id":${PERSON},"text":"x","reply_markup":null}`, "400 Bad Request: object expected as reply markup"],
    [`{"chat_id":${PERSON},"text":true}`, "true"],
    [`{"chat_id":"${PERSON}","text":12}`, "12"],
    ["", "400 Bad Request: message text is empty"],
  ])
    test(`${body || "nothing"} is read as far as it goes`, async () => {
      const answer = await sandbox.send("sendMessage", { body, headers: { "Content-Type": "application/json" } });
      assert.equal(answer.ok ? answer.result.text : `${answer.error_code} ${answer.description}`, expected);
    });

  test("a body of any other type is none, and a compressed one is refused", async () => {
    const text = JSON.stringify({ chat_id: PERSON, text: "x" });
    assert.equal((await sandbox.send("sendMessage", { body: text, headers: { "Content-Type": "text/plain" } })).description,
      "Bad Request: message text is empty");
    const response = await fetch(`${sandbox.url}/bot${BOT.token}/sendMessage`,
      { method: "POST", body: text, headers: { "Content-Encoding": "br" } });
    assert.deepEqual([response.status, await response.text()], [415, ""]);
  });

  test("more than a megabyte of them is too much", async () => {
    const answer = await sandbox.call("sendMessage", { chat_id: PERSON, text: "x".repeat(1100000) });
    assert.deepEqual([answer.status, answer.description], [413, "Request Entity Too Large"]);
  });
});

describe("whom to write to", () => {
  test("only those who wrote first", async () => {
    assert.equal(await sandbox.refusal("sendMessage", { chat_id: PERSON, text: "x" }),
      "403 Forbidden: bot can't initiate conversation with a user");
    for (const chat_id of [4711, "@mina", "abc"])
      assert.equal(await sandbox.refusal("sendMessage", { chat_id, text: "x" }), "400 Bad Request: chat not found");
    assert.equal(await sandbox.refusal("sendMessage", { chat_id: BOT.id, text: "x" }),
      "403 Forbidden: the bot can't send messages to the bot");
    assert.equal(await sandbox.refusal("getChat", { chat_id: PERSON }), "400 Bad Request: chat not found");
  });

  test("not those who blocked the bot, until they unblock it", async () => {
    await hello();
    await sandbox.control("POST", `${sandbox.chat()}/block`);
    assert.equal(await sandbox.refusal("sendMessage", { chat_id: PERSON, text: "x" }), "403 Forbidden: bot was blocked by the user");
    await assert.rejects(sandbox.write("hm"), { status: 409 });
    await sandbox.control("POST", `${sandbox.chat()}/unblock`);
    await send();
    const updates = await sandbox.ask("getUpdates");
    assert.deepEqual(updates.slice(1).map((u) => [u.my_chat_member.old_chat_member.status, u.my_chat_member.new_chat_member]), [
      ["member", { user: { id: BOT.id, is_bot: true, first_name: "Sandbox", username: "sandbox_bot" }, status: "kicked", until_date: 0 }],
      ["kicked", { user: { id: BOT.id, is_bot: true, first_name: "Sandbox", username: "sandbox_bot" }, status: "member" }],
    ]);
  });
});

describe("text", () => {
  beforeEach(hello);

  test("is limited in code points", async () => {
    assert.equal((await send({ text: "😀".repeat(4096) })).text.length, 8192);
    assert.equal(await sandbox.refusal("sendMessage", { chat_id: PERSON, text: "😀".repeat(4097) }), "400 Bad Request: message is too long");
    assert.equal(await sandbox.refusal("sendMessage", { chat_id: PERSON, text: "a".repeat(32769) }), "400 Bad Request: text is too long");
    assert.equal((await send({ text: `<b>${"a".repeat(4096)}</b>`, parse_mode: "html" })).text.length, 4096);
  });

  test("is trimmed and cleaned", async () => {
    assert.equal((await send({ text: " \n a\tb\r\nc\u202e \n" })).text, "a b\nc");
    assert.equal(await sandbox.refusal("sendMessage", { chat_id: PERSON, text: " \n " }), "400 Bad Request: text must be non-empty");
  });

  test("goes out as ASCII", async () => {
    const answer = await sandbox.call("sendMessage", { chat_id: PERSON, text: "é😀\"\\/" });
    assert.match(answer.text, /^[\x20-\x7e]+$/);
    assert.match(answer.text, /"text":"\\u00e9\\ud83d\\ude00\\"\\\\\/"/);
    assert.equal(answer.result.text, 'é😀"\\/');
  });

  test("has entities, found, given or marked up", async () => {
    const of = async (params) => (await send(params)).entities?.map((e) => [e.type, e.offset, e.length, e.url ?? e.language ?? ""]);
    assert.deepEqual(await of({ text: "😀 /go @mina_ok #tag https://a.example/x. me@b.example" }), [
      ["bot_command", 3, 3, ""], ["mention", 7, 8, ""], ["hashtag", 16, 4, ""], ["url", 21, 19, ""], ["email", 42, 12, ""],
    ]);
    assert.deepEqual(await of({ text: "  😀bold", entities: [{ type: "bold", offset: 4, length: 4 }] }), [["bold", 2, 4, ""]]);
    assert.deepEqual(await of({ text: "<b>a <i>b</i></b> <a href=\"https://x.example/?a&amp;b\">c</a>", parse_mode: "HTML" }), [
      ["bold", 0, 3, ""], ["italic", 2, 1, ""], ["text_link", 4, 1, "https://x.example/?a&b"],
    ]);
    assert.deepEqual(await of({ text: "*a _b_* ||c|| `d` [e](https://x.example)\n```js\nf```\\!", parse_mode: "MarkdownV2" }), [
      ["bold", 0, 3, ""], ["italic", 2, 1, ""], ["spoiler", 4, 1, ""], ["code", 6, 1, ""], ["text_link", 8, 1, "https://x.example"],
      ["pre", 10, 1, "js"],
    ]);
    assert.equal(await of({ text: "plain" }), undefined);
  });

  for (const [text, parse_mode, description] of [
    ["a.", "MarkdownV2", "can't parse entities: Character '.' is reserved and must be escaped with the preceding '\\'"],
    ["*a", "MarkdownV2", "can't parse entities: Can't find end of Bold entity at byte offset 0"],
    ["a _b", "Markdown", "can't parse entities: Can't find end of the entity starting at byte offset 2"],
    ["ab <x>c", "HTML", "can't parse entities: Unsupported start tag \"x\" at byte offset 3"],
    ["<b>c", "HTML", "can't parse entities: Can't find end tag corresponding to start tag \"b\""],
    ["<b><i>c</b></i>", "HTML", "can't parse entities: Unmatched end tag at byte offset 7, expected \"</i>\", found \"</b>\""],
    ["c</b>", "HTML", "can't parse entities: Unexpected end tag at byte offset 1"],
    ["a", "Word", "unsupported parse_mode"],
  ])
    test(`${text} is no ${parse_mode}`, async () => {
      assert.equal(await sandbox.refusal("sendMessage", { chat_id: PERSON, text, parse_mode }), `400 Bad Request: ${description}`);
    });
});

describe("replies", () => {
  beforeEach(hello);

  test("carry the original, but not what that replied to", async () => {
    const first = await send({ reply_parameters: { message_id: 1 } });
    assert.equal(first.reply_to_message.text, "/start");
    const second = await send({ reply_to_message_id: first.message_id });
    assert.equal(second.reply_to_message.message_id, first.message_id);
    assert.equal(second.reply_to_message.reply_to_message, undefined);
  });

  test("to nothing are refused, unless that is allowed", async () => {
    const refused = "400 Bad Request: message to be replied not found";
    assert.equal(await sandbox.refusal("sendMessage", { chat_id: PERSON, text: "x", reply_parameters: { message_id: 99 } }), refused);
    assert.equal(await sandbox.refusal("sendMessage", { chat_id: PERSON, text: "x", reply_to_message_id: 99 }), refused);
    assert.equal((await send({ reply_parameters: { message_id: 99, allow_sending_without_reply: true } })).reply_to_message, undefined);
    assert.equal((await send({ reply_to_message_id: 99, allow_sending_without_reply: "yes" })).reply_to_message, undefined);
    assert.equal((await send({ reply_parameters: {}, reply_to_message_id: 1 })).reply_to_message, undefined);
  });

  test("may quote what is there", async () => {
    assert.equal((await send({ reply_parameters: { message_id: 1, quote: "start" } })).quote.text, "start");
    assert.equal(await sandbox.refusal("sendMessage", { chat_id: PERSON, text: "x", reply_parameters: { message_id: 1, quote: "stop" } }),
      "400 Bad Request: QUOTE_TEXT_INVALID");
  });
});

describe("reply_markup", () => {
  beforeEach(hello);
  const data = (bytes) => inline({ text: "a", callback_data: "x".repeat(bytes) });

  for (const [markup, description] of [
    ["{", "can't parse reply keyboard markup JSON object"],
    ["[]", "object expected as reply markup"],
    [{ inline_keyboard: null }, "field \"inline_keyboard\" must be of type Array"],
    [{ inline_keyboard: [1] }, "field \"inline_keyboard\" of the InlineKeyboardMarkup must be an Array of Arrays"],
    [inline("a"), "can't parse inline keyboard button: InlineKeyboardButton must be an Object"],
    [inline({ callback_data: "x" }), "can't parse inline keyboard button: Can't find field \"text\""],
    [inline({ text: "a" }), "can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard"],
    [inline({ text: "a", callback_data: {} }), "can't parse inline keyboard button: Field \"callback_data\" must be of type String"],
    [inline({ text: "a", url: "http://localhost/x" }), "inline keyboard button URL 'http://localhost/x' is invalid: Wrong HTTP URL"],
    [inline({ text: "a", url: "ftp://a.example" }), "inline keyboard button URL 'ftp://a.example' is invalid: Unsupported URL protocol"],
    [data(65), "BUTTON_DATA_INVALID"],
    [{ keyboard: [["a", 1]] }, "can't parse keyboard button: KeyboardButton must be a String or an Object"],
    [{ keyboard: "a" }, "field \"keyboard\" must be of type Array"],
    [{ remove_keyboard: "yes" }, "field \"remove_keyboard\" must be of type Boolean"],
    [{ inline_keyboard: Array(40).fill(Array(5).fill({ text: "a".repeat(60), callback_data: "x" })) }, "reply markup is too long"],
  ])
    test(`${JSON.stringify(markup).slice(0, 60)} is refused`, async () => {
      assert.equal(await sandbox.refusal("sendMessage", { chat_id: PERSON, text: "x", reply_markup: markup }), `400 Bad Request: ${description}`);
    });

  test("is shown again only when it is inline", async () => {
    assert.deepEqual((await send({ reply_markup: data(64) })).reply_markup, data(64));
    assert.deepEqual((await send({ reply_markup: inline({ text: "a", url: "https://a.example" }) })).reply_markup,
      inline({ text: "a", url: "https://a.example/" }));
    for (const reply_markup of [{ keyboard: [["a"]] }, { remove_keyboard: true }, { force_reply: true }, { inline_keyboard: [] }, { inline_keyboard: [[]] }])
      assert.equal((await send({ reply_markup })).reply_markup, undefined);
    const wide = await send({ reply_markup: inline(...Array(14).fill({ text: "a", callback_data: "x" })) });
    assert.equal(wide.reply_markup.inline_keyboard[0].length, 12);
    assert.equal((await sandbox.messages()).filter((m) => m.keyboard).length, 3);
  });
});

describe("editing", () => {
  beforeEach(hello);
  const target = (message, params) => ({ chat_id: PERSON, message_id: message.message_id, ...params });
  const buttons = inline({ text: "a", callback_data: "x" });

  test("changes text, and takes buttons away that are not sent again", async () => {
    const sent = await send({ reply_markup: buttons, reply_parameters: { message_id: 1 } });
    const edited = await sandbox.ask("editMessageText", target(sent, { text: "new" }));
    assert.equal(edited.text, "new");
    assert.equal(edited.reply_markup, undefined);
    assert.equal(edited.reply_to_message, undefined);
    assert.ok(edited.edit_date >= sent.date);
    assert.deepEqual((await sandbox.ask("editMessageText", target(sent, { text: "newer", reply_markup: buttons }))).reply_markup, buttons);
    assert.equal((await sandbox.messages()).at(-1).edited, true);
  });

  test("changes captions and buttons", async () => {
    const sent = (await upload("sendPhoto", { photo: file(png(10, 10), "a.png"), caption: "old" })).result;
    assert.equal((await sandbox.ask("editMessageCaption", target(sent, { caption: "new" }))).caption, "new");
    assert.equal((await sandbox.ask("editMessageCaption", target(sent))).caption, undefined);
    assert.deepEqual((await sandbox.ask("editMessageReplyMarkup", target(sent, { reply_markup: buttons }))).reply_markup, buttons);
    assert.equal((await sandbox.ask("editMessageReplyMarkup", target(sent))).reply_markup, undefined);
    assert.equal(await sandbox.refusal("editMessageCaption", target(sent, { caption: "x".repeat(1025) })), "400 Bad Request: MEDIA_CAPTION_TOO_LONG");
    const other = await sandbox.send("editMessageMedia", { body: form({ chat_id: PERSON, message_id: sent.message_id,
      media: JSON.stringify({ type: "photo", media: "attach://new", caption: "other" }), new: file(png(20, 20), "b.png") }) });
    assert.deepEqual([other.result.photo.at(-1).width, other.result.caption], [20, "other"]);
  });

  test("is refused for what cannot be edited", async () => {
    const text = await send();
    const photo = (await upload("sendPhoto", { photo: file(png(10, 10), "a.png") })).result;
    const sticker = (await upload("sendSticker", { sticker: file("RIFF....WEBPVP8X", "a.webp") })).result;
    const keyboard = await send({ reply_markup: { keyboard: [["a"]] } });
    const removed = await send({ reply_markup: { remove_keyboard: true } });
    const forced = await send({ reply_markup: { force_reply: true } });
    const cases = [
      ["editMessageText", target(text, { text: "Hi" }), "message is not modified: specified new message content and reply markup are exactly the same as a current content and reply markup of the message"],
      ["editMessageReplyMarkup", target(text), "message is not modified: specified new message content and reply markup are exactly the same as a current content and reply markup of the message"],
      ["editMessageText", target({ message_id: 99 }, { text: "x" }), "message to edit not found"],
      ["editMessageText", { chat_id: PERSON, text: "x" }, "message to edit not found"],
      ["editMessageText", target({ message_id: 1 }, { text: "x" }), "message can't be edited"],
      ["editMessageText", target(keyboard, { text: "x" }), "message can't be edited"],
      ["editMessageText", target(removed, { text: "x" }), "message can't be edited"],
      ["editMessageText", target(forced, { text: "x" }), "message can't be edited"],
      ["editMessageText", target(photo, { text: "x" }), "there is no text in the message to edit"],
      ["editMessageCaption", target(text, { caption: "x" }), "there is no caption in the message to edit"],
      ["editMessageCaption", target(sticker, { caption: "x" }), "there is no caption in the message to edit"],
      ["editMessageText", target(text), "message text is empty"],
      ["editMessageText", target(text, { text: " " }), "text must be non-empty"],
      ["editMessageText", target(text, { text: "x".repeat(4097) }), "MESSAGE_TOO_LONG"],
      ["editMessageText", target(text, { text: "x", reply_markup: { force_reply: true } }), "inline keyboard expected"],
      ["editMessageText", { text: "x" }, "message identifier is not specified"],
      ["editMessageText", target(text, { text: "x", chat_id: 4711 }), "chat not found"],
    ];
    for (const [method, params, description] of cases)
      assert.equal(await sandbox.refusal(method, params), `400 Bad Request: ${description}`, `${method} ${JSON.stringify(params)}`);
  });

  test("by the person is an edited_message", async () => {
    const { message } = await sandbox.write("helo");
    await sandbox.control("PATCH", `${sandbox.chat()}/messages/${message.message_id}`, { text: "hello" });
    const update = (await sandbox.ask("getUpdates")).at(-1).edited_message;
    assert.deepEqual([update.message_id, update.text, update.date], [message.message_id, "hello", message.date]);
    assert.ok(update.edit_date >= update.date);
  });

  test("ends with deletion", async () => {
    const sent = await send();
    assert.equal(await sandbox.ask("deleteMessage", target(sent)), true);
    assert.equal(await sandbox.refusal("deleteMessage", target(sent)), "400 Bad Request: message to delete not found");
    assert.equal(await sandbox.refusal("deleteMessage", { chat_id: PERSON }), "400 Bad Request: message identifier is not specified");
    assert.equal((await sandbox.messages()).length, 1);
    const old = await send();
    await sandbox.advance(49 * 3600 * 1000);
    assert.equal(await sandbox.refusal("deleteMessage", target(old)), "400 Bad Request: message can't be deleted for everyone");
    assert.equal(await sandbox.ask("deleteMessages", { chat_id: PERSON, message_ids: [(await send()).message_id, 4711] }), true);
  });

  test("reactions and typing are taken note of", async () => {
    const reaction = (emoji) => ({ reaction: [{ type: "emoji", emoji }] });
    assert.equal(await sandbox.ask("setMessageReaction", target({ message_id: 1 }, reaction("👍"))), true);
    assert.equal((await sandbox.messages())[0].bots_reaction, "👍");
    await sandbox.ask("setMessageReaction", target({ message_id: 1 }, { reaction: [] }));
    assert.equal((await sandbox.messages())[0].bots_reaction, undefined);
    assert.equal(await sandbox.refusal("setMessageReaction", target({ message_id: 1 }, reaction("🧀"))), "400 Bad Request: REACTION_INVALID");
    assert.equal(await sandbox.refusal("setMessageReaction", target({ message_id: 99 }, reaction("👍"))), "400 Bad Request: message to react not found");
    assert.equal(await sandbox.ask("sendChatAction", { chat_id: PERSON, action: "typing" }), true);
    assert.equal(await sandbox.refusal("sendChatAction", { chat_id: PERSON, action: "dancing" }), "400 Bad Request: wrong parameter action in request");
  });
});

describe("files", () => {
  beforeEach(hello);

  for (const [method, field, name, bytes, check] of [
    ["sendPhoto", "photo", "a.png", png(1000, 500), (m) => assert.deepEqual(m.photo.map((p) => [p.width, p.height]), [[90, 45], [320, 160], [800, 400], [1000, 500]])],
    ["sendVideo", "video", "a.mp4", "....ftypisom", (m) => assert.equal(m.video.mime_type, "video/mp4")],
    ["sendVideo", "video", "a.avi", "avi", (m) => assert.equal(m.document.file_name, "a.avi")],
    ["sendAnimation", "animation", "a.gif", "GIF89a....", (m) => assert.deepEqual([m.animation.file_id, m.document.width], [m.document.file_id, undefined])],
    ["sendAudio", "audio", "a.mp3", "ID3...", (m) => assert.equal(m.audio.file_name, "a.mp3")],
    ["sendVoice", "voice", "a.ogg", "OggS...", (m) => assert.equal(m.voice.mime_type, "audio/ogg")],
    ["sendVoice", "voice", "a.txt", "hello", (m) => assert.equal(m.document.file_name, "a.txt")],
    ["sendDocument", "document", "a.pdf", "%PDF-1.7", (m) => assert.equal(m.document.mime_type, "application/pdf")],
    ["sendDocument", "document", "a.mp4", "....ftypisom", (m) => assert.equal(m.video.file_name, "a.mp4")],
    ["sendVideoNote", "video_note", "a.mp4", "....ftypisom", (m) => assert.equal(m.video_note.length, 240)],
    ["sendSticker", "sticker", "a.webp", "RIFF....WEBPVP8X", (m) => assert.equal(m.sticker.is_video, false)],
  ])
    test(`${method} of ${name}`, async () => {
      const { result } = await upload(method, { [field]: file(bytes, name), caption: "See *this*", parse_mode: "MarkdownV2" });
      check(result);
      const has_caption = !["sendVideoNote", "sendSticker"].includes(method);
      assert.equal(result.caption, has_caption ? "See this" : undefined);
      assert.equal(result.caption_entities?.[0].type, has_caption ? "bold" : undefined);
      const media = result.photo?.at(-1) ?? result.video ?? result.animation ?? result.audio ?? result.voice ?? result.video_note ?? result.sticker ?? result.document;
      const info = await sandbox.ask("getFile", { file_id: media.file_id });
      assert.equal(info.file_size, Buffer.byteLength(bytes));
      assert.equal(info.file_unique_id, media.file_unique_id);
      assert.deepEqual((await download(info.file_path)).bytes, Buffer.from(bytes));
      assert.equal(info.file_id.includes("."), false);
    });

  test("a document stays one when that is asked for", async () => {
    const { result } = await upload("sendDocument", { document: file("GIF89a..", "a.gif"), disable_content_type_detection: "true" });
    assert.equal(result.animation, undefined);
    assert.equal(result.document.file_name, "a.gif");
  });

  test("are sent again by id, as what they are", async () => {
    const { result } = await upload("sendPhoto", { photo: "attach://x", x: file(png(400, 100), "a.png") });
    const [small, large] = [result.photo[0], result.photo.at(-1)];
    assert.deepEqual((await sandbox.ask("sendPhoto", { chat_id: PERSON, photo: small.file_id, caption: "again" })).photo, result.photo);
    assert.equal(await sandbox.refusal("sendDocument", { chat_id: PERSON, document: large.file_id }), "400 Bad Request: can't use file of type Photo as Document");
    const other = await sandbox.control("POST", "/telegram/bots", { first_name: "Other", username: "other_bot" });
    await sandbox.write("hi", PERSON, other.id);
    assert.equal(await sandbox.refusal("sendPhoto", { chat_id: PERSON, photo: large.file_id }, other.token),
      "400 Bad Request: wrong remote file identifier specified: can't unserialize it. Wrong last symbol");
    assert.equal(await sandbox.refusal("getFile", { file_id: large.file_id }, other.token), "400 Bad Request: invalid file_id");
    assert.equal((await download((await sandbox.ask("getFile", { file_id: large.file_id })).file_path, other.token)).status, 404);
  });

  for (const [method, fields, description] of [
    ["sendPhoto", {}, "there is no photo in the request"],
    ["sendVideoNote", {}, "there is no video note in the request"],
    ["sendPhoto", { photo: "attach://gone" }, "there is no photo in the request"],
    ["sendPhoto", { photo: "https://a.example/a.jpg" }, "failed to get HTTP URL content"],
    ["sendPhoto", { photo: "a.jpg" }, "wrong HTTP URL specified"],
    ["sendPhoto", { photo: "AgAC!" }, "wrong remote file identifier specified: Wrong character in the string"],
    ["sendPhoto", { photo: file("", "a.png") }, "file must be non-empty"],
    ["sendPhoto", { photo: file("no picture", "a.png") }, "IMAGE_PROCESS_FAILED"],
    ["sendPhoto", { photo: file("x", "a.pdf") }, "photo has unsupported extension. Use one of .jpg, .jpeg, .gif, .png, .tif or .bmp"],
    ["sendPhoto", { photo: file(png(9000, 2000), "a.png") }, "PHOTO_INVALID_DIMENSIONS"],
    ["sendPhoto", { photo: file(png(2100, 100), "a.png") }, "PHOTO_INVALID_DIMENSIONS"],
    ["sendPhoto", { photo: file(Buffer.alloc(10485761), "a.png") }, "file of size 10485761 bytes is too big for a photo; the maximum size is 10485760 bytes"],
    ["sendPhoto", { photo: file(png(1, 1), "a.png"), caption: "x".repeat(1025) }, "message caption is too long"],
    ["getFile", {}, "file_id not specified"],
    ["getFile", { file_id: "nonsense" }, "invalid file_id"],
    ["sendLocation", { longitude: 1 }, "latitude is empty"],
    ["sendContact", { phone_number: "1" }, "parameter \"first_name\" is required"],
    ["sendMediaGroup", { media: "[]" }, "there are no messages to send"],
    ["sendMediaGroup", { media: "{" }, "can't parse media JSON object"],
    ["sendMediaGroup", { media: '[{"type":"photo","media":"attach://x"}]' }, "can't parse InputMedia: media not found"],
  ])
    test(`${method} of ${Object.values(fields).map((v) => v.name ?? String(v).slice(0, 30))} is refused: ${description}`, async () => {
      const answer = await upload(method, fields);
      assert.equal(`${answer.error_code} ${answer.description}`, `400 Bad Request: ${description}`);
    });

  test("above 20 MiB can be sent, but not fetched; above 50 MB not even sent", async () => {
    const { result } = await upload("sendDocument", { document: file(Buffer.alloc(20 * 2 ** 20 + 1), "a.bin") });
    assert.equal(await sandbox.refusal("getFile", { file_id: result.document.file_id }), "400 Bad Request: file is too big");
    const answer = await upload("sendDocument", { document: file(Buffer.alloc(60 * 2 ** 20), "a.bin") });
    assert.deepEqual([answer.status, answer.description], [413, "Request Entity Too Large"]);
  });

  test("make an album, whole or not at all", async () => {
    const media = [{ type: "photo", media: "attach://a", caption: "one" }, { type: "video", media: "attach://b" }];
    const { result } = await upload("sendMediaGroup", { media: JSON.stringify(media), a: file(png(5, 5), "a.png"), b: file("....ftyp", "b.mp4") });
    assert.equal(result.length, 2);
    assert.equal(result[0].media_group_id, result[1].media_group_id);
    assert.deepEqual([result[0].caption, result[0].photo.length, result[1].video.file_name], ["one", 1, "b.mp4"]);
    const before = (await sandbox.messages()).length;
    const bad = await upload("sendMediaGroup", { media: JSON.stringify(media), a: file(png(5, 5), "a.png"), b: file("", "b.mp4") });
    assert.equal(bad.description, 'Bad Request: failed to send message #2 with the error message "file must be non-empty"');
    assert.equal((await sandbox.messages()).length, before);
  });

  test("by a person have the shapes of theirs", async () => {
    for (const [kind, name, bytes] of [["photo", "a.jpg", png(200, 100)], ["voice", "a.ogg", "OggS"], ["animation", "a.mp4", "....ftyp"], ["document", "a.gif", "GIF89a"]]) {
      const { message, update_id } = await sandbox.write(form({ kind, file: file(bytes, name), caption: "look" }));
      const update = (await sandbox.ask("getUpdates")).at(-1);
      assert.equal(update.update_id, update_id);
      assert.deepEqual(update.message[kind], message[kind]);
      assert.equal(message.caption, "look");
      assert.equal(message.animation !== undefined, kind === "animation");
      const info = await sandbox.ask("getFile", { file_id: (message.photo?.at(-1) ?? message[kind]).file_id });
      assert.deepEqual((await download(info.file_path)).bytes, Buffer.from(bytes));
    }
  });

  test("profile pictures can be fetched", async () => {
    assert.deepEqual(await sandbox.ask("getUserProfilePhotos", { user_id: PERSON }), { total_count: 0, photos: [] });
    const ada = await sandbox.control("POST", "/telegram/users", { first_name: "Ada", photo: true });
    assert.equal(await sandbox.refusal("getUserProfilePhotos", { user_id: ada.id }), "400 Bad Request: user not found");
    await sandbox.write("hi", ada.id);
    const { photos, total_count } = await sandbox.ask("getUserProfilePhotos", { user_id: ada.id });
    const { photo } = await sandbox.ask("getChat", { chat_id: ada.id });
    assert.equal(total_count, 1);
    assert.equal(photos[0].at(-1).file_id, photo.big_file_id);
    const picture = await download((await sandbox.ask("getFile", { file_id: photo.small_file_id })).file_path);
    assert.equal(picture.bytes.readUInt32BE(16), 160);
  });
});

describe("trouble on order", () => {
  beforeEach(hello);
  const cut = (promise) => assert.rejects(promise, TypeError);

  test("errors of any kind, with their headers", async () => {
    await sandbox.fault({ on: "sendMessage", kind: "rate_limit", retry_after: 14, chat: PERSON });
    const limited = await sandbox.call("sendMessage", { chat_id: PERSON, text: "x" });
    assert.deepEqual([limited.status, limited.description, limited.parameters, limited.headers.get("retry-after")],
      [429, "Too Many Requests: retry after 14", { retry_after: 14 }, "14"]);
    await sandbox.fault({ kind: "status", status: 403, description: "Forbidden: user is deactivated" });
    assert.equal(await sandbox.refusal("sendMessage", { chat_id: PERSON, text: "x" }), "403 Forbidden: user is deactivated");
    await sandbox.fault({ kind: "status", status: 500, description: "restart" });
    assert.equal(await sandbox.refusal("getMe"), "500 Internal Server Error: restart");
    await sandbox.fault({ kind: "html", status: 502 });
    const html = await fetch(`${sandbox.url}/bot${BOT.token}/getMe`);
    assert.deepEqual([html.status, html.headers.get("content-type")], [502, "text/html"]);
    assert.match(await html.text(), /^<html>/);
    await sandbox.fault({ kind: "garbage" });
    await assert.rejects(sandbox.call("getMe"), SyntaxError);
    assert.equal((await sandbox.messages()).length, 1);
    await send();
  });

  test("connections that are cut before and after", async () => {
    await sandbox.fault({ on: "sendMessage", kind: "cut_before" });
    await cut(sandbox.call("sendMessage", { chat_id: PERSON, text: "lost" }));
    await sandbox.fault({ on: "sendMessage", kind: "cut_after" });
    await cut(sandbox.call("sendMessage", { chat_id: PERSON, text: "sent" }));
    assert.deepEqual((await sandbox.messages()).map((m) => m.text), ["/start", "sent"]);
    assert.deepEqual((await sandbox.calls("sendMessage")).map((c) => [c.params.text, c.outcome, c.status]),
      [["lost", "cut_before", null], ["sent", "cut_after", null]]);
  });

  test("delays", async () => {
    await sandbox.fault({ on: "sendMessage", kind: "delay", delay_ms: 30000 });
    const slow = send({ text: "slow" });
    while ((await sandbox.calls("sendMessage")).length === 0);
    await send({ text: "quick" });
    await sandbox.advance(30000);
    await slow;
    assert.deepEqual((await sandbox.messages()).map((m) => m.text), ["/start", "quick", "slow"]);
  });

  test("downloads that fail or end early", async () => {
    const { message } = await sandbox.write(form({ kind: "document", file: file(Buffer.alloc(100000, 7), "a.bin") }));
    const { file_path } = await sandbox.ask("getFile", { file_id: message.document.file_id });
    await sandbox.fault({ on: "file", kind: "status", status: 404 });
    assert.equal((await download(file_path)).status, 404);
    await sandbox.fault({ on: "file", kind: "cut_after" });
    await cut(download(file_path));
    await sandbox.fault({ on: "file", kind: "cut_before" });
    await cut(download(file_path));
    assert.equal((await download(file_path)).bytes.length, 100000);
  });

  test("deliveries that come twice, or whose answer is lost", async () => {
    const hook = await startHook();
    await sandbox.ask("getUpdates", { offset: -1 });
    await sandbox.ask("setWebhook", { url: hook.url, drop_pending_updates: true });
    await sandbox.fault({ on: "webhook", kind: "duplicate" });
    await sandbox.write("twice");
    const [one, two] = [await hook.next(), await hook.next()];
    assert.deepEqual(one.update, two.update);
    one.answer(500);
    two.answer(200);
    await sandbox.fault({ on: "webhook", kind: "cut_after" });
    await sandbox.write("lost");
    const first = await hook.next();
    assert.equal(first.update.message.text, "lost");
    first.answer(200);
    const again = await hook.next();
    assert.deepEqual(again.update, first.update);
    again.answer(200);
    await sandbox.fault({ on: "webhook", kind: "garbage" });
    await sandbox.write("garbled");
    const garbled = await hook.next();
    assert.throws(() => garbled.update, SyntaxError);
    garbled.answer(400);
    const clear = await hook.next();
    assert.equal(clear.update.message.text, "garbled");
    clear.answer(200);
    await sandbox.reset();
    await hook.stop();
  });

  test("is listed, counted and cleared", async () => {
    await sandbox.fault({ on: "getMe", kind: "status", status: 500, count: -1, every: 2 });
    const codes = [];
    for (let i = 0; i < 4; i++) codes.push((await sandbox.call("getMe")).status);
    assert.deepEqual(codes, [200, 500, 200, 500]);
    assert.deepEqual((await sandbox.control("GET", "/faults")).data, [{ on: "getMe", kind: "status", status: 500, count: -1, every: 2 }]);
    await sandbox.control("DELETE", "/faults");
    assert.equal((await sandbox.call("getMe")).status, 200);
    assert.equal((await sandbox.call("getMe")).status, 200);
    await assert.rejects(sandbox.fault({ kind: "explode" }), { status: 400 });
  });

  test("rates are kept when that is asked for", async () => {
    await sandbox.control("POST", "/settings", { telegram: { per_chat_per_second: 1, per_bot_per_second: 30, burst: 3 } });
    const statuses = [];
    for (let i = 0; i < 4; i++) statuses.push((await sandbox.call("sendMessage", { chat_id: PERSON, text: "x" })).status);
    assert.deepEqual(statuses, [200, 200, 200, 429]);
    await sandbox.advance(1000);
    assert.equal((await sandbox.call("sendMessage", { chat_id: PERSON, text: "x" })).status, 200);
    assert.equal((await sandbox.call("getMe")).status, 200);
  });
});

describe("the control API", () => {
  test("merges any members into a message", async () => {
    const { message } = await sandbox.write({ message: { date: 1700000000, text: "forwarded", forward_origin: { type: "hidden_user", sender_user_name: "Ola", date: 5 } } });
    const update = (await sandbox.ask("getUpdates", { offset: -1 })).at(-1);
    assert.equal(update, undefined, "a message of 2023 is too old to be delivered");
    assert.deepEqual([message.date, message.text, message.forward_origin.sender_user_name], [1700000000, "forwarded", "Ola"]);
    const { message: dice } = await sandbox.write({ message: { dice: { emoji: "🎲", value: 3 } } });
    assert.deepEqual(dice.dice, { emoji: "🎲", value: 3 });
    await assert.rejects(sandbox.write({ message: { message_id: 4 } }), { status: 400 });
    const { message: reply } = await sandbox.write({ text: "re", reply_to_message_id: dice.message_id, media_group_id: "7" });
    assert.deepEqual([reply.reply_to_message.message_id, reply.media_group_id], [dice.message_id, "7"]);
  });

  test("delivers any update", async () => {
    const update = { update_id: 1500000000, business_connection: { id: "x" } };
    await sandbox.control("POST", `/telegram/bots/${BOT.id}/updates`, update);
    await sandbox.write("after");
    const [first, second] = await sandbox.ask("getUpdates");
    assert.deepEqual(first, update);
    assert.equal(second.update_id, 1500000001);
  });

  test("records calls as they came, files by their hash", async () => {
    await hello();
    await upload("sendDocument", { document: file("%PDF-1.7", "a.pdf", "application/pdf") });
    await send({ text: "é", reply_markup: inline({ text: "a", callback_data: "x" }) });
    const [document] = await sandbox.calls("sendDocument");
    assert.deepEqual(document.params, { chat_id: String(PERSON), document: { file_name: "a.pdf", content_type: "application/pdf", size: 8,
      sha256: createHash("sha256").update("%PDF-1.7").digest("hex") } });
    const [message] = await sandbox.calls("sendMessage");
    assert.deepEqual(message.params, { chat_id: PERSON, text: "é", reply_markup: inline({ text: "a", callback_data: "x" }) });
    assert.deepEqual([message.status, message.outcome, message.n], [200, "answered", document.n + 1]);
    await sandbox.control("DELETE", `/telegram/bots/${BOT.id}/calls`);
    await sandbox.control("POST", "/settings", { record_calls: false });
    await send();
    assert.deepEqual(await sandbox.calls(""), []);
  });

  test("says what is wrong", async () => {
    for (const [method, path, body, status] of [
      ["GET", "/nothing", undefined, 404],
      ["PUT", "/faults", undefined, 405],
      ["POST", "/settings", "no object", 400],
      ["POST", "/settings", { record_call: false }, 400],
      ["POST", "/settings", { meta: { bacth: 5 } }, 400],
      ["POST", "/telegram/bots", { first_name: "x", username: "no" }, 400],
      ["POST", "/telegram/bots", { id: BOT.id, first_name: "x", username: "some_bot" }, 409],
      ["GET", "/telegram/bots/1/calls", undefined, 404],
      ["POST", "/telegram/bots/1000001/chats/1/messages", { text: "x" }, 404],
      ["POST", "/telegram/bots/1000001/chats/7000001/block", undefined, 404],
      ["POST", "/telegram/bots/1000001/chats/7000001/messages", { text: "" }, 400],
      ["POST", "/clock", { advance_ms: -1 }, 400],
    ])
      await assert.rejects(sandbox.control(method, path, body), { status }, `${method} ${path}`);
  });

  test("keeps the last thousand messages of a chat", async () => {
    await hello();
    for (let i = 0; i < 1010; i += 10)
      await Promise.all(Array.from({ length: 10 }, (_, k) => send({ text: `${i + k}` })));
    assert.equal((await sandbox.messages()).length, 1000);
  });

  test("refuses pages of other sites", async () => {
    const from = (Origin) => fetch(`${sandbox.url}/sandbox/reset`, { method: "POST", headers: { Origin } });
    assert.equal((await from("https://evil.example")).status, 403);
    assert.equal((await from(sandbox.url)).status, 200);
  });

  test("refuses pages of domains that lead here", async () => {
    const { port } = new URL(sandbox.url);
    const from = (host) =>
      new Promise((resolve, reject) => {
        const headers = { Host: `${host}:${port}`, Origin: `http://${host}:${port}` };
        request(`${sandbox.url}/sandbox/reset`, { method: "POST", headers }, (answer) => resolve(answer.resume().statusCode)).on("error", reject).end();
      });
    for (const host of ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example"]) assert.equal(await from(host), 403, host);
    for (const host of ["localhost", "127.0.0.1", "[::1]", "demo.localhost", "sandbox"]) assert.equal(await from(host), 200, host);
  });

  test("serves a page that takes nothing from elsewhere", async () => {
    for (const [path, type] of [["/", "text/html"], ["/app.js", "text/javascript"], ["/style.css", "text/css"]]) {
      const response = await fetch(sandbox.url + path);
      assert.equal(response.status, 200);
      assert.match(response.headers.get("content-type"), new RegExp(`^${type}`));
      assert.match(response.headers.get("content-security-policy"), /default-src 'none'; script-src 'self';/);
      assert.doesNotMatch(await response.text(), /innerHTML|insertAdjacentHTML|document\.write|https?:\/\/(?!www\.w3\.org)/);
    }
  });

  test("tells those who watch", async () => {
    const watch = await sandbox.watch();
    await hello();
    await send({ text: "seen" });
    const { message, bot, user } = await watch.until((e) => e.what === "message" && e.message.direction === "out");
    assert.deepEqual([message.text, bot, user], ["seen", BOT.id, PERSON]);
    watch.close();
  });
});
