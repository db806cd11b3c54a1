// reads.mjs -- starting with a large database, the memory that takes, and reading messages from it.
import { writeFileSync } from 'node:fs';
import { auth, cpuOf, folder, inTurns, key, load, measured, memoryMb, nginx, perSecond, seeded, start } from './lib.mjs';

const CONNECTIONS = 64;

const bytes = async (server, path) => Buffer.from(await fetch(server.url + path, { headers: { Authorization: `Bearer ${key}` } }).then((r) => r.arrayBuffer()));

export async function reads({ size, row }) {
  const { dir, chats } = seeded(`reads-${size.messages.at(-1)}`, 'messages', ...size.messages);
  const total = size.messages.reduce((a, b) => a + b, 0).toLocaleString('en');
  const starts = [], idle = [];
  let server;
  for (let i = 0; i < 7; i++) {
    if (server) await server.stop();
    server = await start('serve', ['--data-dir', dir, '--listen', '127.0.0.1:0', '--threads', '2', '--telegram-api-url', 'http://127.0.0.1:9']);
    starts.push(server.readyMs);
    idle.push(memoryMb(server.pid));
  }
  row(`start to listening, database of ${total} messages`, starts, 'ms', null, '< 50 ms');
  row('memory, started and idle', idle, 'MB', null, '< 15 MB');

  const ids = chats.flatMap((c) => c.messages.slice(0, 200)).sort();
  writeFileSync(folder('paths'), ids.map((id) => `/api/messages/${id}`).join('\n') + '\n');
  const page = `/api/chats/${chats.at(-1).id}/messages?per_page=20`;
  const limit = await nginx({ one: await bytes(server, `/api/messages/${ids[0]}`), page: await bytes(server, page) });
  const common = ['--connections', CONNECTIONS, '--seconds', size.seconds];

  for (const [what, target, file, aim] of [
    ['GET /api/messages/:id', `@${folder('paths')}`, '/one', '≥ 0.6'],
    ['GET a page of 20 messages', page, '/page', '≥ 0.25'],
  ]) {
    const [ours, theirs] = await inTurns(size.repeats,
      () => measured([server.pid], () => load(server.address, ...common, ...auth, target)),
      () => measured(limit.pids, () => load(limit.address, ...common, file)));
    row(`${what}, ${total} messages stored`, perSecond(ours), '/s', { name: 'nginx, same bytes', values: perSecond(theirs), cpu: cpuOf(theirs) },
      aim, { cpu: cpuOf(ours) });
  }
  const alone = await inTurns(size.repeats, ...chats.map((chat) => () => load(server.address, '--connections', 1, '--seconds', size.seconds / 4,
    ...auth, `/api/chats/${chat.id}/messages?per_page=20`).p50_ms));
  for (const [i, chat] of chats.entries()) row(`page of 20, chat of ${chat.count.toLocaleString('en')}, one connection, p50`, alone[i], 'ms', null, 'flat');
  row('memory after these runs', [memoryMb(server.pid)], 'MB');
  limit.stop();
  await server.stop();
}
