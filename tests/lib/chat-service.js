// A chat service as Bluesky's, on the official XRPC server and schemas: every request is validated on its way in and every
// answer on its way out, so what is wrong with either side shows. Who asks is for the server around it to say.
import { schemas } from "@atproto/api";
import { InvalidRequestError, createServer } from "@atproto/xrpc-server";

const LETTERS = "234567abcdefghijklmnopqrstuvwxyz";
const DEFS = "chat.bsky.convo.defs#";

/** The 13 characters that ids and revisions are written with. */
export function tid(n) {
  let text = "";
  for (let rest = BigInt(n); text.length < 13; rest >>= 5n) text = LETTERS[Number(rest & 31n)] + text;
  return text;
}

/** A DID of nobody else's. */
export function newDid() {
  return `did:plc:${Array.from({ length: 24 }, () => "abcdefghijklmnopqrstuvwxyz234567"[Math.floor(Math.random() * 32)]).join("")}`;
}

const json = (body) => ({ encoding: "application/json", body });

export class ChatService {
  accounts = new Map(); // by DID: { did, handle, displayName, allowIncoming }
  convos = new Map(); // by id: { id, members: Map by DID: { accepted, muted, unread, rev }, messages }
  logs = new Map(); // by DID: events
  calls = []; // what came in and was valid: { method, did, params, input }
  #rev = 33500000;
  #id = BigInt(Date.now()) * 1024000n;

  /** Someone who can write and be written to. */
  add({ did = newDid(), handle, displayName, allowIncoming = "all" }) {
    const account = { did, handle, displayName, allowIncoming };
    this.accounts.set(did, account);
    this.logs.set(did, []);
    return account;
  }

  // ---- what accounts do ----

  #log(did, convo, type, more = {}) {
    const rev = tid(++this.#rev);
    convo.members.get(did).rev = rev;
    this.logs.get(did).push({ $type: `${DEFS}${type}`, rev, convoId: convo.id, ...more });
    return rev;
  }

