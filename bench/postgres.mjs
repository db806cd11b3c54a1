// postgres.mjs -- the figures of reads and writes again on PostgreSQL (with fsync), for one process and for two, against
// bare libpq writing the same rows; and how long a lane stands still when its process dies.
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { auth, bin, call, cpuSeconds, folder, freePort, load, metric, start, tool, toolAsync } from './lib.mjs';

const root = process.env.PARLEY_TEST_DATABASE_URL;
const CONNECTIONS = 64;
const CHATS = 200;
const TOKEN = '1000001:sandbox-default-bot-token-000000000';
const secret = randomBytes(32).toString('base64');
const pause = (ms) => new Promise((r) => setTimeout(r, ms));
let made = 0;

/** A database of its own: its address. */
function database() {
  const name = `bench_${++made}`;
  const r = spawnSync('psql', [root, '-qc', `CREATE DATABASE ${name}`], { encoding: 'utf8' });
  if (r.status !== 0) throw new Error(`psql: ${r.stderr}`);
  return root.replace('/postgres?', `/${name}?`);
}

const update = (person) => JSON.stringify({
  update_id: 'N', message: {
    message_id: 'N', date: 1790000000, text: 'My order has not arrived yet. Could you look?',
    from: { id: person, is_bot: false, first_name: 'Mina', username: `person_${person}`, language_code: 'en' },
    chat: { id: person, first_name: 'Mina', username: `person_${person}`, type: 'private' },
  },
}).replaceAll('"N"', '@@@@@@@@@@@@');

async function serve(sandbox, url, name, extra = []) {
  const port = await freePort();
  /* the public URL is one for all; nobody comes by it here */
  return start('serve', ['--data-dir', folder(name), '--listen', `127.0.0.1:${port}`, '--threads', '1', '--telegram-api-url', sandbox.url,
    '--public-url', 'http://127.0.0.1:9', ...extra], { PARLEY_DATABASE_URL: url, PARLEY_SECRET_KEY: secret });
}

async function connect(server, sandbox) {
  const group = (await call(server, 'GET', '/api/profile_groups')).data[0];
  const initialize = () => call(server, 'POST', `/api/profile_groups/${group.id}/initialize_connection`, { platform: 'telegram', bot_token: TOKEN });
  const { profile } = await initialize().catch((error) => {
    if (!/: 429 /.test(error.message)) throw error;
    return pause(1100).then(initialize); /* Telegram takes one setWebhook a second */
  });
  const calls = await fetch(`${sandbox.url}/sandbox/telegram/bots/1000001/calls?method=setWebhook`).then((r) => r.json());
  return { profile, secret: calls.data.at(-1).params.secret_token };
}

/** The same load on every server at once; requests a second in all. */
async function together(servers, seconds, number, args) {
  const each = await Promise.all(servers.map((server, i) => toolAsync('load', server.address, '--connections', CONNECTIONS / servers.length,
    '--seconds', seconds, '--number', number + i * 10000000000, ...args)));
  if (each.some((r) => r.failed)) throw new Error(`${each.map((r) => r.failed)} requests failed`);
  return { per_second: each.reduce((sum, r) => sum + r.per_second, 0), done: each.reduce((sum, r) => sum + r.done, 0) };
}

async function writes(sandbox, servers, url, size, row, what, kind, args) {
  const ours = [], theirs = [], cpu = [];
  const names = ['parley_db_commits_total', 'parley_db_transactions_total'];
  const count = async () => {
    let sums = [0, 0];
    for (const server of servers) for (const [i, name] of names.entries()) sums[i] += await metric(server, name);
    return sums;
  };
  let number = 200000000000 + servers.length * 100000000000, batch = 1;
  for (let i = 0; i < size.repeats; i++) {
    const before = await count(), used = servers.reduce((sum, s) => sum + cpuSeconds(s.pid), 0);
    const r = await together(servers, size.seconds, number, args);
    const after = await count();
    number += 1000000000;
    ours.push(r.per_second);
    cpu.push(((servers.reduce((sum, s) => sum + cpuSeconds(s.pid), 0) - used) / r.done) * 1e6);
    batch = Math.max(1, Math.round((after[1] - before[1]) / Math.max(1, after[0] - before[0])));
    if (servers.length === 1) {
      const bare = database();
      spawnSync(bin, ['migrate', '--data-dir', folder(`bare-${made}`)], { env: { ...process.env, PARLEY_DATABASE_URL: bare, PARLEY_SECRET_KEY: secret } });
      theirs.push(tool('limits', 'postgres', bare, size.seconds, batch, kind).per_second);
    }
  }
  row(`PostgreSQL, ${servers.length} process${servers.length > 1 ? 'es' : ''}: ${what} (commits of ${batch})`, ours, '/s',
    theirs.length ? { name: `bare libpq, commits of ${batch}`, values: theirs } : null, theirs.length ? '≥ 0.5' : '');
  row(`PostgreSQL, ${servers.length} process${servers.length > 1 ? 'es' : ''}: ${what}, processor time of Parley`, cpu, 'us');
}

