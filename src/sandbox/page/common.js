// What the sandbox's pages share. What anyone writes is untrusted: it only ever becomes text nodes and checked links.
export const $ = (id) => document.getElementById(id);

/** An element with properties (on… are listeners, data-… and aria-… attributes) and children. */
export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name.includes("-")) node.setAttribute(name, value);
    else node[name] = value;
  }
  node.append(...children.filter((c) => c !== null && c !== undefined));
  return node;
}

/** A link, or only its text when it leads anywhere but to the web. */
export function link(url, ...children) {
  let target;
  try {
    target = new URL(url);
  } catch {
    /* is no address */
  }
  if (!target || !["http:", "https:", "mailto:"].includes(target.protocol)) return el("span", {}, ...children);
  return el("a", { href: target.href, target: "_blank", rel: "noopener noreferrer nofollow" }, ...children);
}

/** A call of the control API; throws the sentence of a refusal. */
export async function control(method, path, body) {
  const isForm = body instanceof FormData;
  const response = await fetch(`/sandbox${path}`, {
    method,
    body: body === undefined || isForm ? body : JSON.stringify(body),
    headers: body === undefined || isForm ? {} : { "Content-Type": "application/json" },
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error);
  return answer;
}

/** Runs what a click or key wants, and shows what goes wrong. */
export function attempt(what) {
  return async (event) => {
    event?.preventDefault?.();
    try {
      await what(event);
    } catch (error) {
      toast(error.message);
    }
  };
}

const toastBox = el("div", { id: "toast", className: "toast", "aria-live": "polite", hidden: true });
let toastTimer;
export function toast(text) {
  toastBox.textContent = text;
  toastBox.hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => (toastBox.hidden = true), 4000);
}

const askTitle = el("h2");
const askFields = el("div", { id: "ask-fields" });
const askDialog = el("dialog", { id: "ask" }, el("form", { method: "dialog" }, askTitle, askFields, el("p", { className: "row spread" },
  el("button", { type: "button", onclick: () => askDialog.close() }, "Cancel"), el("button", { value: "ok", className: "primary" }, "OK"))));

function askField({ name, label, type = "text", value = "", required = false, options }) {
  if (options) return el("label", {}, label, el("select", { name }, ...options.map(([key, text]) => el("option", { value: key }, text))));
  const input = el("input", { name, type, value, required });
  return type === "checkbox" ? el("label", { className: "check" }, input, label) : el("label", {}, label, input);
}

/** Asks for a few values; gives an object, or null when it was cancelled. */
export function ask(title, fields) {
  askTitle.textContent = title;
  askFields.replaceChildren(...fields.map(askField));
  askDialog.returnValue = "";
  askDialog.showModal();
  return new Promise((resolve) => {
    askDialog.addEventListener(
      "close",
      () => {
        const inputs = [...askFields.querySelectorAll("[name]")];
        resolve(askDialog.returnValue !== "ok" ? null
          : Object.fromEntries(inputs.map((i) => [i.name, i.type === "checkbox" ? i.checked : i.value.trim()])));
      },
      { once: true },
    );
  });
}

document.body.append(toastBox, askDialog);

/** Shows or hides a panel at the side, and tells the button that opens it. */
export function toggle(panel, opener, shown) {
  $(panel).hidden = !shown;
  $(opener).setAttribute("aria-expanded", String(shown));
}

export function fitText() {
  $("text").style.height = "auto";
  $("text").style.height = `${$("text").scrollHeight + 2}px`;
}

// ---- trouble ----

const faultDetail = (f) => [f.status && f.kind !== "rate_limit" ? `${f.status}` : "", f.code ? `code ${f.code}` : "", f.subcode ? `subcode ${f.subcode}` : "",
  f.description, f.retry_after !== undefined ? `${f.retry_after} s` : "", f.delay_ms ? `${f.delay_ms} ms` : "", f.bot ? `for ${f.bot}` : "",
  f.count < 0 ? "until cleared" : f.count > 1 ? `${f.count} times` : "", f.every > 1 ? `every ${f.every}` : ""].filter(Boolean).join(", ");

export async function loadFaults() {
  const { data } = await control("GET", "/faults");
  $("faults").replaceChildren(...data.map((f) => el("li", {}, [`${f.kind} on ${f.on}`, faultDetail(f)].filter(Boolean).join(": "))));
  if (data.length === 0) $("faults").append(el("li", {}, "none"));
}

function showFaultFields() {
  const { kind, on } = $("fault").elements;
  for (const label of $("fault").querySelectorAll("[data-for]")) label.hidden = !label.dataset.for.split(" ").includes(kind.value);
  if (kind.value === "duplicate") on.value = "webhook";
}

async function orderFault(whose) {
  const { kind, on } = $("fault").elements;
  const order = { ...whose, kind: kind.value, on: on.value };
  for (const input of $("fault").querySelectorAll("input:not([type=checkbox])"))
    if (!input.closest("label").hidden && input.value !== "") order[input.name] = input.type === "number" ? Number(input.value) : input.value;
  await control("POST", "/faults", order);
}

/** What is clicked alike on all pages. `whose` gives the members that say for whom trouble is ordered. */
export function wire({ submit, endContext, whose }) {
  $("to-people").addEventListener("click", () => document.body.classList.add("people-shown"));
  $("trouble-end").addEventListener("click", () => toggle("trouble", "to-trouble", false));
  $("fault").addEventListener("submit", attempt(() => orderFault(whose())));
  $("fault").addEventListener("change", showFaultFields);
  $("clear-faults").addEventListener("click", attempt(() => control("DELETE", "/faults")));
  $("clock")?.addEventListener("click", attempt(async (event) => {
    const ms = Number(event.target.dataset.ms ?? 0);
    if (ms > 0) toast(`It is now ${new Date((await control("POST", "/clock", { advance_ms: ms })).now).toLocaleString()} in here.`);
  }));
  $("composer").addEventListener("submit", submit);
  $("context-end").addEventListener("click", endContext);
  $("text").addEventListener("input", fitText);
  $("text").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) submit(event);
    if (event.key === "Escape") endContext();
  });
  showFaultFields();
}

/** Hears what changes: `handlers` by the name of the event; `loadAll` whenever something may have been missed. */
export function listen(loadAll, handlers) {
  const events = new EventSource("/sandbox/events");
  const live = (on) => {
    $("live").textContent = on ? "live" : "connecting";
    $("live").classList.toggle("on", on);
  };
  events.addEventListener("open", () => {
    live(true);
    loadAll(); /* what happened while nobody listened */
  });
  events.addEventListener("error", () => live(false));
  for (const [name, handler] of Object.entries(handlers)) events.addEventListener(name, handler);
}
