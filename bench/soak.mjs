// soak.mjs -- the server under 70 % of the most that this machine can do with it, for SOAK_SECONDS (1800), while platforms fail, endpoints
// are slow or away, and the server is restarted or killed. In the end all books must balance, and no curve may have grown.
//
// The first third has the restarts; the process that begins the second lives to the end, and its curves are the ones looked at.
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { cpus, totalmem, release } from 'node:os';
import { call, folder, key, metric, pause, root } from './lib.mjs';
import { Report } from './report.mjs';
import { Books, quarter, Tally, namedIn, nameOf } from './soak/books.mjs';
import { Endpoint, Stream } from './soak/listeners.mjs';
import { Load } from './soak/load.mjs';
import { World } from './soak/world.mjs';

const SECONDS = Number(process.env.SOAK_SECONDS ?? 1800);
const SHARE = 0.7;
const CROWD = [['telegram', 24], ['telegram', 24], ['telegram', 24], ['facebook', 20], ['instagram', 20], ['bluesky', 8], ['bluesky', 8]];
const DRAIN_SECONDS = Math.max(240, SECONDS / 4);
const chance = (p) => Math.random() < p, pick = (list) => list[Math.floor(Math.random() * list.length)];
const whole = (n) => Math.round(n).toLocaleString('en');

/* Bluesky's chat service says nothing of when with its 429, and is left a minute then; so there are none of these here. */
const troubles = [
  { on: 'sendMessage', platform: 'telegram', kind: 'rate_limit', retry_after: 1, count: 2 },
  { on: 'sendMessage', platform: 'telegram', kind: 'status', status: 500, description: 'Internal Server Error', count: 10 },
  { on: 'sendMessage', platform: 'telegram', kind: 'cut_before', count: 5 },
  { on: 'sendMessage', platform: 'telegram', kind: 'cut_after', count: 5 },
  { on: 'sendMessage', platform: 'telegram', kind: 'delay', delay_ms: 2000, count: 30 },
  { on: 'sendMessage', platform: 'telegram', kind: 'html', status: 502, count: 5 },
  { on: 'file', platform: 'telegram', kind: 'cut_after', count: 2 },
  { on: 'messages', platform: 'meta', kind: 'status', status: 500, count: 5 },
  { on: 'messages', platform: 'meta', kind: 'cut_before', count: 3 },
  { on: 'messages', platform: 'meta', kind: 'cut_after', count: 3 },
  { on: 'messages', platform: 'meta', kind: 'delay', delay_ms: 2000, count: 20 },
  { on: 'sendMessage', platform: 'bluesky', kind: 'status', status: 500, count: 2 },
  { on: 'sendMessage', platform: 'bluesky', kind: 'cut_after', count: 2 },
  { on: 'getLog', platform: 'bluesky', kind: 'status', status: 503, count: 3 },
  { on: 'webhook', kind: 'cut_before', count: 5 },
  { on: 'webhook', kind: 'cut_after', count: 5 },
  { on: 'webhook', kind: 'duplicate', count: 20 },
  { on: 'webhook', kind: 'delay', delay_ms: 500, count: 20 },
];

const world = new World(), books = new Books();
const kills = []; /* when the server was killed: from then on it may have forgotten what it had just heard */
const samples = [];
let load, faultsOrdered = 0, restarts = 0, isAway = false, phase = 'start';

/* ---- looking at the process ---- */

function sample() {
  const pid = world.server.pid, status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const number = (name) => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)[1]);
  const size = (name) => statSync(join(folder('soak'), name), { throwIfNoEntry: false })?.size ?? 0;
  return {
    at: Date.now(), pid, rss: number('VmRSS') / 1024, own: number('RssAnon') / 1024, threads: number('Threads'),
    fds: readdirSync(`/proc/${pid}/fd`).length, wal: size('parley.db-wal') / 2 ** 20, db: size('parley.db') / 2 ** 20,
  };
}

