// webhooks.mjs -- from an update taken in to the signed webhook received; deliveries against bare libcurl; streams.
import { createServer } from 'node:http';
import { connect as connectSocket } from 'node:net';
import { writeFileSync } from 'node:fs';
import { call, folder, freePort, key, memoryMb, metric, nginx, start, tool, toolAsync } from './lib.mjs';

const TOKEN = '1000001:sandbox-default-bot-token-000000000';
const pause = (ms) => new Promise((r) => setTimeout(r, ms));

async function connected(name, extra = []) {
  const sandbox = await start('sandbox', ['--listen', '127.0.0.1:0']);
  const port = await freePort();
  const server = await start('serve', ['--data-dir', folder(name), '--listen', `127.0.0.1:${port}`, '--threads', '2',
    '--telegram-api-url', sandbox.url, '--public-url', `http://127.0.0.1:${port}`,
    '--allow-private-addresses', '127.0.0.0/8', ...extra]);
  const group = (await call(server, 'GET', '/api/profile_groups')).data[0];
  const { profile } = await call(server, 'POST', `/api/profile_groups/${group.id}/initialize_connection`,
    { platform: 'telegram', bot_token: TOKEN });
  const calls = await fetch(`${sandbox.url}/sandbox/telegram/bots/1000001/calls?method=setWebhook`).then((r) => r.json());
  const hook = ['--method', 'POST', '--header', 'Content-Type: application/json', '--header',
    `X-Telegram-Bot-Api-Secret-Token: ${calls.data.at(-1).params.secret_token}`];
  return { sandbox, server, hook, path: `/webhooks/telegram/${profile.id}` };
}

/* Bodies that say when they were written: the load tool cannot, so this process sends these itself, at a fixed rate. */
async function latency(c, rate, seconds, seen) {
  const total = rate * seconds;
  const began = performance.now();
  const secret = c.hook[5].split(': ')[1];
  let sent = 0;
  seen.length = 0;
  await new Promise((resolve) => {
    const tick = setInterval(() => {
      const due = Math.min(total, Math.floor(((performance.now() - began) / 1000) * rate));
      for (; sent < due; sent++) {
        const person = 7200000 + (sent % 200), id = c.next++;
        fetch(c.server.url + c.path, {
          method: 'POST', headers: { 'Content-Type': 'application/json', 'X-Telegram-Bot-Api-Secret-Token': secret },
          body: JSON.stringify({ update_id: id, message: { message_id: id, date: 1790000000, text: `at ${performance.now()}`,
            from: { id: person, is_bot: false, first_name: 'M' }, chat: { id: person, first_name: 'M', type: 'private' } } }),
        }).then((r) => r.arrayBuffer());
      }
      if (sent === total) { clearInterval(tick); resolve(); }
    }, 1);
  });
  for (let i = 0; i < 500 && seen.length < total; i++) await pause(20);
  if (seen.length < total) throw new Error(`${total - seen.length} of ${total} webhooks did not arrive`);
  seen.sort((a, b) => a - b);
  return { p50: seen[Math.floor(total * 0.5)], p99: seen[Math.floor(total * 0.99)] };
}

async function inboundToWebhook({ size, row }) {
  const c = await connected('latency');
  const seen = [];
  c.next = 500000000000;
  const receiver = createServer((req, res) => {
    let text = '';
    req.on('data', (d) => (text += d)).on('end', () => {
      const at = /"body":"at ([0-9.]+)"/.exec(text);
      if (at) seen.push(performance.now() - Number(at[1]));
      res.end('{}');
    });
  }).listen(0, '127.0.0.1');
  await new Promise((r) => receiver.on('listening', r));
  await call(c.server, 'POST', '/api/webhooks', { url: `http://127.0.0.1:${receiver.address().port}/`, events: ['message.received'] });
  for (const rate of [100, 1000]) {
    await latency(c, rate, 1, seen); /* makes the chats */
    const r = await latency(c, rate, size.seconds, seen);
    row(`update taken in → signed webhook received, ${rate}/s, p50`, [r.p50], 'ms');
    row(`update taken in → signed webhook received, ${rate}/s, p99`, [r.p99], 'ms', null, rate === 1000 ? '< 25' : '');
  }
  receiver.close();
  await c.server.stop('SIGKILL');
  await c.sandbox.stop('SIGKILL');
}

