// The page to play the participant with. What a bot sends is untrusted: it only ever becomes text nodes and checked links.
import { $, ask, attempt, control, el, fitText, link, listen, loadFaults, toast, toggle, wire } from "./common.js";

const state = { bots: [], people: [], bot: 0, person: 0, messages: [], blocked: false, last: new Map(), replyTo: null, editing: null };

const botPath = () => `/telegram/bots/${state.bot}`;
const chatPath = (person = state.person) => `${botPath()}/chats/${person}`;
const fileUrl = (file) => `/sandbox${botPath()}/files/${encodeURIComponent(file.file_id)}`;

// ---- bots and people ----

const nameOf = (person) => [person.first_name, person.last_name].filter(Boolean).join(" ") || `Person ${person.id}`;
const currentPerson = () => state.people.find((p) => p.id === state.person);
const currentBot = () => state.bots.find((b) => b.id === state.bot);

async function loadBots() {
  state.bots = (await control("GET", "/telegram/bots")).data;
  if (!currentBot()) state.bot = state.bots[0]?.id ?? 0;
  $("bots").replaceChildren(...state.bots.map((b) => el("option", { value: b.id, selected: b.id === state.bot }, `${b.first_name} (@${b.username})`)));
  const bot = currentBot();
  $("bot-facts").textContent = !bot ? "There is no bot."
    : bot.webhook_url ? `Webhook: ${bot.webhook_url}` : "No webhook: it has to ask with getUpdates.";
  if (bot?.pending_update_count > 0) $("bot-facts").append(` ${bot.pending_update_count} waiting.`);
}

async function loadPeople() {
  state.people = (await control("GET", "/telegram/users")).data;
  if (!currentPerson()) state.person = state.people[0]?.id ?? 0;
  showPeople();
}

function showPeople() {
  $("people").replaceChildren(
    ...state.people.map((person) => {
      const last = state.last.get(`${state.bot}/${person.id}`);
      const name = nameOf(person);
      return el("li", {}, el("button", { type: "button", "aria-current": String(person.id === state.person), onclick: () => choosePerson(person.id) },
        el("span", { className: "face", "aria-hidden": "true", "data-hue": person.id % 6 }, [...name][0]),
        el("span", { className: last?.unread ? "name unread" : "name" }, name),
        el("span", { className: "last" }, last?.text ?? (person.username ? `@${person.username}` : ""))));
    }),
  );
}

function noteLast(bot, person, message, unread) {
  state.last.set(`${bot}/${person}`, { text: summary(message), unread });
  if (bot === state.bot) showPeople();
}

const choosePerson = attempt(async (id) => {
  state.person = id;
  document.body.classList.remove("people-shown");
  await loadChat();
});

// ---- the chat ----

async function loadChat() {
  setContext(null, null);
  const person = currentPerson();
  $("chat-title").textContent = person ? nameOf(person) : "";
  $("typing").hidden = true;
  state.messages = [];
  state.blocked = false;
  if (person && currentBot()) {
    const chat = await control("GET", `${chatPath()}/messages`);
    state.messages = chat.data;
    state.blocked = chat.blocked;
    if (state.messages.length > 0) state.last.set(`${state.bot}/${state.person}`, { text: summary(state.messages.at(-1)) });
  }
  showPeople();
  showChat();
}

function showChat() {
  const bot = currentBot();
  $("chat-state").textContent = state.blocked ? "has blocked the bot" : bot ? `→ @${bot.username}` : "";
  $("block").textContent = state.blocked ? "Unblock" : "Block";
  $("block").disabled = state.messages.length === 0 && !state.blocked;
  $("messages").replaceChildren(...state.messages.map(messageNode));
  if (state.messages.length === 0)
    $("messages").append(el("li", { className: "empty" }, "Nothing has been said yet. A bot cannot begin: write the first message, /start for example."));
  showKeyboard();
  toEnd();
}

const isAtEnd = () => $("messages").scrollHeight - $("messages").scrollTop - $("messages").clientHeight < 80;
const toEnd = () => ($("messages").scrollTop = $("messages").scrollHeight);

function putMessage(message) {
  const known = state.messages.findIndex((m) => m.message_id === message.message_id);
  const list = $("messages");
  const atEnd = isAtEnd();
  if (state.messages.length === 0) list.replaceChildren();
  if (known >= 0) {
    state.messages[known] = message;
    list.children[known].replaceWith(messageNode(message));
  } else {
    state.messages.push(message);
    list.append(messageNode(message));
    if (message.direction === "out") $("typing").hidden = true;
  }
  $("block").disabled = false;
  showKeyboard();
  if (atEnd || message.direction === "in") toEnd();
}

