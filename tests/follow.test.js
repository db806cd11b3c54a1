// `parley events tail` and `parley listen`: following a server from a terminal.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { verifySignature } from "postproxy-sdk";
import { Webhook } from "standardwebhooks";

import { checkEvent } from "./lib/contract.js";
import { Program } from "./lib/process.js";
import { Receiver } from "./lib/receiver.js";
import { until } from "./lib/until.js";
import { KEY, world } from "./lib/world.js";

const w = world();
const receiver = new Receiver();
before(() => receiver.start());
after(() => receiver.stop());

/** A command that talks to the server; killed when the test ends. */
function follow(t, args, env = {}) {
  const program = new Program([...args, "--listen", `127.0.0.1:${w.port}`], { PARLEY_API_KEY: KEY, ...env });
  t.after(() => program.kill());
  return program;
}

const newest = async () => (await w.api.get("/api/events?after=now")).next_after;

describe("parley events tail", () => {
  test("prints a line for each event, and what strangers wrote without control characters", async (t) => {
    const talk = await w.talk();
    const start = await newest();
    const tail = follow(t, ["events", "tail", "--after", start]);
    await talk.hear("hello \u001b[31mred\u0007 \u009b2J end");
    const line = await until(() => tail.lines.find((one) => one.includes("hello")));
    assert.match(line, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z {2}message\.received {2}evt_\w+ {2}msg_\w+ {2}chat_\w+ {2}hello  \[31mred   2J end$/);
    const sent = await talk.say("and back");
    await until(() => tail.lines.some((one) => one.includes(`message.sent`) && one.includes(sent.id)));
  });

  test("prints whole events with --json, of the types asked for, also after a restart of the server", async (t) => {
    const talk = await w.talk();
    const start = await newest();
    const tail = follow(t, ["events", "tail", "--json", "--types=message.received,message.failed", "--after", start]);
    await talk.hear("one");
    await talk.say("not this");
    const events = () => tail.lines.filter((one) => one.startsWith("{")).map((one) => JSON.parse(one));
    await until(() => events().length === 1);
    await w.server.stop();
    await until(() => tail.lines.some((one) => one.includes("does not answer")));
    await w.serve();
    await talk.hear("two");
    await until(() => events().length === 2, "it goes on", 20);
    events().forEach(checkEvent);
    assert.deepEqual(events().map(({ data }) => data.message.body), ["one", "two"]);
  });

  test("ends when it is refused", async () => {
    const ask = (args, env) => w.command([...args, "--listen", `127.0.0.1:${w.port}`], { env });
    for (const [args, env, code, said] of [
      [["events", "tail", "--types", "message.seen"], {}, 2, /there is no event 'message.seen'/],
      [["events", "tail"], { PARLEY_API_KEY: "a-key-nobody-knows" }, 1, /The API key is missing or unknown/],
      [["events", "tail"], { PARLEY_API_KEY: "" }, 2, /PARLEY_API_KEY/],
      [["events"], {}, 2, /parley events tail/],
      [["events", "tail", "--types"], {}, 2, /--types/],
      [["listen"], {}, 2, /--forward/],
      [["listen", "--forward", "nowhere"], {}, 2, /--forward is not a valid/],
      [["listen", "--forward", "http://127.0.0.1:1/"], { PARLEY_LISTEN_SECRET: "x" }, 2, /must begin with whsec_/],
    ]) {
      const { code: got, stderr } = await ask(args, env);
      assert.deepEqual([got, said.test(stderr) || stderr], [code, true], args.join(" "));
    }
  });
});

describe("parley listen", () => {
  test("posts events to a local address, signed with the secret it tells", async (t) => {
    const talk = await w.talk();
    const listen = follow(t, ["listen", "--forward", `${receiver.url}/dev`, "--types", "message.received", "--after", await newest()]);
    const secret = await until(() => listen.lines.find((one) => one.startsWith("whsec_")));
    await talk.hear("forwarded");
    const [request] = await receiver.await("/dev");
    const { data } = await w.api.get(`/api/events?chat_id=${talk.chat.id}&types=message.received`);
    assert.deepEqual(request.event, data.at(-1));
    assert.equal(request.headers["x-postproxy-event"], "message.received");
    assert.match(request.headers["x-postproxy-delivery"], /^dlv_/);
    assert.equal(verifySignature(request.text, request.headers["x-postproxy-signature"], secret), true);
    new Webhook(secret).verify(request.text, request.headers);
    await until(() => listen.lines.some((one) => one.endsWith("ms)") && one.includes("-> 204")));
  });

  test("waits for a local side that is down, and gives up on what it does not take", async (t) => {
    const talk = await w.talk();
    const secret = `whsec_${Buffer.alloc(32, 7).toString("base64")}`;
    const { port } = new URL(receiver.url);
    await receiver.stop();
    const listen = follow(t, ["listen", "--forward", `http://127.0.0.1:${port}/dev2`, "--after", await newest()], { PARLEY_LISTEN_SECRET: secret });
    await talk.hear("waits");
    await until(() => listen.lines.some((one) => one.includes("message.received") && one.includes("-> ")));
    await talk.hear("poison");
    await talk.hear("after it");
    receiver.answers["/dev2"] = (request, response) => response.writeHead(request.event.data.message.body === "poison" ? 500 : 200).end();
    await receiver.start(Number(port));
    await receiver.await("/dev2", 1, ({ event }) => event.data.message.body === "after it", 20);
    assert.deepEqual(receiver.at("/dev2").map(({ event }) => event.data.message.body), ["waits", "poison", "poison", "poison", "after it"]);
    for (const { text, headers } of receiver.at("/dev2")) assert.equal(verifySignature(text, headers["x-postproxy-signature"], secret), true);
  });
});