async function watch(over) {
  let said = 0;
  while (!over()) {
    await pause(Math.min(3000, SECONDS * 20));
    if (isAway) continue;
    try {
      const s = sample();
      s.age = await metric(world.server, 'parley_job_oldest_due_seconds');
      samples.push(s);
      if (Date.now() - said < 30000) continue;
      said = Date.now();
      console.log(`  ${phase}: ${whole(load.total)} operations, backlog ${load.backlog}; ${s.rss.toFixed(1)} MB (${s.own.toFixed(1)} its own), ${s.fds} descriptors, `
        + `${s.threads} threads, oldest job ${s.age.toFixed(1)} s, WAL ${s.wal.toFixed(0)} MB, database ${s.db.toFixed(0)} MB`);
    } catch {
      /* it is being restarted */
    }
  }
}

/* ---- making trouble ---- */

async function annoy(over) {
  while (!over()) {
    await pause(Math.min(4000, SECONDS * 30));
    await world.sandboxed('POST', '/faults', pick(troubles));
    faultsOrdered++;
  }
}

async function restart(kill) {
  isAway = true;
  if (kill) kills.push(Date.now());
  await world.server.stop(kill ? 'SIGKILL' : 'SIGTERM');
  await world.serve();
  restarts++;
  isAway = false;
}

async function shake(until) {
  for (let n = 0; Date.now() < until; n++) {
    await pause(Math.min(45000, SECONDS * 60) * (0.5 + Math.random()));
    if (Date.now() < until) await restart(n % 2 === 1);
  }
}

/* ---- the end ---- */

const jobs = async () => (await metric(world.server, 'parley_jobs{kind="send"}')) + (await metric(world.server, 'parley_jobs{kind="deliver"}'));

async function drain(tallies) {
  await world.sandboxed('DELETE', '/faults');
  const since = Date.now(), left = () => tallies.reduce((sum, [t, ways]) => sum + ways.reduce((n, w) => n + t.missing(world.talks, w).n, 0), 0);
  for (let n; (n = left()) > 0 && Date.now() - since < DRAIN_SECONDS * 1000; await pause(500)) {
    await world.sandboxed('POST', '/clock', { advance_ms: 1000 }); /* webhooks that failed are tried again */
  }
  while ((await jobs()) > 0 && Date.now() - since < DRAIN_SECONDS * 1000) await pause(500);
  books.line(`drained after ${((Date.now() - since) / 1000).toFixed(1)} s`);
}

/** Doubles on a platform that can be asked are wrong; on Telegram, one must be marked. */
async function judgeArrivals(tally) {
  let marked = 0;
  for (const { talk, way, n } of tally.doubles) {
    const m = await call(world.server, 'GET', `/api/messages/${load.ids[talk][n]}`);
    if (m.platform_data?.possible_duplicate) marked++;
    else books.wrong(`${nameOf(talk, way, n)} was sent twice on ${world.talks[talk].platform}, and is not marked as possible_duplicate`);
    if (world.talks[talk].platform !== 'telegram') books.wrong(`${nameOf(talk, way, n)} was sent twice on ${world.talks[talk].platform}`);
  }
  books.line(`sent twice, all on Telegram and marked as possible duplicates: ${marked}`);
}

/** What was delivered twice with success must have been so around a kill: the answer was heard, and forgotten. */
function judgeDeliveries({ tally, attempts, refused }) {
  const odd = tally.doubles.filter(({ at }) => !kills.some((kill) => at > kill && at - kill < 20000));
  books.line(`${tally.name}: ${whole(attempts)} deliveries, ${whole(refused)} not taken, ${tally.doubles.length} twice after a kill`);
  if (odd.length) books.wrong(`${tally.name}: ${odd.length} were delivered twice though nobody was killed, as ${odd.slice(0, 3).map((d) => nameOf(d.talk, d.way, d.n)).join(', ')}`);
}

