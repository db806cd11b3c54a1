// The account server that runs Bluesky, and the directory of DIDs, as their makers start them for development, with our chat
// service behind them: it is reached as the real one is, by a header that names its DID, with tokens that the account server signs.
//
// The packages are many and large, so they have a folder of their own, tests/devnet, which `make test` fills when it can.
import { once } from "node:events";
import { existsSync } from "node:fs";
import http from "node:http";
import { createRequire } from "node:module";

import { AuthRequiredError, verifyJwt } from "@atproto/xrpc-server";

import { ChatService } from "./chat-service.js";

const folder = new URL("../devnet/", import.meta.url);

/** Are the packages there? */
export const devnetInstalled = existsSync(new URL("node_modules/.installed", folder));

export async function startDevnet() {
  const devnet = new Devnet();
  await devnet.listen();
  return devnet;
}

class Devnet {
  chat = new ChatService();
  refreshes = 0; // how often a session was renewed

  async listen() {
    const require = createRequire(folder);
    const { TestNetworkNoAppView } = require("@atproto/dev-env");
    const { IdResolver } = require("@atproto/identity");

    this.network = await TestNetworkNoAppView.create({ pds: { enableDidDocWithSession: true, rateLimitsEnabled: true } });
    this.url = this.appviewUrl = this.network.pds.url;
    this.plcUrl = this.network.plc.url;
    this.network.pds.server.server.prependListener("request", (req) => {
      this.refreshes += req.url === "/xrpc/com.atproto.server.refreshSession";
    });

    this.http = http.createServer((req, res) => this.#answer(req, res));
    this.http.listen(0, "localhost");
    await once(this.http, "listening");
    const { port } = this.http.address();
    this.did = `did:web:localhost%3A${port}`;
    this.chatProxy = `${this.did}#bsky_chat`;
    this.chatUrl = `http://localhost:${port}`;

    const keys = new IdResolver({ plcUrl: this.plcUrl });
    const { router } = this.chat.serve(async ({ req }) => {
      const [, token] = (req.headers.authorization ?? "").split(" ");
      if (!token) throw new AuthRequiredError("missing jwt");
      const method = new URL(req.originalUrl ?? req.url, this.chatUrl).pathname.split("/").pop();
      const { iss } = await verifyJwt(token, this.did, method, (did, fresh) => keys.did.resolveAtprotoKey(did, fresh));
      return { credentials: { did: iss } };
    });
    this.router = router;
  }

  #answer(req, res) {
    if (req.url !== "/.well-known/did.json") return this.router(req, res);
    res.writeHead(200, { "Content-Type": "application/json" });
    return res.end(JSON.stringify({
      id: this.did, service: [{ id: "#bsky_chat", type: "BskyChatService", serviceEndpoint: this.chatUrl }],
    }));
  }

  /** An account with two app passwords: { did, handle, password, plainPassword }. */
  async createAccount(handle, displayName) {
    const agent = this.network.pds.getClient();
    const { data } = await agent.createAccount({ handle, email: `${handle.split(".")[0]}@example.test`, password: "main-password-of-a-test" });
    const make = async (name, privileged) =>
      (await agent.com.atproto.server.createAppPassword({ name, privileged })).data.password;
    const account = { did: data.did, handle, displayName, password: await make("chat", true), plainPassword: await make("plain", false) };
    this.chat.add(account);
    return account;
  }

  /** Three hours pass for the account server, which lives in this process; call what it gives to take them back. */
  expireAccess() {
    const RealDate = globalThis.Date;
    const ahead = 3 * 3600 * 1000;
    globalThis.Date = class extends RealDate {
      constructor(...args) {
        if (args.length === 0) super(RealDate.now() + ahead);
        else super(...args);
      }

      static now() {
        return RealDate.now() + ahead;
      }
    };
    return () => (globalThis.Date = RealDate);
  }

  async stop() {
    this.http?.close();
    this.http?.closeAllConnections();
    await this.network?.close();
  }
}
