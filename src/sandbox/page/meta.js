// The page to be anyone who writes to a business on Messenger or Instagram. What the business sends is untrusted: it only
// ever becomes text nodes and checked links.
import { $, ask, attempt, control, el, fitText, link, listen, loadFaults, toast, toggle, wire } from "./common.js";

const state = { accounts: [], people: [], account: "", person: 0, messages: [], blocked: false, replyTo: null, editing: null, unread: new Set() };

const accountPath = () => `/meta/accounts/${state.account}`;
const chatPath = () => `${accountPath()}/chats/${state.person}`;
const messagePath = (m) => `${chatPath()}/messages/${encodeURIComponent(m.mid)}`;
const account = () => state.accounts.find((a) => a.id === state.account);
const person = () => state.people.find((p) => p.id === state.person);
const scopedId = () => person()?.scoped_ids[state.account];

// ---- accounts and people ----

async function loadAccounts() {
  state.accounts = (await control("GET", "/meta/accounts")).data;
  if (!account()) state.account = state.accounts[0]?.id ?? "";
  $("accounts").replaceChildren(...state.accounts.map((a) =>
    el("option", { value: a.id, selected: a.id === state.account }, `${a.name} (${a.kind === "page" ? "Messenger" : a.login ? "Instagram, own login" : "Instagram"})`)));
  await showFacts();
}

async function showFacts() {
  const app = await control("GET", "/meta/app");
  const a = account();
  const callback = app.callbacks[a?.kind];
  const facts = [];
  if (!callback?.url) facts.push("The app has no callback for this: it is told nothing.");
  else facts.push(`Webhook: ${callback.url}.`, callback.waiting > 0 ? `${callback.waiting} waiting.` : "", callback.last_error ?? "");
  if (a?.kind === "page" && !a.subscribed) facts.push("The Page is not subscribed.");
  if (a?.login && !a.subscribed) facts.push("The account is not subscribed.");
  if (app.hold) facts.push("Events are held back.");
  $("facts").textContent = facts.filter(Boolean).join(" ");
  $("copy-token").disabled = !a?.token;
}

async function loadPeople() {
  state.people = (await control("GET", "/meta/people")).data;
  if (!person()) state.person = state.people[0]?.id ?? 0;
  showPeople();
}

function showPeople() {
  $("people").replaceChildren(...state.people.map((p) =>
    el("li", {}, el("button", { type: "button", "aria-current": String(p.id === state.person), onclick: () => choosePerson(p.id) },
      el("span", { className: "face", "aria-hidden": "true", "data-hue": p.id % 6 }, [...p.name][0]),
      el("span", { className: state.unread.has(`${state.account}/${p.scoped_ids[state.account]}`) ? "name unread" : "name" }, p.name),
      el("span", { className: "last" }, p.scoped_ids[state.account] ?? "")))));
}

const choosePerson = attempt(async (id) => {
  state.person = id;
  document.body.classList.remove("people-shown");
  await loadChat();
});

// ---- the chat ----

async function loadChat() {
  setContext(null, null);
  $("typing").hidden = true;
  $("chat-title").textContent = person()?.name ?? "";
  state.messages = [];
  state.blocked = false;
  if (person() && account()) {
    const chat = await control("GET", `${chatPath()}/messages`);
    state.messages = chat.data;
    state.blocked = chat.blocked;
    state.unread.delete(`${state.account}/${scopedId()}`);
  }
  showPeople();
  showChat();
}

const isAtEnd = () => $("messages").scrollHeight - $("messages").scrollTop - $("messages").clientHeight < 80;
const toEnd = () => ($("messages").scrollTop = $("messages").scrollHeight);

function showChat() {
  $("chat-state").textContent = state.blocked ? "has blocked the account" : account() ? `→ ${account().username || account().name}` : "";
  $("block").textContent = state.blocked ? "Unblock" : "Block";
  $("messages").replaceChildren(...state.messages.map(messageNode));
  if (state.messages.length === 0)
    $("messages").append(el("li", { className: "empty" }, "Nothing has been said yet. A business cannot begin: write the first message, or comment on a post."));
  toEnd();
}

function putMessage(message) {
  const known = state.messages.findIndex((m) => m.mid === message.mid);
  const atEnd = isAtEnd();
  if (state.messages.length === 0) $("messages").replaceChildren();
  if (known >= 0) {
    state.messages[known] = message;
    $("messages").children[known].replaceWith(messageNode(message));
  } else {
    state.messages.push(message);
    $("messages").append(messageNode(message));
    if (message.direction === "out") $("typing").hidden = true;
  }
  if (atEnd || message.direction === "in") toEnd();
}

