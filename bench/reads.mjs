// reads.mjs -- reading messages from a large database, starting with it, and the memory it takes.
import { writeFileSync } from 'node:fs';
import { auth, call, cpuSeconds, folder, load, memoryMb, nginx, start, tool } from './lib.mjs';

const CONNECTIONS = 64;

export async function reads({ size, row }) {
  const dir = folder('reads');
  const seeded = tool('seed', dir, 'messages', ...size.messages);
  const total = size.messages.reduce((a, b) => a + b, 0).toLocaleString('en');
  const starts = [];
  let server;
  for (let i = 0; i < 5; i++) {
    if (server) await server.stop();
    server = await start('serve', ['--data-dir', dir, '--listen', '127.0.0.1:0', '--threads', '2',
      '--telegram-api-url', 'http://127.0.0.1:9']);
    starts.push(server.readyMs);
  }
  row(`start to listening, database of ${total} messages`, starts, 'ms', null, '< 100');
  row('idle memory after start', [memoryMb(server.pid)], 'MB', null, '< 20');

  const ids = seeded.chats.flatMap((c) => c.messages.slice(0, 200)).sort();
  writeFileSync(folder('paths'), ids.map((id) => `/api/messages/${id}`).join('\n') + '\n');
  const one = await fetch(`${server.url}/api/messages/${ids[0]}`, { headers: { Authorization: auth[1].split(': ')[1] } });
  const last = seeded.chats.at(-1);
  const page = `/api/chats/${last.id}/messages?per_page=20`;
  const many = await fetch(server.url + page, { headers: { Authorization: auth[1].split(': ')[1] } });
  const limit = await nginx({ one: Buffer.from(await one.arrayBuffer()), page: Buffer.from(await many.arrayBuffer()) });
  const common = ['--connections', CONNECTIONS, '--seconds', size.seconds];

  for (const [what, target, file, aim] of [
    ['GET /api/messages/:id', `@${folder('paths')}`, '/one', '≥ 0.6'],
    ['GET a page of 20 messages', page, '/page', '≥ 0.25'],
  ]) {
    const ours = [], theirs = [], cpu = [];
    for (let i = 0; i < size.repeats; i++) {
      const before = cpuSeconds(server.pid);
      const r = load(server.address, ...common, ...auth, target);
      if (r.failed) throw new Error(`${r.failed} of ${what} failed`);
      ours.push(r.per_second);
      cpu.push(((cpuSeconds(server.pid) - before) / r.done) * 1e6);
      theirs.push(load(limit.address, ...common, file).per_second);
    }
    row(`${what}, ${total} messages stored`, ours, '/s', { name: 'nginx, same bytes', values: theirs }, aim);
    row(`${what}: processor time of the server`, cpu, 'us');
  }
  for (const chat of seeded.chats) {
    const r = load(server.address, '--connections', 1, '--seconds', size.seconds / 2, ...auth,
      `/api/chats/${chat.id}/messages?per_page=20`);
    row(`page of 20, chat of ${chat.count.toLocaleString('en')}, one connection, p50`, [r.p50_ms], 'ms', null, 'flat');
  }
  row('memory after these runs', [memoryMb(server.pid)], 'MB');
  await call(server, 'GET', '/api/profiles');
  limit.stop();
  await server.stop();
}