async function deliveries({ size, row }) {
  const sink = await nginx({});
  const c = await connected('deliveries');
  writeFileSync(folder('updates2'), Array.from({ length: 200 }, (_, i) => JSON.stringify({ update_id: 'N', message: {
    message_id: 'N', date: 1790000000, text: 'My order has not arrived yet. Could you look?',
    from: { id: 7100000 + i, is_bot: false, first_name: 'Mina' }, chat: { id: 7100000 + i, first_name: 'Mina', type: 'private' },
  } }).replaceAll('"N"', '@@@@@@@@@@@@')).join('\n') + '\n');
  const since = new Date(Date.now() - 60000).toISOString();
  let stored = 0, number = 300000000000;
  while (stored < size.events) {
    const r = tool('load', c.server.address, '--connections', 64, '--seconds', 1, '--number', number, ...c.hook, '--bodies', folder('updates2'), c.path);
    stored += r.done;
    number = r.next_number;
  }
  const hook = await call(c.server, 'POST', '/api/webhooks', { url: `${sink.url}/sink`, events: ['message.received'], concurrency: 256 });
  const sample = (await call(c.server, 'GET', '/api/events?limit=1&types=message.received')).data[0];
  const began = performance.now();
  await call(c.server, 'POST', `/api/webhooks/${hook.id}/replay`, { since });
  let done = 0;
  while (done < stored) {
    await pause(20);
    done = await metric(c.server, 'parley_deliveries_total');
  }
  const ours = stored / ((performance.now() - began) / 1000);
  const theirs = tool('limits', 'curl', `${sink.url}/sink`, stored, 64, JSON.stringify(sample)).per_second;
  row('webhook deliveries, replayed, logged and signed', [ours], '/s', { name: 'bare libcurl, same bodies', values: [theirs] }, '≥ 0.7');
  await c.server.stop('SIGKILL');
  await c.sandbox.stop('SIGKILL');
  sink.stop();
}

/* Streams are read with plain sockets and counted by their "id:" lines. */
function openStream(server, onEvent) {
  return new Promise((resolve, reject) => {
    const [host, port] = server.address.split(':');
    const socket = connectSocket(Number(port), host, () => socket.write(
      `GET /api/events HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer ${key}\r\nAccept: text/event-stream\r\n\r\n`));
    socket.once('data', () => resolve(socket)).on('error', reject);
    if (onEvent) socket.on('data', (d) => { for (let i = -1; (i = d.indexOf('\nid: ', i + 1)) >= 0;) onEvent(); });
  });
}

async function streams({ size, row }) {
  const c = await connected('streams', ['--connections-max', '20000']);
  let got = 0;
  const readers = [];
  for (let i = 0; i < 100; i++) readers.push(await openStream(c.server, () => got++));
  const began = performance.now();
  const r = await toolAsync('load', c.server.address, '--connections', 64, '--seconds', size.seconds, '--rate', 1000, '--number', 800000000000,
    ...c.hook, '--bodies', folder('updates2'), c.path);
  while (got < r.done * 100 && performance.now() - began < 60000) await pause(10);
  row('events streamed to 100 readers at 1,000 events/s', [got / ((performance.now() - began) / 1000)], '/s');
  readers.forEach((s) => s.destroy());
  await pause(500);
  const before = memoryMb(c.server.pid);
  const idle = [];
  for (let i = 0; i < size.streams; i += 100) idle.push(...await Promise.all(Array.from({ length: 100 }, () => openStream(c.server))));
  row(`memory per idle stream (${size.streams} open)`, [((memoryMb(c.server.pid) - before) * 1024) / size.streams], 'KB');
  idle.forEach((s) => s.destroy());
  await c.server.stop('SIGKILL');
  await c.sandbox.stop('SIGKILL');
}

export async function webhooks(run) {
  await inboundToWebhook(run);
  await deliveries(run);
  await streams(run);
}