// ---- one message ----

/** One line that says what a message is. */
const summary = (m) => m.is_deleted ? "unsent" : m.text ?? m.attachments?.map((a) => a.type.replaceAll("_", " ")).join(", ") ?? "message";

function button(message, b) {
  if (b.type === "web_url") return link(b.url, b.title);
  return el("button", {
    type: "button", onclick: attempt(() => control("POST", `${chatPath()}/postback`, { title: b.title, payload: b.payload ?? b.title })),
  }, b.title);
}

function template(message, payload) {
  const buttons = (list) => list?.length > 0 ? el("div", { className: "buttons" }, ...list.map((b) => el("div", {}, button(message, b)))) : null;
  return el("div", {}, payload.text ? el("div", { className: "text" }, payload.text) : null, buttons(payload.buttons),
    ...(payload.elements ?? []).map((e) => el("div", { className: "element" }, el("strong", {}, e.title ?? ""), el("div", {}, e.subtitle ?? ""), buttons(e.buttons))));
}

/** Media are shown when they are the sandbox's own; anything else is a link. */
function attachment(message, a) {
  const url = a.payload?.url;
  const own = url?.includes("/meta-cdn/") ? url.slice(url.indexOf("/meta-cdn/")) : null;
  const box = (...children) => el("div", { className: "media" }, ...children);
  if (a.type === "template") return template(message, a.payload ?? {});
  if (a.type === "like_heart") return box("❤️");
  if (own && ["image", "sticker", "story_mention", "story", "ig_story", "media"].includes(a.type)) return box(el("img", { src: own, alt: a.type }));
  if (own && a.type === "video") return box(el("video", { src: own, controls: true, preload: "metadata" }));
  if (own && a.type === "audio") return box(el("audio", { src: own, controls: true, preload: "metadata" }));
  if (own) return box(el("a", { href: own, download: "" }, "File"));
  return box(url ? link(url, a.payload.title ?? url) : a.type.replaceAll("_", " "));
}

function tools(message) {
  const tool = (label, title, onclick) => el("button", { type: "button", title, "aria-label": title, onclick }, label);
  const list = [tool("↩", "Reply", () => setContext(message, null))];
  if (message.direction === "in") {
    list.push(tool("✎", "Edit", () => setContext(null, message)));
    list.push(tool("🗑", "Unsend", attempt(() => control("DELETE", messagePath(message)))));
  }
  const emoji = message.persons_reaction ? "" : "❤️";
  list.push(tool(emoji || "✕", emoji ? "React with ❤️" : "Take the reaction back", attempt(() => control("POST", `${messagePath(message)}/react`, { emoji }))));
  return el("span", { className: "tools" }, ...list);
}

function messageNode(message) {
  const reply = message.reply_to?.mid ? state.messages.find((m) => m.mid === message.reply_to.mid) : null;
  const reactions = [message.business_reaction, message.persons_reaction].filter(Boolean);
  const time = new Date(message.timestamp).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  const origin = message.direction === "out" && message.app_id && message.app_id !== state.appId ? "in Meta's inbox" : null;
  return el("li", { className: `message ${message.direction}` },
    el("div", { className: "bubble" },
      message.reply_to ? el("div", { className: "quote" }, message.reply_to.story ? "Reply to a story" : reply ? summary(reply) : "Reply") : null,
      ...(message.attachments ?? []).map((a) => attachment(message, a)),
      message.text !== undefined ? el("div", { className: "text" }, message.text) : null,
      message.is_deleted ? el("div", { className: "other" }, "unsent") : null,
      el("div", { className: "foot" }, message.is_deleted ? null : tools(message), origin, message.num_edit ? "edited" : null, message.read ? "read" : null,
        el("time", { title: message.mid }, time))),
    reactions.length > 0 ? el("div", { className: "reactions" }, reactions.join(" ")) : null,
    message.quick_replies ? el("div", { className: "buttons" }, el("div", {}, ...message.quick_replies.map((q) =>
      el("button", { type: "button", onclick: attempt(() => control("POST", `${messagePath(message)}/tap`, { payload: q.payload ?? q.title, title: q.title })) }, q.title ?? q.content_type)))) : null);
}

// ---- writing ----