function removeMessage(id) {
  const known = state.messages.findIndex((m) => m.message_id === id);
  if (known < 0) return;
  state.messages.splice(known, 1);
  $("messages").children[known].remove();
  showKeyboard();
}

const kinds = { photo: "Picture", animation: "Animation", video: "Video", video_note: "Round video", voice: "Voice message", audio: "Music",
  sticker: "Sticker", document: "File", location: "Place", contact: "Contact" };

/** One line that says what a message is. */
function summary(message) {
  const kind = Object.keys(kinds).find((k) => message[k]);
  return message.text ?? [kind ? kinds[kind] : "Message", message.caption].filter(Boolean).join(": ");
}

// ---- one message ----

const wrappers = {
  bold: () => el("strong"), italic: () => el("em"), underline: () => el("u"), strikethrough: () => el("s"), code: () => el("code"),
  pre: () => el("pre"), blockquote: () => el("blockquote"), expandable_blockquote: () => el("blockquote"),
  spoiler: () => el("span", { className: "spoiler", onclick: (e) => e.currentTarget.classList.add("seen") }),
};

/** Text with its entities, as nodes: entities are places in UTF-16, which is what JavaScript counts in. */
function formatted(text, entities = []) {
  const build = (from, to, list) => {
    const nodes = [];
    let at = from;
    for (let i = 0; i < list.length; i++) {
      const e = list[i];
      const start = Math.max(e.offset, at);
      const end = Math.min(e.offset + e.length, to);
      if (start >= end) continue;
      const inside = list.slice(i + 1).filter((other) => other.offset < end);
      if (start > at) nodes.push(text.slice(at, start));
      const children = build(start, end, inside);
      const plain = text.slice(start, end);
      if (wrappers[e.type]) {
        const node = wrappers[e.type]();
        node.append(...children);
        nodes.push(node);
      } else if (e.type === "text_link") nodes.push(link(e.url, ...children));
      else if (e.type === "url") nodes.push(link(plain, ...children));
      else if (e.type === "email") nodes.push(link(`mailto:${plain}`, ...children));
      else if (e.type === "bot_command") nodes.push(el("a", { href: "#", onclick: attempt(() => write({ text: plain })) }, plain));
      else nodes.push(...children);
      at = end;
    }
    if (at < to) nodes.push(text.slice(at, to));
    return nodes;
  };
  return build(0, text.length, entities);
}

function size(bytes) {
  return bytes === undefined ? "" : bytes < 1024 ? `${bytes} B` : bytes < 1048576 ? `${Math.round(bytes / 1024)} KB` : `${(bytes / 1048576).toFixed(1)} MB`;
}

function mediaNode(message) {
  const box = (className, ...children) => el("div", { className: `media ${className}` }, ...children);
  if (message.photo)
    return box("", el("img", {
      src: fileUrl(message.photo.at(-1)), alt: message.caption ?? "Picture", width: message.photo.at(-1).width, height: message.photo.at(-1).height,
    }));
  if (message.animation || message.video) {
    const file = message.animation ?? message.video;
    if (file.mime_type === "image/gif") return box("", el("img", { src: fileUrl(file), alt: "Animation" }));
    return box("", el("video", { src: fileUrl(file), controls: true, loop: Boolean(message.animation), preload: "metadata" }));
  }
  if (message.video_note) return box("round", el("video", { src: fileUrl(message.video_note), controls: true, preload: "metadata" }));
  if (message.voice || message.audio) {
    const file = message.voice ?? message.audio;
    const title = [file.performer, file.title ?? file.file_name].filter(Boolean).join(" – ");
    return box("", title ? el("div", {}, title) : null, el("audio", { src: fileUrl(file), controls: true, preload: "metadata" }));
  }
  if (message.sticker)
    return box("sticker", message.sticker.is_video ? el("video", { src: fileUrl(message.sticker), autoplay: true, loop: true, muted: true })
      : el("img", { src: fileUrl(message.sticker), alt: message.sticker.emoji ?? "Sticker" }));
  if (message.document)
    return box("", el("a", { href: fileUrl(message.document), download: message.document.file_name ?? "file" },
      message.document.file_name ?? "File"), ` ${size(message.document.file_size)}`);
  if (message.location) return box("", `Place: ${message.location.latitude}, ${message.location.longitude}`);
  if (message.contact) return box("", `Contact: ${[message.contact.first_name, message.contact.last_name].filter(Boolean).join(" ")}, ${message.contact.phone_number}`);
  return null;
}