/** From the death of the process that owns the lane to the first message another one sends. */
async function handOver(sandbox, row, how, signal) {
  const url = database();
  const first = await serve(sandbox, url, `hand-${how}-1`, ['--pace', 'no']);
  const { profile } = await connect(first, sandbox);
  const chat = await call(first, 'POST', `/api/profiles/${profile.id}/chats`, { participant_external_id: '7000001' });
  const send = async (server, text) => {
    const m = await call(server, 'POST', `/api/chats/${chat.id}/messages`, { body: text });
    for (;;) {
      const now = await call(server, 'GET', `/api/messages/${m.id}`);
      if (now.status === 'published') return;
      await pause(5);
    }
  };
  await send(first, 'one'); /* its lane from now on */
  const second = await serve(sandbox, url, `hand-${how}-2`, ['--pace', 'no']);
  const began = process.hrtime.bigint();
  const gone = first.stop(signal);
  await send(second, 'two');
  row(`PostgreSQL: a lane stands still after ${how}`, [Number(process.hrtime.bigint() - began) / 1e6], 'ms');
  await gone;
  await second.stop('SIGKILL');
}

export async function postgres({ size, row, note }) {
  if (!root) {
    console.log('PostgreSQL is left out: run it by tools/with-postgres, with FSYNC=on');
    return;
  }
  const sandbox = await start('sandbox', ['--listen', '127.0.0.1:0']);
  const post = (path, body) => fetch(sandbox.url + path, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
  await post('/sandbox/telegram/bots/1000001/chats/7000001/messages', { text: '/start' });
  const url = database();
  const servers = [await serve(sandbox, url, 'pg-1')];
  const { profile, secret: token } = await connect(servers[0], sandbox);
  writeFileSync(folder('pg-updates'), Array.from({ length: CHATS }, (_, i) => update(7100000 + i)).join('\n') + '\n');
  const hook = ['--method', 'POST', '--header', 'Content-Type: application/json', '--header', `X-Telegram-Bot-Api-Secret-Token: ${token}`,
    '--bodies', folder('pg-updates'), `/webhooks/telegram/${profile.id}`];
  load(servers[0].address, '--connections', 8, '--seconds', 2, '--number', 100000000000, ...hook); /* makes the chats */
  const chats = [];
  for (let page = 0; page < CHATS / 100; page++) chats.push(...(await call(servers[0], 'GET', `/api/profiles/${profile.id}/chats?per_page=100&page=${page}`)).data);
  writeFileSync(folder('pg-chats'), chats.map((c) => `/api/chats/${c.id}/messages`).join('\n') + '\n');
  writeFileSync(folder('pg-texts'), '{"body":"We do, to ninety countries. Number @@@@@@@@@@@@."}\n');
  const accept = ['--method', 'POST', '--header', 'Content-Type: application/json', ...auth, '--bodies', folder('pg-texts'), `@${folder('pg-chats')}`];
  for (const processes of [1, 2]) {
    if (servers.length < processes) servers.push(await serve(sandbox, url, 'pg-2'));
    await writes(sandbox, servers, url, size, row, 'Telegram updates taken in, durable', 'inbound', hook);
    await writes(sandbox, servers, url, size, row, 'POST of a message, durable', 'send', accept);
    const page = [...auth, ...chats.map((c) => `/api/chats/${c.id}/messages`)];
    const reads = [];
    for (let i = 0; i < size.repeats; i++) reads.push((await together(servers, size.seconds, 0, page)).per_second);
    row(`PostgreSQL, ${processes} process${processes > 1 ? 'es' : ''}: page of 20 messages`, reads, '/s');
  }
  for (const server of servers) await server.stop('SIGKILL');
  await handOver(sandbox, row, 'SIGTERM (drain)', 'SIGTERM');
  await handOver(sandbox, row, 'kill -9', 'SIGKILL');
  await sandbox.stop('SIGKILL');
  note('PostgreSQL, load generator and Parley share two processors, and PostgreSQL takes two to three times as much of them as Parley does, so a second process has nothing left to run on: what it shows here is that it costs little. Updates that share a commit look up their chats together and wait for that once, so what is left are a few round trips for each commit; bare libpq sends the same rows without asking anything first.');
}
