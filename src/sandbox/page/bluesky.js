// The page to be anyone on Bluesky. What others send is untrusted: it only ever becomes text nodes and checked links.
import { $, ask, attempt, control, el, fitText, link, listen, loadFaults, toast, toggle, wire } from "./common.js";

const state = { accounts: [], me: "", convos: [], convo: "", messages: [], replyTo: null };

const mine = () => `/bluesky/accounts/${encodeURIComponent(state.me)}`;
const here = () => `${mine()}/convos/${encodeURIComponent(state.convo)}`;

// ---- accounts and conversations ----

const account = (did) => state.accounts.find((a) => a.did === did);
const nameOf = (a) => a?.display_name || a?.displayName || a?.handle || "?";
const current = () => state.convos.find((c) => c.id === state.convo);
const others = (convo) => convo.members.filter((m) => m.did !== state.me);
const titleOf = (convo) => convo.kind?.name ?? others(convo).map(nameOf).join(", ");

async function loadAccounts() {
  state.accounts = (await control("GET", "/bluesky/accounts")).data.filter((a) => a.status !== "deleted");
  const person = state.accounts.find((a) => a.handle.startsWith("mina."));
  if (!account(state.me)) state.me = (person ?? state.accounts[0])?.did ?? "";
  $("accounts").replaceChildren(...state.accounts.map((a) => el("option", { value: a.did, selected: a.did === state.me }, `${nameOf(a)} (@${a.handle})`)));
  const me = account(state.me);
  const passwords = me?.app_passwords.map((p) => `${p.password}${p.privileged ? "" : " (no messages)"}`).join(", ");
  $("facts").textContent = me ? `${me.did}${passwords ? ` – app passwords: ${passwords}` : ""}` : "There is no account.";
  $("incoming").value = me?.allow_incoming ?? "";
}

async function loadConvos() {
  state.convos = state.me ? (await control("GET", `${mine()}/convos`)).data : [];
  state.convos.sort((a, b) => (a.rev < b.rev ? 1 : -1));
  if (!current()) state.convo = state.convos[0]?.id ?? "";
  $("people").replaceChildren(...state.convos.map((convo) => {
    const title = titleOf(convo);
    const marks = [convo.status === "request" ? "request" : "", convo.muted ? "muted" : ""].filter(Boolean).join(", ");
    return el("li", {}, el("button", { type: "button", "aria-current": String(convo.id === state.convo), onclick: () => choose(convo.id) },
      el("span", { className: "face", "aria-hidden": "true", "data-hue": [...title].length % 6 }, [...title][0]),
      el("span", { className: convo.unreadCount > 0 ? "name unread" : "name" }, title),
      el("span", { className: "last" }, [marks, convo.lastMessage?.text].filter(Boolean).join(" · "))));
  }));
}

async function loadMessages() {
  const atEnd = $("messages").scrollHeight - $("messages").scrollTop - $("messages").clientHeight < 80;
  state.messages = current() ? (await control("GET", `${here()}/messages`)).data : [];
  showChat();
  if (atEnd) $("messages").scrollTop = $("messages").scrollHeight;
}

function showChat() {
  const convo = current();
  const peer = convo && others(convo)[0];
  const blocked = Boolean(account(state.me)?.blocks.includes(peer?.did));
  $("chat-title").textContent = convo ? titleOf(convo) : "";
  $("chat-state").textContent = convo ? [peer && !convo.kind?.name ? `@${peer.handle}` : "", blocked ? "blocked" : ""].filter(Boolean).join(" – ") : "";
  $("mute").textContent = convo?.muted ? "Unmute" : "Mute";
  $("block").textContent = blocked ? "Unblock" : "Block";
  for (const id of ["mute", "block", "leave"]) $(id).disabled = !convo;
  $("messages").replaceChildren(...state.messages.map(messageNode));
  if (state.messages.length === 0) $("messages").append(el("li", { className: "empty" }, "Nothing has been said yet."));
}

const loadAll = attempt(async () => {
  await loadAccounts();
  await loadConvos();
  await loadMessages();
  await loadFaults();
});

const choose = attempt(async (id) => {
  state.convo = id;
  setReply(null);
  document.body.classList.remove("people-shown");
  if (current()?.unreadCount > 0) await control("POST", `${here()}/read`);
  await loadConvos();
  await loadMessages();
  $("messages").scrollTop = $("messages").scrollHeight;
});

// ---- one message ----

/** Text with its facets as nodes: facets are places in UTF-8. */
function formatted(text, facets = []) {
  const bytes = new TextEncoder().encode(text);
  const part = (from, to) => new TextDecoder().decode(bytes.slice(from, to));
  const nodes = [];
  let at = 0;
  for (const { index, features } of [...facets].sort((a, b) => a.index.byteStart - b.index.byteStart)) {
    if (index.byteStart < at || index.byteEnd > bytes.length) continue;
    const uri = features.find((f) => f.$type === "app.bsky.richtext.facet#link")?.uri;
    nodes.push(part(at, index.byteStart), uri ? link(uri, part(index.byteStart, index.byteEnd)) : el("strong", {}, part(index.byteStart, index.byteEnd)));
    at = index.byteEnd;
  }
  return [...nodes, part(at, bytes.length)];
}

