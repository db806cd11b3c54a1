// peers.mjs -- the same three endpoints, and updates taken in, as somebody would otherwise write them: Fastify with better-sqlite3
// (bench/peers), on as many rows, durable in the same way. Reads have a process for each of two processors, writes one.
import { spawn, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { adopt, auth, cpuOf, folder, freePort, inTurns, key, load, measured, perSecond, root, tool } from './lib.mjs';
import { connected, posts, startSandbox, updates } from './telegram.mjs';

const CONNECTIONS = 64;
const SERVER = join(root, 'bench/peers/server.mjs');
const env = { ...process.env, PARLEY_API_KEY: key, WEBHOOK_SECRET: 'bench-webhook-secret', NODE_ENV: 'production' };

const publicId = (prefix, n) => `${prefix}_${n.toString(36).padStart(11, '0')}`;

async function serve(file, processes) {
  const port = await freePort();
  const child = adopt(spawn(process.execPath, [SERVER, file, port, processes], { env, stdio: ['ignore', 'pipe', 'inherit'] }));
  const pids = await new Promise((resolve, reject) => {
    let text = '';
    child.stdout.on('data', (d) => /listening .*\n/.test(text += d) && resolve(text.match(/\d+/g).map(Number)));
    child.on('exit', (code) => reject(new Error(`bench/peers/server.mjs ended with ${code}`)));
  });
  const stop = () => new Promise((resolve) => {
    child.removeAllListeners('exit').on('exit', resolve);
    child.kill();
  });
  return { address: `127.0.0.1:${port}`, url: `http://127.0.0.1:${port}`, pids, stop };
}

const shapeOf = (value) => (Array.isArray(value) ? value.slice(0, 1).map(shapeOf)
  : value && typeof value === 'object' ? Object.fromEntries(Object.entries(value).map(([k, v]) => [k, shapeOf(v)])) : typeof value);

/** Both give the same members in the same order, of the same types. */
async function sameShape(ours, theirs, paths) {
  for (const [path, peers] of paths) {
    const [a, b] = await Promise.all([[ours, path], [theirs, peers]].map(([server, p]) =>
      fetch(server.url + p, { headers: { Authorization: `Bearer ${key}` } }).then((r) => r.json()).then((v) => JSON.stringify(shapeOf(v)))));
    if (a !== b) throw new Error(`the peer answers ${path} differently:\n${a}\n${b}`);
  }
}

export async function peers({ size, row, note }) {
  const big = size.messages.at(-1), ours = folder('peer-parley'), file = folder('peer.db');
  const { chats } = tool('seed', ours, 'messages', big, ...Array(200).fill(1));
  const r = spawnSync(process.execPath, [SERVER, '--seed', file, 200, big], { env, encoding: 'utf8' });
  if (r.status !== 0) throw new Error(`bench/peers: ${r.stderr}`);
  const sandbox = await startSandbox();
  const { server, hookNow } = await connected(ours, sandbox);
  const ids = chats[0].messages.slice(0, 200);
  writeFileSync(folder('peer-ours'), ids.map((id) => `/api/messages/${id}\n`).join(''));
  const every = Math.floor(big / 200);
  writeFileSync(folder('peer-theirs'), Array.from({ length: 200 }, (_, i) => `/api/messages/${publicId('msg', 1 + i * every)}\n`).join(''));
  const page = (id) => `/api/chats/${id}/messages?per_page=20`;
  const theirChats = Array.from({ length: 200 }, (_, i) => publicId('chat', i + 2));
  const theirHook = ['--method', 'POST', '--header', 'Content-Type: application/json', '--header',
    `X-Telegram-Bot-Api-Secret-Token: ${env.WEBHOOK_SECRET}`, '/webhooks/telegram'];
  const bodies = updates('peer-updates', 200);
  let number = 100000000000;
  const run = (address, pids, args) => measured(pids, () => {
    const done = load(address, '--connections', CONNECTIONS, '--seconds', size.seconds, '--number', number, ...args);
    number = done.next_number;
    return done;
  });

  for (const [what, processes, argsOfOurs, its] of [
    ['GET /api/messages/:id', 2, () => [...auth, `@${folder('peer-ours')}`], [...auth, `@${folder('peer-theirs')}`]],
    ['GET a page of 20 messages', 2, () => [...auth, page(chats[0].id)], [...auth, page(publicId('chat', 1))]],
    ['Telegram updates taken in, durable', 1, async () => [...bodies, ...await hookNow()], [...bodies, ...theirHook]],
    ['POST of a message, durable', 1, () => posts('peer', chats.slice(1).map((c) => c.id), auth), posts('peer-its', theirChats, auth)],
  ]) {
    const mine = await argsOfOurs();
    const peer = await serve(file, processes);
    await sameShape(server, peer, [[`/api/messages/${ids[0]}`, `/api/messages/${publicId('msg', 1)}`], [page(chats[0].id), page(publicId('chat', 1))]]);
    load(peer.address, '--connections', CONNECTIONS, '--seconds', 1, '--number', number += 1000000000, ...its); /* compiled by now */
    const [us, them] = await inTurns(size.repeats, () => run(server.address, [server.pid], mine), () => run(peer.address, peer.pids, its));
    row(what, perSecond(us), '/s', { name: `Fastify, ${processes === 1 ? 'one process' : `${processes} processes`}`, values: perSecond(them), cpu: cpuOf(them) },
      '≥ 5', { cpu: cpuOf(us), times: true });
    await peer.stop();
  }
  note('The peer ([bench/peers](peers/)) answers with the same members, writes answers by schema, prepares its statements, checks the key by its hash and lets '
    + 'the writes of one turn of its event loop share a commit (WAL, `synchronous=FULL`). SQLite has one writer, so its writes have one process. By processor time a message read takes a third of the peer\'s, a page a sixth, a write half to two thirds: what is left of a write is SQLite\'s own work, 20 us of it (see above). The load generator takes the rest of the two processors, which is why the rates are closer than that.');
  await server.stop('SIGKILL');
  await sandbox.stop('SIGKILL');
}
