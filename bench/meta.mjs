// meta.mjs -- Messenger: events taken in one by one and a hundred at once, and messages sent to the sandbox.
import { spawnSync } from 'node:child_process';
import { cpSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bin, call, cpuOf, folder, freePort, inTurns, load, measured, perSecond, start, tool } from './lib.mjs';
import { drained } from './outbound.mjs';
import { perCommit } from './writes.mjs';

const PAGE = '100200300400501';
const TOKEN = 'EAASandboxPageToken00000000000000000001';
const SECRET = 'sandbox-app-secret-0123456789abcdef';
const FIRST_PERSON = 7001000001000001n;
const PEOPLE = 200;
const CHATS = 1000;
const CONNECTIONS = 64;

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
    let batch = each;
    const ours = async () => {
      const r = await perCommit(server, () => measured([server.pid],
        () => load(server.address, '--connections', connections, '--seconds', size.seconds, '--number', number, ...args)));
      number = r.next_number;
      batch = Math.min(r.batch * each, 2000);
      return { per_second: r.per_second * each, cpu_us: r.cpu_us / each };
    };
    const theirs = (i) => {
      const bare = folder(`meta-bare-${each}-${i}`);
      cpSync(folder('meta-empty'), bare, { recursive: true });
      return tool('limits', 'sqlite', join(bare, 'parley.db'), size.seconds, batch, 'inbound');
    };
    const [us, them] = await inTurns(size.repeats, ours, theirs);
    row(`Messenger events taken in, durable, ${each === 1 ? 'singly' : `${each} in a delivery`}`, perSecond(us), '/s',
      { name: 'bare SQLite, the same rows and commits', values: perSecond(them), cpu: cpuOf(them) }, '≥ 10,000 /s, ≥ 0.6', { cpu: cpuOf(us) });
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
  const ours = async (i) => {
    const dir = folder(`meta-sends-${i}`);
    const { pending } = tool('seed', dir, 'page', size.pending, CHATS);
    const sandbox = await freshSandbox();
    const server = await start('serve', ['--data-dir', dir, '--listen', '127.0.0.1:0', '--threads', '1', '--pace', 'no',
      '--sends-per-profile', '256', '--connections-per-host', CONNECTIONS], env(sandbox.url));
    const r = await drained(server, pending);
    await server.stop();
    await sandbox.stop('SIGKILL');
    return r;
  };
  const theirs = async () => {
    const sandbox = await freshSandbox();
    const r = tool('limits', 'curl', `${sandbox.url}/v25.0/${PAGE}/messages?access_token=${TOKEN}`, size.pending, CONNECTIONS,
      JSON.stringify({ recipient: { id: String(FIRST_PERSON) }, messaging_type: 'RESPONSE', message: { text: 'My order has not arrived yet. Could you look?' } }));
    await sandbox.stop('SIGKILL');
    return r;
  };
  const [us, them] = await inTurns(size.few, ours, theirs);
  row(`Messenger messages delivered to the sandbox, ${CHATS} chats, no pace`, perSecond(us), '/s',
    { name: 'bare libcurl, same requests', values: perSecond(them), cpu: cpuOf(them) }, '≥ 0.8', { cpu: cpuOf(us) });
}

export async function meta({ size, row }) {
  await inbound(size, row);
  await sends(size, row);
}
