// kill -9 at any moment, again and again: what was accepted is sent, in order; what came in is there once.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";

import { Program } from "./lib/process.js";
import { startChance, startEar, wholeList } from "./lib/trouble.js";
import { slowness, until } from "./lib/until.js";
import { World } from "./lib/world.js";

const ROUNDS = { asan: 6, tsan: 4, cov: 6 }[process.env.PARLEY_TEST_MODE] ?? 24;
const PER_ROUND = 15; // messages of one chat, each way
const often = (wait) => Array(16).fill(wait).join(",");
const chance = startChance();

/** Trouble of the platform's, for some rounds. */
const troubles = [
  { on: "sendMessage", kind: "cut_before", count: 3 },
  { on: "sendMessage", kind: "cut_after", count: 3 },
  { on: "sendMessage", kind: "delay", delay_ms: 40, count: 12 },
  { on: "sendMessage", kind: "status", status: 500, description: "Internal Server Error", count: 3 },
  { on: "sendMessage", kind: "rate_limit", retry_after: 1, count: 1 },
  { on: "sendMessage", kind: "html", status: 502, count: 2 },
  { on: "webhook", kind: "cut_before", count: 3 },
  { on: "webhook", kind: "cut_after", count: 3 },
  { on: "webhook", kind: "duplicate", count: 5 },
  { on: "webhook", kind: "delay", delay_ms: 40, count: 5 },
  { on: "getUpdates", kind: "cut_after", count: 2 },
  { on: "getUpdates", kind: "garbage", count: 1 },
];

// Every message is known by its text or, every fifth, by the name of its file.
const isFile = (name) => Number(name.split(" ").at(-1)) % 5 === 4;
const nameOf = (message) => message.body ?? message.attachments[0].file_name;
const nameThere = (message) => message.text ?? message.document.file_name;

/** A chat under load. `keyed` clients repeat a request with its Idempotency-Key until it is answered; others do not know. */
class Load {
  accepted = new Map(); // body -> id
  unclear = new Set();
  refused = new Set();
  heard = []; // Telegram's messages
  next = 0;

  constructor(talk, name, keyed) {
    Object.assign(this, { talk, name, keyed });
  }

  async post(body) {
    try {
      const headers = this.keyed ? { "Idempotency-Key": body } : {};
      const json = isFile(body) ? { media: [{ data: btoa(body), filename: body, content_type: "text/plain" }] } : { body };
      const answer = await this.talk.api.ask("POST", this.talk.messagesPath, { json, headers });
      if (answer.status === 202) this.accepted.set(body, answer.json.id);
      else if (answer.status !== 503 && !(this.keyed && answer.status === 409)) throw new Error(`${body}: ${answer.status} ${answer.text}`);
      return answer.status === 202 ? "accepted" : "refused";
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // fetch found no answer
      return error.cause?.code === "ECONNREFUSED" ? "refused" : "unclear";
    }
  }

  async sends(round) {
    for (let n = 0; n < PER_ROUND && !round.over; n++) {
      const body = `${this.name} ${this.next++}`;
      let outcome = await this.post(body);
      while (this.keyed && outcome !== "accepted") {
        await until(() => !round.over || round.isBack, "the server is back", 60);
        outcome = await this.post(body);
      }
      if (outcome === "accepted") round.accepted++;
      else this[outcome].add(body);
    }
  }

  async hears(round) {
    for (let n = 0; n < PER_ROUND && !round.over; n++) this.heard.push(await this.talk.write(`${this.name} hears ${this.heard.length}`));
  }
}

