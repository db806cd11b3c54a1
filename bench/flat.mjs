// flat.mjs -- the same requests on a thousand messages, a hundred thousand and ten million: half of them in one chat, the others
// in chats of 50. One connection at a time, so that what shows is what a request costs and not how many fit beside each other.
import { cpSync, writeFileSync } from 'node:fs';
import { auth, call, cpuOf, folder, inTurns, load, measured, memoryMb, seeded, start } from './lib.mjs';
import { connected, posts, startSandbox, updates } from './telegram.mjs';

const SIZES = [1000, 100000, 10000000];
const SAMPLES = 200;
const STARTS = 5;
const DEEP = 20; /* this page is inside the big chat at every size */

/** Messages from all over: pages of a chat and of the list of chats. */
async function sample(server, profile, big, total) {
  const ids = new Set(), chats = [];
  const pages = Math.floor(total / 2 / 20);
  for (let i = 0; i < Math.min(pages, 10); i++) {
    const { data } = await call(server, 'GET', `/api/chats/${big}/messages?per_page=20&page=${Math.floor((i * pages) / 10)}`);
    data.forEach((m) => ids.add(m.id));
  }
  const lists = Math.ceil(total / 2 / 50 / 100);
  for (let i = 0; i < Math.min(lists, 3); i++) {
    const { data } = await call(server, 'GET', `/api/profiles/${profile.id}/chats?per_page=100&page=${Math.floor((i * lists) / 3)}`);
    chats.push(...data.map((c) => c.id));
  }
  return { ids: [...ids].slice(0, SAMPLES), chats: chats.filter((id) => id !== big).slice(0, SAMPLES) };
}

async function prepare(total, sandbox) {
  const kept = seeded(`bulk-${total}`, 'bulk', total), dir = folder(`flat-${total}`);
  cpSync(kept.dir, dir, { recursive: true });
  const starts = [];
  for (let i = 0; i < STARTS; i++) {
    const server = await start('serve', ['--data-dir', dir, '--listen', '127.0.0.1:0', '--threads', '2', '--telegram-api-url', 'http://127.0.0.1:9']);
    starts.push(server.readyMs);
    await server.stop();
  }
  const c = await connected(dir, sandbox), idle = memoryMb(c.server.pid);
  const { ids, chats } = await sample(c.server, c.profile, kept.big, total);
  writeFileSync(folder(`flat-ids-${total}`), ids.map((id) => `/api/messages/${id}\n`).join(''));
  const page = (query) => [...auth, `/api/chats/${kept.big}/messages?per_page=20${query}`];
  const list = (query) => [...auth, `/api/profiles/${c.profile.id}/chats?per_page=10${query}`];
  return { ...c, big: kept.big, total, starts, idle, requests: {
    'GET /api/messages/:id': [...auth, `@${folder(`flat-ids-${total}`)}`],
    'page of 20, the newest': page(''),
    [`page of 20, page ${DEEP}`]: page(`&page=${DEEP}`),
    'list of 10 chats': list(''),
    'POST of a message': posts(`flat-${total}`, chats, auth),
    'Telegram update taken in': [...updates(`flat-updates-${total}`, SAMPLES), ...c.hook],
  } };
}

/** How long one request takes that skips half of the big chat, or of all its chats. */
async function halfWay(server, path, rows, repeats) {
  const each = [];
  for (let i = 0; i < repeats; i++) {
    const began = performance.now();
    const { data } = await call(server, 'GET', `${path}?per_page=20&page=${Math.floor(rows / 2 / 20)}`);
    each.push(performance.now() - began);
    if (data.length !== 20) throw new Error(`${path}: not a whole page`);
  }
  return each;
}

export async function flat({ size, row, note }) {
  const sandbox = await startSandbox({ record_calls: true });
  const all = [];
  for (const total of SIZES) all.push(await prepare(total, sandbox));
  let number = 100000000000;
  const name = (total) => `${total.toLocaleString('en')} messages`;
  const against = (values, cpu, i) => (i === 0 ? null : { name: name(SIZES[0]), values: values[0], ...(cpu && { cpu: cpu[0] }) });

  for (const what of Object.keys(all[0].requests)) {
    const runs = await inTurns(size.repeats, ...all.map((c) => () => measured([c.server.pid], () => {
      const r = load(c.server.address, '--connections', 1, '--seconds', size.seconds / 2, '--number', number, ...c.requests[what]);
      number = r.next_number;
      return r;
    })));
    const p50 = runs.map((list) => list.map((r) => r.p50_ms)), cpu = runs.map(cpuOf);
    for (const [i, c] of all.entries()) row(`${what}: ${name(c.total)}, p50`, p50[i], 'ms', against(p50, cpu, i), i ? '< 1.5' : '', { cpu: cpu[i] });
  }
  for (const c of all) row(`start to listening: ${name(c.total)}`, c.starts, 'ms', null, '< 50 ms');
  for (const c of all) row(`memory, started and idle: ${name(c.total)}`, [c.idle], 'MB', null, '< 15 MB');
  for (const c of all) row(`memory after these runs: ${name(c.total)}`, [memoryMb(c.server.pid)], 'MB');
  const { server, big, profile, total } = all.at(-1);
  for (const [what, path, rows] of [
    ['messages', `/api/chats/${big}/messages`, total / 2], ['chats', `/api/profiles/${profile.id}/chats`, total / 2 / 50],
  ]) row(`the page in the middle of ${rows.toLocaleString('en')} ${what}`, await halfWay(server, path, rows, size.repeats), 'ms');
  note('Pages have numbers, as the API has them, so a page far inside a list steps over all that stand before it in the index: what that costs in the middle is in the last rows, and for that time it keeps one HTTP thread busy.');
  for (const c of all) await c.server.stop('SIGKILL');
  await sandbox.stop('SIGKILL');
}