/** The server's own books: each chat holds what was said, once, in order. */
async function judgeChats() {
  const stored = new Tally('stored');
  const statuses = {};
  let files = 0, wrongFiles = 0;
  for (const talk of world.talks) {
    for (let page = 0, list; page === 0 || list.length === 100; page++) {
      list = (await world.api.json('GET', `/api/chats/${talk.chat}/messages?per_page=100&page=${page}`)).data;
      for (const m of list) {
        const name = namedIn(JSON.stringify({ body: m.body }).slice(0, 80)) ?? (m.attachments[0] && namedIn(`"file_name":"${m.attachments[0].file_name}`));
        if (!name) continue;
        if (name.talk !== talk.number) books.wrong(`${nameOf(name.talk, name.way, name.n)} is in another chat`);
        stored.add(name);
        const status = `${m.direction} ${m.status}`;
        statuses[status] = (statuses[status] ?? 0) + 1;
        if (m.attachments.length) {
          files++;
          wrongFiles += m.attachments[0].status !== 'processed' || (chance(0.05) && !(await fileIs(m, name)));
        }
      }
    }
  }
  books.balance(stored, world.talks, ['i', 'o']);
  if (stored.doubles.length) books.wrong(`${stored.doubles.length} are stored twice`);
  books.line(`statuses: ${Object.entries(statuses).map(([s, n]) => `${whole(n)} ${s}`).join(', ')}; ${whole(files)} files`);
  const odd = Object.keys(statuses).filter((s) => s !== 'inbound received' && s !== 'outbound published');
  if (odd.length) books.wrong(`there are messages that are ${odd.join(', ')}`);
  if (wrongFiles) books.wrong(`${wrongFiles} files are not there, or not what was sent`);
}

async function fileIs(message, { talk, way, n }) {
  const text = await fetch(message.attachments[0].url, { headers: { Authorization: `Bearer ${key}` } }).then((r) => r.text());
  return text === (way === 'o' ? nameOf(talk, way, n) : `note ${n} of talk ${talk}`);
}

/** Of the process that lived longest, its first minute left out: what grew? */
function judgeCurves(report) {
  const last = samples.filter((s) => s.pid === world.server.pid), warm = Math.min(60000, SECONDS * 100);
  const list = last.filter((s) => s.at - last[0].at > warm);
  if (list.length < 8) return books.line('too short for curves');
  const curve = (what, member, unit, allowed) => {
    const [first, end] = [quarter(list, 'first', member), quarter(list, 'last', member)];
    report.row(`${what}, last quarter`, [end], unit, { name: 'first quarter', values: [first] });
    if (end > allowed(first)) books.wrong(`${what} grew from ${first.toFixed(1)} to ${end.toFixed(1)} ${unit}`);
  };
  const fits = (factor, more) => (v) => v * factor + more;
  curve('memory', 'rss', 'MB', fits(1.15, 6));
  curve('memory of its own (without files)', 'own', 'MB', fits(1.15, 4));
  curve('open descriptors', 'fds', '', fits(1.1, 8));
  curve('threads', 'threads', '', fits(1, 0));
  curve('age of the oldest due job', 'age', 's', fits(1.5, 3));
  curve('write-ahead log', 'wal', 'MB', fits(1.2, 16));
  return null;
}

/* ---- the whole of it ---- */

