// Bluesky for one test file, made of the official XRPC server and the official schemas: account server, AppView and directory of
// DIDs at one address, and the chat service behind them. What it checks by hand is what the schemas do not say: tokens,
// the permission for direct messages, the header that names the chat service.
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import http from "node:http";

import { schemas } from "@atproto/api";
import { AuthRequiredError, InvalidRequestError, XRPCError, createServer } from "@atproto/xrpc-server";

import { ChatService, newDid } from "./chat-service.js";

const PROXY = "did:web:api.bsky.chat#bsky_chat";

export async function startAtproto() {
  const atproto = new Atproto();
  await atproto.listen();
  return atproto;
}

class Atproto {
  chat = new ChatService();
  chatProxy = PROXY;
  accounts = new Map(); // those that can log in, by DID
  access = new Map(); // tokens: { did, privileged, expired }
  refresh = new Map(); // tokens: { did, privileged }
  counts = {}; // of the account server's methods

  /** An account with two app passwords: { did, handle, password, plainPassword }. */
  async createAccount(handle, displayName) {
    const account = { did: newDid(), handle, displayName, password: "priv-aaaa-bbbb-cccc", plainPassword: "none-aaaa-bbbb-cccc", records: new Map() };
    this.accounts.set(account.did, account);
    this.chat.add(account);
    return account;
  }

  /** How often a session was renewed. */
  get refreshes() {
    return this.counts["com.atproto.server.refreshSession"] ?? 0;
  }

  /** From now on every access token has expired, whatever it says. */
  expireAccess() {
    for (const token of this.access.values()) token.expired = true;
    return () => {};
  }

  #sessionFor(account, privileged) {
    const now = Math.floor(Date.now() / 1000);
    const token = (scope, exp) => [{ alg: "HS256", typ: "JWT" }, { scope, sub: account.did, iat: now, exp, jti: randomBytes(8).toString("hex") }]
      .map((part) => Buffer.from(JSON.stringify(part)).toString("base64url")).concat(randomBytes(32).toString("base64url")).join(".");
    const accessJwt = token(privileged ? "com.atproto.appPassPrivileged" : "com.atproto.appPass", now + 7200);
    const refreshJwt = token("com.atproto.refresh", now + 7776000);
    this.access.set(accessJwt, { did: account.did, privileged, expired: false });
    this.refresh.set(refreshJwt, { did: account.did, privileged });
    return { accessJwt, refreshJwt, handle: account.handle, did: account.did, didDoc: this.#didDoc(account), active: true };
  }

  #didDoc = (account) => ({
    id: account.did, alsoKnownAs: [`at://${account.handle}`], verificationMethod: [],
    service: [{ id: "#atproto_pds", type: "AtprotoPersonalDataServer", serviceEndpoint: this.url }],
  });

  #find = (name) => [...this.accounts.values(), ...this.chat.accounts.values()].find((a) => a.did === name || a.handle === name?.toLowerCase());

  #token(req, tokens) {
    const [scheme, token] = (req.headers.authorization ?? "").split(" ");
    if (!token) throw new AuthRequiredError("Authentication Required", "AuthMissing");
    const known = scheme === "Bearer" && tokens.get(token);
    if (!known) throw new InvalidRequestError(this.access.has(token) ? "Invalid token type" : "Token could not be verified", "InvalidToken");
    if (known.expired) throw new InvalidRequestError("Token has expired", "ExpiredToken");
    return { credentials: known, artifacts: token };
  }

  #ownAuth = ({ req }) => {
    if (req.headers["atproto-proxy"]) throw new XRPCError(501, "Method Not Implemented", "MethodNotImplemented");
    return this.#token(req, this.access);
  };

  #chatAuth = ({ req }) => {
    const found = this.#token(req, this.access);
    const header = req.headers["atproto-proxy"];
    if (header === undefined) throw new XRPCError(404, "XRPCNotSupported", "XRPCNotSupported");
    if (header !== PROXY) throw new InvalidRequestError("could not resolve proxy did");
    if (!found.credentials.privileged) throw new InvalidRequestError("Bad token method", "InvalidToken");
    return found;
  };

  #serve() {
    const server = createServer(schemas, { validateResponse: true });
    const method = (nsid, handler, auth) => server.method(nsid, {
      ...(auth && { auth }),
      handler: async (ctx) => {
        this.counts[nsid] = (this.counts[nsid] ?? 0) + 1;
        return { encoding: "application/json", body: handler(ctx) };
      },
    });

    method("com.atproto.server.createSession", ({ input: { body: { identifier, password } } }) => {
      const account = this.accounts.get(this.#find(identifier)?.did);
      if (!account || ![account.password, account.plainPassword].includes(password)) throw new AuthRequiredError("Invalid identifier or password");
      return this.#sessionFor(account, password === account.password);
    });
    method("com.atproto.server.refreshSession", ({ auth: { credentials } }) =>
      this.#sessionFor(this.accounts.get(credentials.did), credentials.privileged), ({ req }) => this.#token(req, this.refresh));
    method("com.atproto.server.getSession", ({ auth: { credentials } }) => {
      const { did, handle } = this.accounts.get(credentials.did);
      return { did, handle, active: true };
    }, this.#ownAuth);
    server.method("com.atproto.server.deleteSession", {
      auth: ({ req }) => this.#token(req, this.refresh),
      handler: ({ auth: { artifacts } }) => void this.refresh.delete(artifacts),
    });
    method("com.atproto.identity.resolveHandle", ({ params: { handle } }) => {
      const found = this.#find(handle);
      if (!found) throw new InvalidRequestError("Unable to resolve handle");
      return { did: found.did };
    });
    method("app.bsky.actor.getProfile", ({ params: { actor } }) => {
      const found = this.#find(actor);
      if (!found) throw new InvalidRequestError("Profile not found");
      return { did: found.did, handle: found.handle, displayName: found.displayName, associated: { chat: { allowIncoming: found.allowIncoming ?? "all" } } };
    });
    method("com.atproto.repo.getRecord", ({ params: { repo, collection, rkey } }) => {
      const value = this.#find(repo)?.records?.get(`${collection}/${rkey}`);
      if (!value) throw new InvalidRequestError("Could not locate record", "RecordNotFound");
      return { uri: `at://${repo}/${collection}/${rkey}`, value };
    });
    return this.chat.serve(this.#chatAuth, server);
  }

  #resolveDid(did, res) {
    const account = this.#find(did);
    res.writeHead(account ? 200 : 404, { "Content-Type": account ? "application/did+ld+json" : "application/json" });
    res.end(JSON.stringify(account ? this.#didDoc(account) : { message: `DID not registered: ${did}` }));
  }

  async listen() {
    const { router } = this.#serve();
    this.http = http.createServer((req, res) => {
      const path = decodeURIComponent(req.url);
      if (path.startsWith("/did:plc:")) this.#resolveDid(path.slice(1), res);
      else router(req, res);
    });
    this.http.listen(0, "127.0.0.1");
    await once(this.http, "listening");
    this.url = this.appviewUrl = this.plcUrl = `http://127.0.0.1:${this.http.address().port}`;
  }

  async stop() {
    this.http.close();
    this.http.closeAllConnections();
    await once(this.http, "close");
  }
}
