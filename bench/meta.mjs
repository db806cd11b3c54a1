// meta.mjs -- Messenger: events taken in one by one and a hundred at once, and messages sent to the sandbox.
import { spawnSync } from 'node:child_process';
import { cpSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bin, call, cpuSeconds, folder, freePort, load, metric, start, tool } from './lib.mjs';

const PAGE = '100200300400501';
const TOKEN = 'EAASandboxPageToken00000000000000000001';
const SECRET = 'sandbox-app-secret-0123456789abcdef';
const FIRST_PERSON = 7001000001000001n;
const PEOPLE = 200;
const CHATS = 1000;
const CONNECTIONS = 64;
const pause = (ms) => new Promise((r) => setTimeout(r, ms));

const env = (url) => ({
  PARLEY_META_GRAPH_URL: url, PARLEY_META_APP_ID: '1000200030004001', PARLEY_META_APP_SECRET: SECRET,
  PARLEY_META_VERIFY_TOKEN: 'bench',
});

const event = (person, n) => ({
  sender: { id: String(FIRST_PERSON + BigInt(person)) }, recipient: { id: PAGE }, timestamp: 1790000000000,
  message: { mid: `m_@@@@@@@@@@@@-${n}`, text: 'My order has not arrived yet. Could you look?' },
});

/** A body for each person, of `each` events. */
const bodies = (each) => Array.from({ length: PEOPLE }, (_, i) => JSON.stringify({
  object: 'page',
  entry: Array.from({ length: each }, (__, n) => ({ id: PAGE, time: 1790000000100, messaging: [event((i + n) % PEOPLE, n)] })),
})).join('\n') + '\n';

async function inbound(size, row) {
  spawnSync(bin, ['migrate', '--data-dir', folder('meta-empty')]);
  const sandbox = await start('sandbox', ['--listen', '127.0.0.1:0']);
  const port = await freePort();
  const server = await start('serve', ['--data-dir', folder('meta'), '--listen', `127.0.0.1:${port}`, '--threads', '2',
    '--public-url', `http://127.0.0.1:${port}`], env(sandbox.url));
  const group = (await call(server, 'GET', '/api/profile_groups')).data[0];
  await call(server, 'POST', `/api/profile_groups/${group.id}/initialize_connection`, { platform: 'facebook', page_id: PAGE, access_token: TOKEN });
  let number = 100000000000;
  for (const each of [1, 100]) {
    const file = folder(`meta-${each}`);
    writeFileSync(file, bodies(each));
    const args = ['--method', 'POST', '--header', 'Content-Type: application/json', '--sign', SECRET, '--bodies', file, '/webhooks/meta'];
    const connections = each === 1 ? CONNECTIONS : 8;
    number = load(server.address, '--connections', 8, '--seconds', 1, '--number', number, ...args).next_number; /* makes the chats */
    const ours = [], theirs = [], cpu = [];
    for (let i = 0; i < size.repeats; i++) {
      const names = ['parley_db_commits_total', 'parley_db_transactions_total'];
      const before = [cpuSeconds(server.pid), ...await Promise.all(names.map((n) => metric(server, n)))];
      const r = load(server.address, '--connections', connections, '--seconds', size.seconds, '--number', number, ...args);
      if (r.failed) throw new Error(`${r.failed} of Meta's events failed`);
      const after = [cpuSeconds(server.pid), ...await Promise.all(names.map((n) => metric(server, n)))];
      number = r.next_number;
      ours.push(r.per_second * each);
      cpu.push(((after[0] - before[0]) / r.done / each) * 1e6);
      const batch = Math.max(1, Math.round((after[2] - before[2]) / Math.max(1, after[1] - before[1]))) * each;
      const bare = folder(`meta-bare-${each}-${i}`);
      cpSync(folder('meta-empty'), bare, { recursive: true });
      theirs.push(tool('limits', 'sqlite', join(bare, 'parley.db'), size.seconds, Math.min(batch, 2000), 'inbound').per_second);
    }
    const what = each === 1 ? 'Messenger events taken in, durable, singly' : `Messenger events taken in, durable, ${each} in a delivery`;
    row(what, ours, '/s', { name: 'bare SQLite, the same rows', values: theirs }, '≥ 0.5');
    row(`${what}: processor time of the server`, cpu, 'us');
  }
  await server.stop('SIGKILL');
  await sandbox.stop('SIGKILL');
}

async function freshSandbox() {
  const sandbox = await start('sandbox', ['--listen', '127.0.0.1:0']);
  const post = (path, body) => fetch(`${sandbox.url}/sandbox${path}`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
  for (let i = 1; i <= CHATS; i++) {
    if (i > 1) await post('/meta/people', { first_name: 'Mina' });
    await post(`/meta/accounts/${PAGE}/chats/${i}/messages`, { text: 'Hello' });
  }
  await post('/settings', { record_calls: false });
  return sandbox;
}

async function sends(size, row) {
  const ours = [], theirs = [];
  for (let i = 0; i < size.repeats; i++) {
    const dir = folder(`meta-sends-${i}`);
    const seeded = tool('seed', dir, 'page', size.pending, CHATS);
    let sandbox = await freshSandbox();
    const server = await start('serve', ['--data-dir', dir, '--listen', '127.0.0.1:0', '--threads', '1', '--pace', 'no',
      '--sends-per-profile', '256', '--connections-per-host', CONNECTIONS], env(sandbox.url));
    const began = process.hrtime.bigint();
    let sent = 0;
    while (sent < seeded.pending) {
      await pause(20);
      sent = await metric(server, 'parley_sends_total{outcome="published"}');
    }
    ours.push(seeded.pending / (Number(process.hrtime.bigint() - began) / 1e9));
    await server.stop();
    await sandbox.stop('SIGKILL');
    sandbox = await freshSandbox();
    theirs.push(tool('limits', 'curl', `${sandbox.url}/v25.0/${PAGE}/messages?access_token=${TOKEN}`, seeded.pending, CONNECTIONS,
      JSON.stringify({ recipient: { id: String(FIRST_PERSON) }, messaging_type: 'RESPONSE', message: { text: 'My order has not arrived yet. Could you look?' } })).per_second);
    await sandbox.stop('SIGKILL');
  }
  row(`Messenger messages delivered to the sandbox, ${CHATS} chats, no pace`, ours, '/s',
    { name: 'bare libcurl, same requests', values: theirs }, '≥ 0.7');
}

export async function meta({ size, row }) {
  await inbound(size, row);
  await sends(size, row);
}
