// writes.mjs -- durable writes: messages accepted, and updates taken in, against bare SQLite writing the same rows.
import { cpSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { auth, bin, call, cpuSeconds, folder, freePort, load, memoryMb, metric, start, tool } from './lib.mjs';

const CONNECTIONS = 64;
const CHATS = 200;
const TOKEN = '1000001:sandbox-default-bot-token-000000000';

const body = (person) => JSON.stringify({
  update_id: 'N', message: {
    message_id: 'N', date: 1790000000, text: 'My order has not arrived yet. Could you look?',
    from: { id: person, is_bot: false, first_name: 'Mina', username: `person_${person}`, language_code: 'en' },
    chat: { id: person, first_name: 'Mina', username: `person_${person}`, type: 'private' },
  },
}).replaceAll('"N"', '@@@@@@@@@@@@');

async function connect(sandbox, dir) {
  const port = await freePort();
  const server = await start('serve', ['--data-dir', dir, '--listen', `127.0.0.1:${port}`, '--threads', '2',
    '--telegram-api-url', sandbox.url, '--public-url', `http://127.0.0.1:${port}`]);
  const group = (await call(server, 'GET', '/api/profile_groups')).data[0];
  const { profile } = await call(server, 'POST', `/api/profile_groups/${group.id}/initialize_connection`,
    { platform: 'telegram', bot_token: TOKEN });
  const calls = await fetch(`${sandbox.url}/sandbox/telegram/bots/1000001/calls?method=setWebhook`).then((r) => r.json());
  return { server, profile, secret: calls.data.at(-1).params.secret_token };
}

async function perCommit(server, run) {
  const names = ['parley_db_commits_total', 'parley_db_transactions_total'];
  const before = await Promise.all(names.map((n) => metric(server, n)));
  const r = run();
  const after = await Promise.all(names.map((n) => metric(server, n)));
  return { r, batch: Math.max(1, Math.round((after[1] - before[1]) / Math.max(1, after[0] - before[0]))) };
}

async function compare(server, what, kind, args, size, row) {
  const ours = [], theirs = [], cpu = [];
  const common = ['--connections', CONNECTIONS, '--seconds', size.seconds];
  let number = 100000000000, batch;
  for (let i = 0; i < size.repeats; i++) {
    const before = cpuSeconds(server.pid);
    const m = await perCommit(server, () => load(server.address, ...common, '--number', number, ...args));
    if (m.r.failed) throw new Error(`${m.r.failed} of ${what} failed`);
    number = m.r.next_number;
    batch = m.batch;
    ours.push(m.r.per_second);
    cpu.push(((cpuSeconds(server.pid) - before) / m.r.done) * 1e6);
    const bare = folder(`bare-${kind}-${i}`);
    cpSync(folder('empty'), bare, { recursive: true });
    theirs.push(tool('limits', 'sqlite', join(bare, 'parley.db'), size.seconds, batch, kind).per_second);
  }
  row(`${what}, ${CONNECTIONS} connections (commits of ${batch})`, ours, '/s',
    { name: `bare SQLite, commits of ${batch}`, values: theirs }, '≥ 0.5');
  row(`${what}: processor time of the server`, cpu, 'us');
  const half = load(server.address, ...common, '--rate', Math.round(ours[0] / 2), '--number', number, ...args);
  row(`${what} at half that rate, p50`, [half.p50_ms], 'ms');
  row(`${what} at half that rate, p99`, [half.p99_ms], 'ms');
}

export async function writes({ size, row }) {
  spawnSync(bin, ['migrate', '--data-dir', folder('empty')]);
  const sandbox = await start('sandbox', ['--listen', '127.0.0.1:0']);
  await fetch(`${sandbox.url}/sandbox/settings`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{"record_calls":true}' });
  const { server, profile, secret } = await connect(sandbox, folder('writes'));

  writeFileSync(folder('updates'), Array.from({ length: CHATS }, (_, i) => body(7100000 + i)).join('\n') + '\n');
  const hook = ['--method', 'POST', '--header', 'Content-Type: application/json',
    '--header', `X-Telegram-Bot-Api-Secret-Token: ${secret}`, '--bodies', folder('updates'), `/webhooks/telegram/${profile.id}`];
  load(server.address, '--connections', 8, '--seconds', 1, '--number', 900000000000, ...hook); /* makes the chats */
  const memory = memoryMb(server.pid);
  await compare(server, 'Telegram updates taken in, durable', 'inbound', hook, size, row);

  const chats = [];
  for (let page = 0; page < CHATS / 100; page++) {
    chats.push(...(await call(server, 'GET', `/api/profiles/${profile.id}/chats?per_page=100&page=${page}`)).data);
  }
  /* the account's pace (30/s) keeps the sending of them out of this measurement */
  writeFileSync(folder('chats'), chats.map((c) => `/api/chats/${c.id}/messages`).join('\n') + '\n');
  writeFileSync(folder('texts'), '{"body":"We do, to ninety countries. Number @@@@@@@@@@@@."}\n');
  await compare(server, 'POST of a message, durable', 'send', ['--method', 'POST', '--header', 'Content-Type: application/json',
    ...auth, '--bodies', folder('texts'), `@${folder('chats')}`], size, row);
  row('memory before these runs', [memory], 'MB');
  row('memory after these runs', [memoryMb(server.pid)], 'MB');
  await server.stop('SIGKILL');
  await sandbox.stop('SIGKILL');
}