function setContext(replyTo, editing) {
  state.replyTo = replyTo;
  state.editing = editing;
  $("context").hidden = !replyTo && !editing;
  $("context-text").textContent = replyTo ? `Reply to: ${summary(replyTo)}` : editing ? "Edit your message" : "";
  if (editing) $("text").value = editing.text ?? "";
  if (replyTo || editing) $("text").focus();
}

function clearText() {
  $("text").value = "";
  setContext(null, null);
  fitText();
}

const write = (body) => control("POST", `${chatPath()}/messages`, body);

const submit = attempt(async () => {
  const text = $("text").value;
  if (text.trim() === "") return;
  if (state.editing) await control("PATCH", messagePath(state.editing), { text });
  else await write({ text, ...(state.replyTo && { reply_to: state.replyTo.mid }) });
  clearText();
});

const asBusiness = attempt(async () => {
  if ($("text").value.trim() === "") return;
  await control("POST", `${chatPath()}/inbox`, { text: $("text").value, ...(state.replyTo && { reply_to: state.replyTo.mid }) });
  clearText();
});

const sendFiles = attempt(async () => {
  if ($("files").files.length === 0) return;
  const form = new FormData();
  for (const file of $("files").files) form.append("file", file);
  if ($("text").value.trim()) form.append("text", $("text").value);
  if (state.replyTo) form.append("reply_to", state.replyTo.mid);
  $("files").value = "";
  await write(form);
  clearText();
});

const others = {
  files: () => $("files").click(),
  sticker: () => write({ attachments: [account().kind === "page" ? { type: "sticker", payload: { sticker_id: 369239263222822 } } : { type: "image" }] }),
  story_mention: () => write({ attachments: [{ type: "story_mention" }] }),
  story_reply: () => write({ text: $("text").value || "Lovely!", reply_to: { story: { id: "17900000000000001", url: `${location.origin}/icon.svg` } } }).then(clearText),
  share: () => write({ attachments: [account().kind === "page" ? { type: "fallback", payload: { url: "https://www.facebook.com/", title: "A post" } }
    : { type: "share", payload: { url: "https://www.instagram.com/p/abc/" } }] }),
  ephemeral: () => write({ attachments: [{ type: "ephemeral" }] }),
  async referral() {
    const values = await ask("Coming by a link", [{ name: "ref", label: "Its ref", value: "shop-window", required: true }]);
    if (values) await control("POST", `${chatPath()}/referral`, values);
  },
};

// ---- posts and comments ----

async function loadPosts() {
  if ($("posts").hidden || !account()) return;
  const posts = (await control("GET", `${accountPath()}/posts`)).data;
  const comments = await Promise.all(posts.map((p) => control("GET", `${accountPath()}/posts/${p.id}/comments`)));
  $("post-list").replaceChildren(...posts.map((p, i) => postNode(p, comments[i].data)).reverse());
  if (posts.length === 0) $("post-list").append(el("p", { className: "empty" }, "There is no post yet."));
}

function commentNode(c) {
  const path = `${accountPath()}/comments/${c.id}`;
  const act = (label, method, body) => el("button", { type: "button", onclick: attempt(() => control(method, path, body)) }, label);
  const marks = [c.removed ? "removed" : "", c.hidden ? "hidden" : "", c.replied ? "answered in private" : ""].filter(Boolean).join(", ");
  return el("li", { className: c.parent_id ? "comment answer" : "comment" }, el("strong", {}, c.name), ` ${c.text ?? ""} `, marks ? el("span", { className: "facts" }, marks) : null,
    c.removed ? null : el("span", { className: "row" },
      el("button", { type: "button", onclick: attempt(async () => {
        const values = await ask("Edit the comment", [{ name: "text", label: "Text", value: c.text ?? "", required: true }]);
        if (values) await control("PATCH", path, values);
      }) }, "Edit"), act(c.hidden ? "Show" : "Hide", "PATCH", { hidden: !c.hidden }), act("Remove", "DELETE")));
}

function postNode(post, comments) {
  const input = el("input", { placeholder: `Comment as ${person()?.name ?? "nobody"}`, required: true, "aria-label": "Comment" });
  return el("section", {}, el("p", {}, post.text || "A picture", post.live ? " (live)" : ""), el("ul", { className: "comments" }, ...comments.map(commentNode)),
    el("form", { className: "row", onsubmit: attempt(async () => {
      await control("POST", `${accountPath()}/posts/${post.id}/comments`, { user: state.person, text: input.value });
      input.value = "";
    }) }, input, el("button", { className: "primary" }, "Comment")));
}

// ---- the live stream ----

