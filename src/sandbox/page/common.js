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

let toastTimer;
export function toast(text) {
  $("toast").textContent = text;
  $("toast").hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => ($("toast").hidden = true), 4000);
}

/** Asks for a few values; gives an object, or null when it was cancelled. */
export function ask(title, fields) {
  $("ask-title").textContent = title;
  $("ask-fields").replaceChildren(
    ...fields.map((f) => {
      const input = el("input", { name: f.name, type: f.type ?? "text", value: f.value ?? "", required: Boolean(f.required) });
      return f.type === "checkbox" ? el("label", { className: "check" }, input, f.label) : el("label", {}, f.label, input);
    }),
  );
  const dialog = $("ask");
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener(
      "close",
      () => {
        const inputs = [...$("ask-fields").querySelectorAll("input")];
        resolve(dialog.returnValue !== "ok" ? null
          : Object.fromEntries(inputs.map((i) => [i.name, i.type === "checkbox" ? i.checked : i.value.trim()])));
      },
      { once: true },
    );
  });
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