  /** The one conversation of two; an error when the other one does not want it. */
  open(from, to) {
    for (const convo of this.convos.values()) if (convo.members.has(from) && convo.members.has(to)) return convo;
    const peer = this.accounts.get(to);
    if (!peer) throw new InvalidRequestError("recipient does not exist", "RecipientNotFound");
    if (peer.allowIncoming === "none") throw new InvalidRequestError("recipient has disabled incoming messages", "MessagesDisabled");
    const member = (accepted) => ({ accepted, muted: false, unread: 0, rev: tid(this.#rev) });
    const convo = { id: tid(this.#id += 1024n), members: new Map([[from, member(true)], [to, member(false)]]), messages: [] };
    this.convos.set(convo.id, convo);
    for (const did of convo.members.keys()) this.#log(did, convo, "logBeginConvo");
    return convo;
  }

  /** Adds a message; gives its view. */
  write(from, convo, { text, facets, embed }) {
    convo.members.get(from).accepted = true;
    const message = {
      id: tid(this.#id += 1024n), rev: tid(this.#rev + 1), text, ...(facets && { facets }), ...(embed && { embed }),
      sender: { did: from }, sentAt: new Date().toISOString(),
    };
    convo.messages.push(message);
    for (const [did, member] of convo.members) {
      if (did !== from) member.unread++;
      this.#log(did, convo, "logCreateMessage", { message: this.#typed(message), relatedProfiles: this.#profiles(convo) });
    }
    return message;
  }

  /** A person writes; gives { convo, message }. */
  say(from, to, text, more = {}) {
    const convo = this.open(from, to);
    return { convo, message: this.write(from, convo, { text, ...more }) };
  }

  // ---- how it looks ----

  #typed = (message) => ({ $type: `${DEFS}messageView`, ...message });

  #profiles = (convo) => [...convo.members.keys()].map((did) => {
    const { handle, displayName, allowIncoming } = this.accounts.get(did);
    return { did, handle, ...(displayName && { displayName }), associated: { chat: { allowIncoming } }, labels: [] };
  });

  #view(did, convo) {
    const { rev, muted, unread, accepted } = convo.members.get(did);
    const last = convo.messages.at(-1);
    return {
      id: convo.id, rev, muted, unreadCount: unread, status: accepted ? "accepted" : "request", members: this.#profiles(convo),
      kind: { $type: `${DEFS}directConvo` }, ...(last && { lastMessage: this.#typed(last) }),
    };
  }

  #find(did, id) {
    const convo = this.convos.get(id);
    if (!convo?.members.has(did)) throw new InvalidRequestError("Convo not found", "InvalidConvo");
    return convo;
  }

  // ---- the methods ----

  #getLog({ cursor }, did) {
    const log = this.logs.get(did);
    if (cursor === undefined) return { cursor: tid(this.#rev), logs: [] };
    if (cursor.length !== 13) throw new InvalidRequestError("Invalid cursor");
    const logs = log.filter((event) => event.rev > cursor).slice(0, 100);
    return { cursor: logs.at(-1)?.rev ?? cursor, logs };
  }

  #listConvos({ limit, cursor }, did) {
    const all = [...this.convos.values()].filter((c) => c.members.has(did)).map((c) => this.#view(did, c));
    all.sort((a, b) => (a.rev < b.rev ? 1 : -1));
    const convos = all.filter((c) => !cursor || c.rev < cursor).slice(0, limit);
    return { convos, ...(convos.length === limit && { cursor: convos.at(-1).rev }) };
  }

  #getMessages({ convoId, limit, cursor }, did) {
    const all = this.#find(did, convoId).messages.filter((m) => !cursor || m.rev < cursor).reverse();
    const page = all.slice(0, limit);
    return { messages: page.map(this.#typed), ...(all.length > limit && { cursor: page.at(-1).rev }) };
  }

  #setMuted(did, convoId, muted) {
    const convo = this.#find(did, convoId);
    const member = convo.members.get(did);
    if (member.muted !== muted) {
      member.muted = muted;
      this.#log(did, convo, muted ? "logMuteConvo" : "logUnmuteConvo");
    }
    return { convo: this.#view(did, convo) };
  }

  #updateRead({ convoId }, did) {
    const convo = this.#find(did, convoId);
    const last = convo.messages.at(-1);
    convo.members.get(did).unread = 0;
    if (last) this.#log(did, convo, "logReadConvo", { message: this.#typed(last) });
    return { convo: this.#view(did, convo) };
  }

  #other = (members, did) => members.find((member) => member !== did);

  /** By name: what it answers to (parameters or input, who asks). */
  #methods = {
    getLog: (p, did) => this.#getLog(p, did),
    listConvos: (p, did) => this.#listConvos(p, did),
    getConvo: (p, did) => ({ convo: this.#view(did, this.#find(did, p.convoId)) }),
    getConvoForMembers: (p, did) => ({ convo: this.#view(did, this.open(did, this.#other(p.members, did))) }),
    getConvoAvailability: (p, did) => ({ canChat: this.accounts.get(this.#other(p.members, did))?.allowIncoming === "all" }),
    getMessages: (p, did) => this.#getMessages(p, did),
    sendMessage: (p, did) => this.write(did, this.#find(did, p.convoId), p.message),
    updateRead: (p, did) => this.#updateRead(p, did),
    muteConvo: (p, did) => this.#setMuted(did, p.convoId, true),
    unmuteConvo: (p, did) => this.#setMuted(did, p.convoId, false),
  };

  /**
   * Puts the methods on an official server. `auth` is an authentication of that server's, whose credentials have the `did`;
   * a server that is given is used, and one that is not is made.
   */
  serve(auth, server = createServer(schemas, { validateResponse: true })) {
    for (const [name, method] of Object.entries(this.#methods))
      server.method(`chat.bsky.convo.${name}`, {
        auth,
        handler: ({ params, input, auth: { credentials } }) => {
          this.calls.push({ method: name, did: credentials.did, params, input: input?.body });
          return json(method(input?.body ?? params, credentials.did));
        },
      });
    return server;
  }

  /** Of the last call of that method. */
  lastInput(method) {
    return this.calls.findLast((call) => call.method === method)?.input;
  }
}