let typingTimer;
function onEvent(e) {
  const here = e.account === state.account && e.user === scopedId();
  if (e.what === "message" || e.what === "changed") {
    if (here) putMessage(e.message);
    else if (e.what === "message" && e.message.direction === "out") state.unread.add(`${e.account}/${e.user}`);
    showPeople();
  } else if (e.what === "typing" && here) {
    $("typing").textContent = "typing …";
    $("typing").hidden = false;
    clearTimeout(typingTimer);
    typingTimer = setTimeout(() => ($("typing").hidden = true), 20000);
  } else if (e.what === "typing_off" && here) $("typing").hidden = true;
  else if ((e.what === "blocked" || e.what === "unblocked" || e.what === "read") && here) loadChat();
  else if (e.what === "seen" && here) toast("What you wrote has been seen.");
  else if (e.what === "accounts") loadAccounts();
  else if (e.what === "people") loadPeople();
  else if (e.what === "comments") loadPosts();
}

const loadAll = attempt(async () => {
  state.appId = Number((await control("GET", "/meta/app")).id);
  await loadAccounts();
  await loadPeople();
  await loadChat();
  await loadPosts();
  await loadFaults();
});

// ---- what can be clicked ----

$("accounts").addEventListener("change", attempt(async () => {
  state.account = $("accounts").value;
  await showFacts();
  await loadChat();
  await loadPosts();
}));
$("copy-token").addEventListener("click", attempt(async () => {
  await navigator.clipboard.writeText(account().token);
  toast("The token has been copied.");
}));
$("new-account").addEventListener("click", attempt(async () => {
  const pages = state.accounts.filter((a) => a.kind === "page").map((a) => [a.id, `Instagram of ${a.name}`]);
  const values = await ask("A new account", [{ name: "name", label: "Name", required: true }, { name: "username", label: "Username" },
    { name: "what", label: "It is", options: [["page", "a Page on Messenger"], ["login", "Instagram with a login of its own"], ...pages] }]);
  if (!values) return;
  const { name, username, what } = values;
  const kind = what === "page" ? { kind: "page" } : what === "login" ? { kind: "instagram", login: true } : { kind: "instagram", page: what };
  state.account = (await control("POST", "/meta/accounts", { name, username, ...kind })).id;
  await loadAll();
}));
$("new-person").addEventListener("click", attempt(async () => {
  const values = await ask("A new person", [{ name: "first_name", label: "First name", required: true }, { name: "last_name", label: "Last name" },
    { name: "username", label: "Username on Instagram" }]);
  if (!values) return;
  state.person = (await control("POST", "/meta/people", values)).id;
  await loadPeople();
  await loadChat();
}));
$("read").addEventListener("click", attempt(() => control("POST", `${chatPath()}/read`, {})));
$("block").addEventListener("click", attempt(() => control("POST", `${chatPath()}/${state.blocked ? "unblock" : "block"}`)));
$("to-posts").addEventListener("click", attempt(async () => {
  toggle("trouble", "to-trouble", false);
  toggle("posts", "to-posts", $("posts").hidden);
  await loadPosts();
}));
$("posts-end").addEventListener("click", () => toggle("posts", "to-posts", false));
$("new-post").addEventListener("click", attempt(async () => {
  const values = await ask("A new post", [{ name: "text", label: "Text", required: true }]);
  if (values) await control("POST", `${accountPath()}/posts`, values);
}));
$("to-trouble").addEventListener("click", () => {
  toggle("posts", "to-posts", false);
  toggle("trouble", "to-trouble", $("trouble").hidden);
});
for (const [id, what] of [["revoke", "revoke"], ["expire", "expire"], ["new-token", "tokens"]])
  $(id).addEventListener("click", attempt(() => control("POST", `${accountPath()}/${what}`)));
for (const id of ["hold", "release"])
  $(id).addEventListener("click", attempt(async () => {
    await control("POST", `/meta/${id}`);
    await showFacts();
  }));
$("inbox").addEventListener("click", asBusiness);
$("more").addEventListener("change", attempt(async () => {
  const what = $("more").value;
  $("more").value = "";
  await others[what]?.();
}));
$("files").addEventListener("change", sendFiles);

wire({ submit, endContext: clearText, whose: () => ({ platform: "meta", bot: state.account }) });
listen(loadAll, {
  meta: (event) => onEvent(JSON.parse(event.data)),
  faults: attempt(loadFaults),
  reset: () => {
    state.unread.clear();
    loadAll();
  },
});