function inlineButton(message, button) {
  if (button.url) return link(button.url, button.text);
  const style = button.style ? { "data-style": button.style } : {};
  if (button.callback_data === undefined) return el("button", { type: "button", disabled: true, ...style }, button.text);
  return el("button", {
    type: "button", ...style,
    onclick: attempt(async (event) => {
      const node = event.currentTarget;
      node.classList.add("busy");
      setTimeout(() => node.classList.remove("busy"), 10000);
      await control("POST", `${chatPath()}/messages/${message.message_id}/tap`, { data: button.callback_data });
    }),
  }, button.text);
}

function tools(message) {
  const tool = (label, title, onclick) => el("button", { type: "button", title, "aria-label": title, onclick }, label);
  const list = [tool("↩", "Reply", () => setContext(message, null))];
  if (message.direction === "in") list.push(tool("✎", "Edit", () => setContext(null, message)));
  const emoji = message.persons_reaction ? "" : "👍";
  list.push(tool(emoji || "✕", emoji ? "React with 👍" : "Take the reaction back",
    attempt(() => control("POST", `${chatPath()}/messages/${message.message_id}/react`, { emoji }))));
  return el("span", { className: "tools" }, ...list);
}

function messageNode(message) {
  const text = message.text ?? message.caption;
  const media = mediaNode(message);
  const known = media || text !== undefined;
  const time = new Date(message.date * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  const reactions = [message.bots_reaction, message.persons_reaction].filter(Boolean);
  const rows = message.reply_markup?.inline_keyboard ?? [];
  return el("li", { className: `message ${message.direction}` },
    el("div", { className: "bubble" },
      message.reply_to_message ? el("div", { className: "quote" }, summary(message.reply_to_message)) : null,
      media,
      text !== undefined ? el("div", { className: "text" }, ...formatted(text, message.entities ?? message.caption_entities)) : null,
      known ? null : el("div", { className: "other" }, "A message of another kind"),
      el("div", { className: "foot" }, tools(message), message.edited ? "edited" : null, el("time", { title: `message ${message.message_id}` }, time))),
    reactions.length > 0 ? el("div", { className: "reactions" }, reactions.join(" ")) : null,
    rows.length > 0 ? el("div", { className: "buttons" }, ...rows.map((row) => el("div", {}, ...row.map((b) => inlineButton(message, b))))) : null);
}

// ---- writing ----

/** The keyboard that the bot's last word on keyboards left; one that is for once goes when it was used. */
function showKeyboard() {
  const last = state.messages.findLast((m) => m.direction === "out" && m.keyboard);
  const used = last?.keyboard.one_time_keyboard && state.messages.at(-1).message_id > last.message_id && state.messages.at(-1).direction === "in";
  const rows = !used && last?.keyboard.keyboard ? last.keyboard.keyboard : [];
  $("keyboard").hidden = rows.length === 0;
  $("keyboard").replaceChildren(...rows.map((row) => el("div", {}, ...row.map((button) => {
    const label = typeof button === "string" ? button : button.text;
    return el("button", { type: "button", onclick: attempt(() => press(button, label)) }, label);
  }))));
  $("text").placeholder = last?.keyboard.input_field_placeholder || "Write a message";
}

function press(button, label) {
  const person = currentPerson();
  if (button.request_contact)
    return write({ message: { contact: { phone_number: "+4915112345678", first_name: person.first_name, user_id: person.id } } });
  if (button.request_location) return write({ message: { location: { latitude: 48.5216, longitude: 9.0576 } } });
  return write({ text: label });
}

const write = (body) => control("POST", `${chatPath()}/messages`, body);

function setContext(replyTo, editing) {
  state.replyTo = replyTo;
  state.editing = editing;
  $("context").hidden = !replyTo && !editing;
  $("context-text").textContent = replyTo ? `Reply to: ${summary(replyTo)}` : editing ? "Edit your message" : "";
  if (editing) $("text").value = editing.text ?? editing.caption ?? "";
  if (replyTo || editing) $("text").focus();
}

const submit = attempt(async () => {
  const text = $("text").value;
  const { editing, replyTo } = state;
  if (!editing && text.trim() === "") return;
  if (editing) await control("PATCH", `${chatPath()}/messages/${editing.message_id}`, editing.text !== undefined ? { text } : { caption: text });
  else await write({ text, ...(replyTo && { reply_to_message_id: replyTo.message_id }) });
  $("text").value = "";
  setContext(null, null);
  fitText();
});

const sendFile = attempt(async () => {
  const file = $("file").files[0];
  const kind = $("kind").value;
  $("kind").value = "";
  if (!file || !kind) return;
  const form = new FormData();
  form.append("kind", kind);
  form.append("file", file);
  if ($("text").value.trim()) form.append("caption", $("text").value);
  if (state.replyTo) form.append("reply_to_message_id", state.replyTo.message_id);
  await write(form);
  $("text").value = "";
  $("file").value = "";
  setContext(null, null);
});

// ---- the live stream ----

let typingTimer;
const onEvent = {
  message(e) {
    const here = e.bot === state.bot && e.user === state.person;
    noteLast(e.bot, e.user, e.message, !here && e.message.direction === "out");
    if (here) putMessage(e.message);
  },
  edited(e) {
    if (e.bot === state.bot && e.user === state.person) putMessage(e.message);
  },
  deleted(e) {
    if (e.bot === state.bot && e.user === state.person) removeMessage(e.message_id);
  },
  action(e) {
    if (e.bot !== state.bot || e.user !== state.person) return;
    const atEnd = isAtEnd();
    $("typing").textContent = `${e.action.replaceAll("_", " ")} …`;
    $("typing").hidden = false;
    if (atEnd) toEnd();
    clearTimeout(typingTimer);
    typingTimer = setTimeout(() => ($("typing").hidden = true), 5000);
  },
  answer(e) {
    for (const node of document.querySelectorAll(".busy")) node.classList.remove("busy");
    if (!e.text || e.bot !== state.bot || e.user !== state.person) return;
    if (!e.alert) return toast(e.text);
    $("alert-text").textContent = e.text;
    $("alert").showModal();
  },
  blocked: (e) => setBlocked(e, true),
  unblocked: (e) => setBlocked(e, false),
  bots: () => loadBots(),
  people: () => loadPeople(),
  webhook_error(e) {
    if (e.bot === state.bot) $("bot-facts").textContent = `Webhook: ${currentBot()?.webhook_url ?? ""} – ${e.error}`;
  },
};

function setBlocked(e, blocked) {
  if (e.bot !== state.bot || e.user !== state.person) return;
  state.blocked = blocked;
  showChat();
}

const loadAll = attempt(async () => {
  await loadBots();
  await loadPeople();
  await loadChat();
  await loadFaults();
});

// ---- what can be clicked ----

$("bots").addEventListener("change", attempt(async () => {
  state.bot = Number($("bots").value);
  await loadBots();
  await loadChat();
}));
$("copy-token").addEventListener("click", attempt(async () => {
  await navigator.clipboard.writeText(currentBot().token);
  toast("The token has been copied.");
}));
$("new-bot").addEventListener("click", attempt(async () => {
  const values = await ask("A new bot", [{ name: "first_name", label: "Name", required: true }, { name: "username", label: "Username, ending in “bot”", required: true }]);
  if (!values) return;
  state.bot = (await control("POST", "/telegram/bots", values)).id;
  await loadBots();
  await loadChat();
}));
$("new-person").addEventListener("click", attempt(async () => {
  const values = await ask("A new person", [
    { name: "first_name", label: "First name", required: true }, { name: "last_name", label: "Last name" }, { name: "username", label: "Username" },
    { name: "language_code", label: "Language", value: navigator.language }, { name: "photo", label: "has a profile picture", type: "checkbox" },
  ]);
  if (!values) return;
  state.person = (await control("POST", "/telegram/users", values)).id;
  await loadPeople();
  await loadChat();
}));
$("block").addEventListener("click", attempt(() => control("POST", `${chatPath()}/${state.blocked ? "unblock" : "block"}`)));
$("to-trouble").addEventListener("click", () => toggle("trouble", "to-trouble", $("trouble").hidden));
$("reset").addEventListener("click", attempt(() => control("POST", "/reset")));
$("kind").addEventListener("change", () => {
  if ($("kind").value === "") return;
  $("file").accept = $("kind").selectedOptions[0].dataset.accept;
  $("file").click();
});
$("file").addEventListener("change", sendFile);
$("file").addEventListener("cancel", () => ($("kind").value = ""));

wire({
  submit,
  endContext: () => {
    if (state.editing) $("text").value = "";
    setContext(null, null);
  },
  whose: () => ($("fault").elements.here.checked ? { bot: state.bot } : {}),
});
listen(loadAll, {
  telegram: (event) => {
    const e = JSON.parse(event.data);
    onEvent[e.what]?.(e);
  },
  faults: attempt(loadFaults),
  reset: () => {
    state.last.clear();
    loadAll();
  },
});