function tools(message) {
  const tool = (label, title, onclick) => el("button", { type: "button", title, "aria-label": title, onclick: attempt(onclick) }, label);
  const path = () => `${here()}/messages/${message.id}`;
  const reacted = message.reactions?.some((r) => r.sender.did === state.me && r.value === "👍");
  return el("span", { className: "tools" },
    tool("↩", "Reply", () => setReply(message)),
    tool(reacted ? "✕" : "👍", reacted ? "Take the reaction back" : "React with 👍", () => control("POST", `${path()}/react`, { value: "👍", remove: reacted })),
    tool("🗑", "Delete for me", () => control("DELETE", path())));
}

function messageNode(message) {
  const type = message.$type.split("#")[1];
  const time = new Date(message.sentAt).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  if (type === "systemMessageView") return el("li", { className: "empty" }, message.data.$type.split("#systemMessageData")[1]);
  const deleted = type === "deletedMessageView";
  // On this page "in" is on the right: what whoever looks has written.
  return el("li", { className: `message ${message.direction === "out" ? "in" : "out"}` },
    el("div", { className: "bubble" },
      message.replyTo ? el("div", { className: "quote" }, message.replyTo.text ?? "deleted") : null,
      deleted ? el("div", { className: "other" }, "Deleted for you") : el("div", { className: "text" }, ...formatted(message.text, message.facets)),
      message.embed ? el("div", { className: "other" }, message.embed.record?.uri ?? message.embed.$type) : null,
      el("div", { className: "foot" }, deleted ? null : tools(message), el("time", { title: `message ${message.id}` }, time))),
    message.reactions ? el("div", { className: "reactions" }, message.reactions.map((r) => r.value).join(" ")) : null);
}

// ---- writing ----

function setReply(message) {
  state.replyTo = message;
  $("context").hidden = !message;
  $("context-text").textContent = message ? `Reply to: ${message.text}` : "";
  if (message) $("text").focus();
}

/** Addresses become links only where a facet says so. */
function linkFacets(text) {
  const length = (s) => new TextEncoder().encode(s).length;
  return [...text.matchAll(/https?:\/\/[^\s]+[^\s.,;:!?)]/g)].map((m) => ({
    index: { byteStart: length(text.slice(0, m.index)), byteEnd: length(text.slice(0, m.index + m[0].length)) },
    features: [{ $type: "app.bsky.richtext.facet#link", uri: m[0] }],
  }));
}

const submit = attempt(async (event) => {
  event.preventDefault();
  const text = $("text").value;
  if (text.trim() === "") return;
  if (!state.convo) throw new Error("Choose whom to write to.");
  const facets = linkFacets(text);
  await control("POST", `${mine()}/messages`, {
    convo: state.convo, text, ...(facets.length > 0 && { facets }), ...(state.replyTo && { replyTo: { messageId: state.replyTo.id } }),
  });
  $("text").value = "";
  setReply(null);
  fitText();
  $("messages").scrollTop = $("messages").scrollHeight;
});

// ---- the live stream ----

let reload;
function soon(what) {
  clearTimeout(reload);
  reload = setTimeout(what, 30); /* a burst is one change to look at */
}

$("accounts").addEventListener("change", () => {
  state.me = $("accounts").value;
  state.convo = "";
  setReply(null);
  loadAll();
});
$("new-account").addEventListener("click", attempt(async () => {
  const values = await ask("A new account", [
    { name: "handle", label: "Handle, like ann.sandbox.test", required: true }, { name: "display_name", label: "Name", required: true },
  ]);
  if (values) state.me = (await control("POST", "/bluesky/accounts", { ...values, allow_incoming: "all", avatar: true })).did;
  await loadAll();
}));
$("new-convo").addEventListener("click", attempt(async () => {
  const options = state.accounts.filter((a) => a.did !== state.me).map((a) => [a.did, `${nameOf(a)} (@${a.handle})`]);
  const values = await ask("Write to", [{ name: "to", label: "Whom", options }, { name: "text", label: "What", value: "Hello!", required: true }]);
  if (!values) return;
  state.convo = (await control("POST", `${mine()}/messages`, values)).convo;
  await loadAll();
}));
$("mute").addEventListener("click", attempt(() => control("POST", `${here()}/${current().muted ? "unmute" : "mute"}`)));
$("leave").addEventListener("click", attempt(() => control("POST", `${here()}/leave`)));
$("block").addEventListener("click", attempt(() => {
  const subject = others(current())[0].did;
  return control("POST", `${mine()}/relations/${account(state.me).blocks.includes(subject) ? "unblock" : "block"}`, { subject });
}));
$("incoming").addEventListener("change", attempt(() => control("PATCH", mine(), { allow_incoming: $("incoming").value || null })));
$("expire").addEventListener("click", attempt(async () => {
  await control("POST", `${mine()}/sessions/expire`);
  toast("Its access tokens have expired.");
}));
$("truncate").addEventListener("click", attempt(async () => {
  await control("DELETE", `${mine()}/log`);
  toast("Every cursor of its log is invalid now.");
}));
$("to-trouble").addEventListener("click", () => toggle("trouble", "to-trouble", $("trouble").hidden));

wire({ submit, endContext: () => setReply(null), whose: () => ({ platform: "bluesky" }) });
listen(loadAll, { bluesky: () => soon(loadAll), faults: attempt(loadFaults), reset: loadAll });
