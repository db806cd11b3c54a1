// Several servers on one PostgreSQL, which die, stand still and lose their database while people and clients go on: what was
// accepted is sent once and in order, and subscribers hear of everything once and in order. A database server of its own,
// because it is restarted. PARLEY_TEST_CLUSTER_SECONDS makes it longer.
import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { after, before, describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";

import { Api } from "./lib/api.js";
import { PostgresServer } from "./lib/postgres.js";
import { Program, temporaryFolder } from "./lib/process.js";
import { Stream } from "./lib/stream.js";
import { startChance, startEar, steadyPort } from "./lib/trouble.js";
import { slowness, until } from "./lib/until.js";
import { KEY, onPostgres, World } from "./lib/world.js";

const BOTS = 60;
const SERVERS = 3;
const SECONDS = Number(process.env.PARLEY_TEST_CLUSTER_SECONDS ?? 20 * slowness);
const LEASE_SECONDS = 1.5 * slowness;
const chance = startChance();

/** What a load balancer is: connections to any of the servers that are up. */
async function startBalancer(port, pick) {
  const open = new Set();
  const server = net.createServer((near) => {
    const target = pick();
    if (!target) return void near.destroy();
    const far = net.connect(target.port, "127.0.0.1");
    const pair = { target, near, far };
    open.add(pair);
    for (const [from, to] of [[near, far], [far, near]]) {
      from.pipe(to);
      from.on("error", () => to.destroy());
      from.on("close", () => {
        open.delete(pair);
        to.destroy();
      });
    }
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  return {
    drop: (target) => [...open].filter((pair) => pair.target === target).forEach((pair) => pair.near.destroy()),
    stop: () => {
      for (const pair of open) pair.near.destroy();
      server.close();
    },
  };
}

describe("several servers on one database", { skip: !onPostgres && "there is no PostgreSQL" }, () => {
  const servers = [];
  const talks = [];
  const counts = { kills: 0, stops: 0, handovers: 0, restarts: 0, reconnects: 0 };
  const streamed = [];
  let postgres, w, ear, balancer, stream, over = false;

  const pick = () => {
    const up = servers.filter((server) => server.isUp);
    return up.length > 0 ? chance.pick(up) : null;
  };

  async function serve(server) {
    server.program = new Program(["serve", "--listen", `127.0.0.1:${server.port}`], { ...w.settings, PARLEY_DATA_DIR: server.folder });
    await server.program.listening();
    server.api = new Api(`http://127.0.0.1:${server.port}`, KEY);
    server.isUp = true;
  }

  async function leave(server) {
    server.isUp = false;
    balancer.drop(server);
    if (stream?.server === server) stream.close();
  }

  /** A client that goes on where it was, at whichever server there is. */
  async function listen() {
    while (!over) {
      const server = pick();
      if (!server) {
        await pause(50);
        continue;
      }
      const last = streamed.at(-1)?.id;
      try {
        stream = await Stream.open(server.api, "", last ? { "Last-Event-ID": last } : {});
        stream.server = server;
        stream.heard = 0;
        if (stream.status !== 200) throw new TypeError(`it answered ${stream.status}`);
        while (!over && !stream.ended && !stream.broken && !stream.request.destroyed) await pause(20);
      } catch (error) {
        if (error.code === undefined && !(error instanceof TypeError)) throw error;
      }
      streamed.push(...(stream?.events ?? []));
      stream?.close();
      counts.reconnects++;
      await pause(20);
    }
  }

  /** A client that repeats each request, with its key, until it is accepted. */
  async function sends(talk) {
    for (let n = 0; !over; n++) {
      const body = `${talk.name} ${n}`;
      for (;;) {
        const server = pick();
        try {
          const answer = await server.api.ask("POST", talk.messagesPath, { json: { body }, headers: { "Idempotency-Key": body } });
          if (answer.status === 202) break;
          if (![409, 503].includes(answer.status)) throw new Error(`${body}: ${answer.status} ${answer.text}`);
        } catch (error) {
          if (error.message?.startsWith(talk.name)) throw error; // else there was no answer, or no server
        }
        await pause(30);
      }
      talk.accepted.push(body);
      await pause(chance.below(1200));
    }
  }

  async function hears(talk) {
    while (!over) {
      talk.heard.push(await talk.write(`hears ${talk.heard.length}`));
      await pause(chance.below(2500));
    }
  }

  const troubles = {
    async kill(server) {
      await leave(server);
      await server.program.kill();
      await pause(chance.below(2) * LEASE_SECONDS * 1500);
      await serve(server);
      counts.kills++;
    },
    async stop(server) {
      await leave(server);
      server.program.child.kill("SIGSTOP");
      await pause(LEASE_SECONDS * 2500);
      server.program.child.kill("SIGCONT");
      server.isUp = true;
      counts.stops++;
    },
    async handover(server) {
      await leave(server);
      await server.program.stop();
      await serve(server);
      counts.handovers++;
    },
    async database() {
      postgres.restart(chance.pick(["fast", "immediate"]));
      counts.restarts++;
    },
  };

  before(async () => {
    postgres = await PostgresServer.start({ FSYNC: "on" }); // what it has committed outlives it
    process.env.PARLEY_TEST_DATABASE_URL = postgres.url;
    ear = await startEar();
    w = new World({
      env: {
        PARLEY_LEASE_TIME: `${LEASE_SECONDS * 1000}ms`,
        PARLEY_RETRY_AFTER: Array(16).fill("200ms").join(","),
        PARLEY_WEBHOOK_RETRY_AFTER: Array(16).fill("200ms").join(","),
        PARLEY_ALLOW_PRIVATE_ADDRESSES: "127.0.0.0/8",
        PARLEY_DRAIN_TIMEOUT: "2s",
      },
    });
    for (let n = 0; n < SERVERS; n++) servers.push({ name: `server ${n}`, port: await steadyPort(), folder: temporaryFolder() });
    w.port = servers[0].port;
    await w.start();
    await w.server.stop(); // it only made the settings
    w.settings.PARLEY_PUBLIC_URL = `http://127.0.0.1:${await steadyPort()}`;
    balancer = await startBalancer(Number(w.settings.PARLEY_PUBLIC_URL.split(":")[2]), pick);
    await Promise.all(servers.map(serve));
    w.api = servers[0].api;
    await w.api.post("/api/webhooks", { url: ear.url, events: ["*"], concurrency: 16 });
    for (let n = 0; n < BOTS; n++) talks.push(Object.assign(await w.talk(), { name: `bot ${n}`, accepted: [], heard: [] }));
  });

  after(async () => {
    over = true;
    stream?.close();
    for (const server of servers) await server.program?.stop();
    balancer?.stop();
    await w?.sandboxProgram?.stop();
    ear?.stop();
    await postgres?.stop();
  });

  test("they go on while some of them do not", { timeout: (SECONDS + 300) * 1000 }, async (t) => {
    t.diagnostic(`PARLEY_TEST_SEED=${chance.seed}`);
    const listening = listen();
    await until(() => stream?.status === 200, "the stream is open");
    const load = talks.flatMap((talk) => [sends(talk), hears(talk)]);
    const end = Date.now() + SECONDS * 1000;
    const kinds = Object.keys(troubles);
    for (let n = 0; Date.now() < end; n++) {
      await pause(500 * slowness);
      await troubles[kinds[n % kinds.length]](chance.pick(servers));
    }
    over = true;
    await Promise.all(load);
    await w.sandbox.control("DELETE", "/faults");
    await until(async () => {
      await w.sandbox.advance(2000); // so that it tries the webhook again
      return (await w.sandbox.control("GET", "/telegram/bots")).data.every((bot) => bot.pending_update_count === 0);
    }, "all updates are delivered", 120);
    const schema = w.settings.PARLEY_DATABASE_URL.match(/%22(.*)%22/)[1];
    const count = (sql) => Number(postgres.ask(`SET search_path = "${schema}"; ${sql}`));
    await until(() => count("SELECT COUNT(*) FROM job WHERE kind IN (1, 10)") === 0, "all is sent and told", 180);

    over = false; // the stream catches up
    await listening;
    const last = streamed.at(-1).id;
    const rest = await Stream.open(servers[0].api, "", { "Last-Event-ID": last });
    const total = count("SELECT COUNT(*) FROM event");
    await until(() => ear.events.length >= total, "all is told to the webhook", 60);
    const left = []; // what the stream has yet to tell
    for (let after = last, more = true; more;) {
      const page = await w.api.get(`/api/events?limit=1000&after=${after}`);
      left.push(...page.data);
      [after, more] = [page.next_after, page.has_more];
    }
    await until(() => rest.events.length >= left.length, "the stream tells the rest");
    streamed.push(...rest.events);
    rest.close();
    over = true;

    const sums = { accepted: 0, sent: 0, repeats: 0, marked: 0, heard: 0 };
    for (const talk of talks) {
      const out = (await talk.onTelegram()).filter((m) => m.direction === "out").map((m) => m.text);
      const distinct = [...new Set(out)];
      const { data } = await w.api.get(`${talk.messagesPath}?direction=outbound&per_page=100`);
      const marked = new Set(data.filter((m) => m.platform_data?.possible_duplicate === true).map((m) => m.body));
      assert.deepEqual(distinct, talk.accepted, `${talk.name}: what was accepted is sent, in order`);
      for (const [n, text] of out.entries())
        if (out.indexOf(text) < n && talk.accepted.length <= 100) assert.ok(marked.has(text), `${text} went out twice, and does not say so`);
      sums.accepted += talk.accepted.length;
      sums.sent += distinct.length;
      sums.repeats += out.length - distinct.length;
      sums.marked += marked.size;
      sums.heard += talk.heard.length;
      const inbound = count(`SELECT COUNT(*) FROM message WHERE direction = 1 AND chat_id = (SELECT chat_id FROM message WHERE body = '${talk.name} 0')`);
      assert.equal(inbound, talk.heard.length + 1, `${talk.name}: what people wrote is there once, and /start`);
    }
    const ids = streamed.map(({ id }) => id);
    t.diagnostic(`${JSON.stringify(counts)} ${JSON.stringify(sums)} events ${total}, streamed ${ids.length}, told ${ear.events.length} in ${ear.attempts} deliveries`);

    assert.equal(new Set(ids).size, ids.length, "the stream repeats nothing");
    const before = ear.events.length - ids.length; // those from before it was opened
    const told = new Set(ear.events.map((event) => event.id));
    assert.equal(told.size, total, "the webhook hears of all");
    for (const id of ids) assert.ok(told.has(id), "what is streamed is told");
    const missing = ear.events.filter((event) => !ids.includes(event.id));
    const firstAt = Math.min(...ear.events.filter((event) => ids.includes(event.id)).map((event) => Date.parse(event.created_at)));
    assert.equal(missing.length, before);
    for (const event of missing) assert.ok(Date.parse(event.created_at) <= firstAt, `the stream misses ${event.type} of ${event.created_at}`);
    const place = new Map(ids.map((id, n) => [id, n]));
    const chats = new Map();
    for (const event of ear.events.filter(({ id, data }) => place.has(id) && data.message)) {
      const { chat_id: chat } = event.data.message;
      chats.set(chat, [...(chats.get(chat) ?? []), event]);
    }
    for (const [chat, events] of chats) {
      const places = events.map((event) => place.get(event.id));
      assert.deepEqual(places, places.toSorted((a, b) => a - b), `the events of ${chat} are told in order`);
    }
    assert.ok(sums.repeats <= counts.kills + counts.stops + sums.marked);
  });
});