const report = new Report(), began = Date.now();
const machine = `${cpus().length} x ${cpus()[0].model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}`;
console.log(machine);
await world.start();
const outage = { until: 0 };
const endpoints = [
  new Endpoint('the endpoint that is well', undefined, { ordered: true }),
  new Endpoint('the slow endpoint', () => ({ wait: 20 })),
  new Endpoint('the failing endpoint', () => {
    if (phase !== 'soak') return {};
    if (Date.now() > outage.until + Math.min(60000, SECONDS * 50)) outage.until = Date.now() + Math.min(5000, SECONDS * 10);
    return { status: Date.now() < outage.until || chance(0.05) ? 500 : 200, cut: chance(0.01) };
  }),
];
for (const [i, e] of endpoints.entries()) {
  await e.ready;
  await world.api.json('POST', '/api/webhooks', { url: e.url, events: i === 1 ? ['message.received'] : ['message.received', 'message.sent', 'message.failed_waiting_for_retry'], concurrency: 64 });
}
const streams = [new Stream('a stream', world.port), new Stream('a stream that breaks off', world.port, { restless: Math.max(200, SECONDS * 10) })];
for (const [platform, people] of CROWD) await world.account(platform, people);
await world.findChats();
const arrivals = new Tally('arrived at the platforms', { ordered: true });
const listeners = [...streams.map((s) => [s.tally, ['i', 'o']]), ...endpoints.map((e, i) => [e.tally, i === 1 ? ['i'] : ['i', 'o']])];
load = new Load(world, [[arrivals, ['o']], ...listeners]);
let isOver = false;
const collect = async () => {
  for (let again = true; again; await pause(200)) {
    again = !isOver;
    await world.arrivals((text, account) => {
      const name = namedIn(text);
      if (!name) return;
      if (world.talks[name.talk].account !== account) books.wrong(`${nameOf(name.talk, name.way, name.n)} went to another account`);
      arrivals.add(name);
    });
  }
};
const collecting = collect();
await load.flatOut(Math.min(3, SECONDS / 10), 32); /* warm */
const most = await load.flatOut(Math.min(15, SECONDS / 5), 64), rate = most * SHARE;
console.log(`at most ${whole(most)} operations/s; the soak has ${whole(rate)} for ${SECONDS} s`);

phase = 'soak';
const end = Date.now() + SECONDS * 1000, over = () => Date.now() >= end, opsBefore = load.total;
const watching = watch(() => isOver);
await Promise.all([load.at(rate, over), annoy(over), shake(Date.now() + SECONDS * 333)]);
const operations = load.total - opsBefore;
phase = 'drain';
await drain(listeners);
isOver = true;
await Promise.all([watching, collecting]);

report.begin('soak', 'Soak', `${machine}. ${SECONDS % 60 === 0 ? `${SECONDS / 60} minutes` : `${SECONDS} s`} at 70 % of the most that went through before without trouble: ${whole(rate)} operations/s (2/5 people write, `
  + '2/5 messages are posted, 1/5 reads) in chats on all four platforms, with two streams and three webhook endpoints (one of them slow, one failing). All on one machine, with the sandbox and the load generator. '
  + `\`make soak\` (\`SOAK_SECONDS\`).`);
report.row('operations', [operations / SECONDS], '/s');
judgeCurves(report);
books.line(`${whole(load.done.write)} written by people, ${whole(load.done.post)} posted, ${whole(load.done.read)} reads (${whole(load.unread)} while the server was away), ${whole(load.repeats)} requests repeated`);
books.line(`${whole(faultsOrdered)} orders of trouble, ${restarts} restarts, ${kills.length} of them by kill -9; streams were resumed ${streams.map((s) => s.reconnects).join(' and ')} times`);
if (load.heldBackMs > 1000) books.line(`held back for ${whole(load.heldBackMs / 1000)} s, because somebody had not heard of what was said half a minute before`);
books.balance(arrivals, world.talks, ['o']);
await judgeArrivals(arrivals);
for (const s of streams) {
  books.balance(s.tally, world.talks, ['i', 'o']);
  if (s.tally.doubles.length) books.wrong(`${s.tally.name}: ${s.tally.doubles.length} events came twice`);
}
for (const [i, e] of endpoints.entries()) {
  books.balance(e.tally, world.talks, i === 1 ? ['i'] : ['i', 'o']);
  judgeDeliveries(e);
}
await judgeChats();
for (const text of load.wrong.slice(0, 5)) books.wrong(text);

report.note(`${books.lines.map((l) => `- ${l}`).join('\n')}`);
report.note(books.faults.length ? `**Does not balance:**\n\n${books.faults.map((f) => `- ${f}`).join('\n')}` : 'All books balance: everything accepted was sent and delivered, once and in order, and every event came once on each stream.');
report.end();
console.log(`\n${report.text(report.sections[0])}\n${Math.round((Date.now() - began) / 1000)} s in all`);
if (process.argv.includes('--write')) report.write(join(root, 'bench/RESULTS.md'), null, []);
streams.forEach((s) => s.stop());
endpoints.forEach((e) => e.stop());
await world.server.stop();
process.exit(books.faults.length ? 1 : 0);
