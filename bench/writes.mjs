// writes.mjs -- durable writes: messages accepted, and updates taken in, against bare SQLite writing the same rows.
import { cpSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { auth, bin, call, cpuOf, folder, inTurns, load, measured, memoryMb, metric, perSecond, tool } from './lib.mjs';
import { connected, posts, startSandbox, updates } from './telegram.mjs';
import { median } from './report.mjs';

const CONNECTIONS = 64;
const CHATS = 200;

/** How many transactions shared a commit while `run` ran, beside what it gives. */
export async function perCommit(server, run) {
  const names = ['parley_db_commits_total', 'parley_db_transactions_total'];
  const before = await Promise.all(names.map((n) => metric(server, n)));
  const r = run();
  const after = await Promise.all(names.map((n) => metric(server, n)));
  return { ...r, batch: Math.max(1, Math.round((after[1] - before[1]) / Math.max(1, after[0] - before[0]))) };
}

async function compare(server, what, kind, args, { size, row }) {
  const common = ['--connections', CONNECTIONS, '--seconds', size.seconds];
  let number = 100000000000, batch;
  const ours = async () => {
    const m = await perCommit(server, () => measured([server.pid], () => load(server.address, ...common, '--number', number, ...args)));
    number = m.next_number;
    batch = m.batch;
    return m;
  };
  const theirs = (i) => {
    const bare = folder(`bare-${kind}-${i}`);
    cpSync(folder('empty'), bare, { recursive: true });
    return tool('limits', 'sqlite', join(bare, 'parley.db'), size.seconds, batch, kind);
  };
  const [us, them] = await inTurns(size.repeats, ours, theirs);
  const commits = Math.round(median(us.map((m) => m.batch)));
  row(`${what}, ${CONNECTIONS} connections (commits of ${commits})`, perSecond(us), '/s',
    { name: 'bare SQLite, the same rows and commits', values: perSecond(them), cpu: cpuOf(them) }, '≥ 10,000 /s, ≥ 0.6', { cpu: cpuOf(us) });
  const rate = Math.round(median(perSecond(us)) / 2);
  const [calm] = await inTurns(size.repeats, () => {
    const r = load(server.address, ...common, '--rate', rate, '--number', number, ...args);
    number = r.next_number;
    return r;
  });
  row(`${what}, at half that rate: p50`, calm.map((r) => r.p50_ms), 'ms');
  row(`${what}, at half that rate: p99`, calm.map((r) => r.p99_ms), 'ms');
}

export async function writes({ size, row }) {
  spawnSync(bin, ['migrate', '--data-dir', folder('empty')]);
  const sandbox = await startSandbox({ record_calls: true });
  const { server, profile, hook } = await connected(folder('writes'), sandbox);
  const inbound = [...updates('updates', CHATS), ...hook];
  load(server.address, '--connections', 8, '--seconds', 1, '--number', 900000000000, ...inbound); /* makes the chats */
  const before = memoryMb(server.pid);
  await compare(server, 'Telegram updates taken in, durable', 'inbound', inbound, { size, row });

  const chats = [];
  for (let page = 0; page < CHATS / 100; page++) {
    chats.push(...(await call(server, 'GET', `/api/profiles/${profile.id}/chats?per_page=100&page=${page}`)).data.map((c) => c.id));
  }
  /* the account's pace (30/s) keeps the sending of them out of this measurement */
  await compare(server, 'POST of a message, durable', 'send', posts('writes', chats, auth), { size, row });
  row('memory before these runs', [before], 'MB');
  row('memory after these runs', [memoryMb(server.pid)], 'MB');
  await server.stop('SIGKILL');
  await sandbox.stop('SIGKILL');
}