for (const webhook of [true, false])
  describe(`kill -9, ${webhook ? "with a webhook" : "polling"}`, () => {
    const w = new World({
      webhook,
      env: {
        PARLEY_RETRY_AFTER: often("50ms"),
        PARLEY_WEBHOOK_RETRY_AFTER: often("50ms"),
        PARLEY_ALLOW_PRIVATE_ADDRESSES: "127.0.0.0/8",
      },
    });
    const loads = [];
    let doubts = 0; // so many sends of a chat may have an outcome that nobody knows
    let ear;
    before(async () => {
      ear = await startEar();
      await w.start();
      await w.api.post("/api/webhooks", { url: ear.url, events: ["*"] });
    });
    after(async () => {
      ear?.stop();
      await w.stop();
    });

    async function crash() {
      const round = { over: false, isBack: false, accepted: 0 };
      const enough = 1 + chance.below(loads.length * PER_ROUND * 0.8);
      if (chance.happens(0.6)) {
        const trouble = chance.pick(troubles);
        if (trouble.on === "sendMessage") doubts += trouble.count;
        await w.sandbox.fault(trouble);
      }
      const work = Promise.all(loads.flatMap((load) => [load.sends(round), load.hears(round)]));
      await Promise.race([until(() => round.accepted >= enough, "there is load", 60), work]);
      await pause(chance.below(4));
      await w.server.kill();
      doubts++;
      round.over = true;
      if (chance.happens(0.3)) { // also while it starts
        doubts++;
        const early = new Program(w.server.args, w.settings);
        await pause(chance.below(120) * slowness);
        await early.kill();
      }
      await w.serve();
      round.isBack = true;
      await work;
    }

    test(`${ROUNDS} times under load`, { timeout: 600000 }, async (t) => {
      t.diagnostic(`PARLEY_TEST_SEED=${chance.seed}`);
      const bots = [await w.bot(), await w.bot()];
      for (let n = 0; n < 4; n++) loads.push(new Load(await w.talk({ bot: bots[n % 2] }), `chat ${n}`, n >= 2));
      for (let n = 0; n < ROUNDS; n++) await crash();
      await w.sandbox.control("DELETE", "/faults");
      await until(async () => {
        await w.sandbox.advance(2000); // so that it tries the webhook again
        const { data } = await w.sandbox.control("GET", "/telegram/bots");
        return data.every((bot) => bot.pending_update_count === 0);
      }, "all updates are delivered", 60);
      for (const load of loads)
        for (const status of ["pending", "failed_waiting_for_retry"])
          await until(async () => (await w.api.get(`${load.talk.messagesPath}?status=${status}`)).total === 0, `nothing of ${load.name} is ${status}`, 120);
      await w.server.stop();
      await w.serve();
      const sent = loads.reduce((sum, load) => sum + load.accepted.size, 0);
      const unclear = loads.reduce((sum, load) => sum + load.unclear.size, 0);
      const heard = loads.reduce((sum, load) => sum + load.heard.length, 0);
      t.diagnostic(`${sent} accepted, ${unclear} unclear, ${heard} heard`);
      assert.ok(sent >= ROUNDS * 2 && heard >= ROUNDS, "there was no load");
    });

    const each = (name, check) => test(name, async () => {
      for (const load of loads) {
        const onTelegram = (await load.talk.onTelegram()).filter((m) => m.direction === "out");
        await check({ load, onTelegram, ...(await wholeList(w.api, `${load.talk.messagesPath}?direction=outbound`)) });
      }
    });

    each("all that was accepted is published, once, and nothing else is", ({ load, data, total }) => {
      assert.equal(total, data.length, load.name);
      const known = new Map(data.map((message) => [nameOf(message), message]));
      assert.equal(known.size, data.length, `${load.name}: a request was carried out twice`);
      for (const [body, id] of load.accepted) assert.equal(known.get(body)?.id, id, body);
      for (const message of data) {
        assert.equal(message.status, "published", nameOf(message));
        assert.ok(load.accepted.has(nameOf(message)) || load.unclear.has(nameOf(message)), `${nameOf(message)} was refused, and is here`);
      }
      if (load.keyed) assert.equal(load.unclear.size + load.refused.size, 0);
    });

    each("the platform has each of them, in the order of acceptance", ({ load, data, onTelegram }) => {
      const bodies = new Map(onTelegram.map((m) => [String(m.message_id), nameThere(m)]));
      for (const message of data) assert.equal(bodies.get(message.external_id), nameOf(message));
      assert.equal(new Set(data.map((m) => m.external_id)).size, data.length);
      const first = [...new Set(onTelegram.map(nameThere))].map((name) => Number(name.split(" ").at(-1)));
      assert.deepEqual(first, first.toSorted((a, b) => a - b), `${load.name} is out of order`);
      assert.deepEqual(new Set(bodies.values()), new Set(data.map(nameOf)));
    });

    each("what may be twice with the platform says so", ({ load, data, onTelegram }) => {
      const flagged = new Set(data.filter((m) => m.platform_data?.possible_duplicate === true).map(nameOf));
      const seen = new Set();
      for (const name of onTelegram.map(nameThere)) {
        if (seen.has(name)) assert.ok(flagged.has(name), `${name} went out twice, and does not say so`);
        seen.add(name);
      }
      assert.ok(flagged.size <= doubts, `${load.name}: ${flagged.size} of ${data.length} may be duplicates, not ${doubts}`);
    });

    test("all that people wrote is there once", async () => {
      for (const load of loads) {
        const { data, total } = await wholeList(w.api, `${load.talk.messagesPath}?direction=inbound`);
        assert.equal(total, data.length, load.name);
        const heard = data.map((m) => m.external_id).filter((id) => load.heard.some((m) => String(m.message_id) === id));
        assert.deepEqual(heard.toSorted(), load.heard.map((m) => String(m.message_id)).toSorted(), load.name);
        assert.equal(data.length, load.heard.length + 1, "and /start");
      }
    });

    test("totals are what is there", async () => {
      for (const { talk, name } of loads) {
        const all = await wholeList(w.api, talk.messagesPath);
        assert.equal(all.total, all.data.length, name);
        for (const key of ["direction", "status"])
          for (const value of { direction: ["inbound", "outbound"], status: ["received", "pending", "published", "failed_waiting_for_retry", "failed"] }[key]) {
            const { total } = await w.api.get(`${talk.messagesPath}?${key}=${value}&per_page=1`);
            assert.equal(total, all.data.filter((m) => m[key] === value).length, `${name}: ${value}`);
          }
        const chat = await talk.readChat();
        const latest = (direction) => all.data.filter((m) => m.direction === direction).map((m) => m.external_posted_at).sort().at(-1);
        assert.equal(chat.last_outbound_at, latest("outbound"));
        assert.equal(chat.last_inbound_at, latest("inbound"));
        assert.equal((await w.api.get(`/api/profiles/${talk.profile.id}/chats`)).total, 2);
      }
    });

    test("every message is told of, once and in order", async () => {
      for (const { talk, name } of loads) {
        for (const [type, direction] of [["message.sent", "outbound"], ["message.received", "inbound"]]) {
          const { data } = await wholeList(w.api, `${talk.messagesPath}?direction=${direction}`);
          const told = () => ear.of(type, ({ message }) => message.chat_id === talk.chat.id).map(({ data: { message } }) => message.id);
          await until(() => new Set(told()).size >= data.length, `${name}: ${data.length} ${type}, not ${told().length}`, 60);
          assert.equal(told().length, data.length, `${name}: ${type} more than once`);
          assert.deepEqual(told().toSorted(), data.map((m) => m.id).toSorted());
          if (direction === "outbound") {
            const order = new Map(data.map((m) => [m.id, Number(nameOf(m).split(" ").at(-1))]));
            const numbers = told().map((id) => order.get(id));
            assert.deepEqual(numbers, numbers.toSorted((a, b) => a - b), `${name}: ${type} out of order`);
          }
        }
      }
    });

    test("and then all is as usual", async () => {
      for (const { talk } of loads) {
        const message = await talk.say("after all");
        assert.ok(!message.platform_data?.possible_duplicate);
        await talk.hear("good");
      }
      const doctor = await w.command(["doctor"]);
      assert.match(doctor.stdout, /The database is whole/);
      assert.equal(doctor.code, 0, doctor.stdout);
    });
  });
