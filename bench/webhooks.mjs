// webhooks.mjs -- from an update taken in to the signed webhook received; deliveries against bare libcurl; streams.
import { createServer } from 'node:http';
import { connect as connectSocket } from 'node:net';
import { call, cpuOf, cpuSeconds, folder, inTurns, key, memoryMb, metric, nginx, pause, perSecond, tool, toolAsync } from './lib.mjs';
import { connected, startSandbox, updates } from './telegram.mjs';

/* Bodies that say when they were written: the load tool cannot, so this process sends these itself, at a fixed rate. */
async function latency(c, rate, seconds, seen) {
  const total = rate * seconds;
  const began = performance.now();
  let sent = 0;
  seen.length = 0;
  await new Promise((resolve) => {
    const tick = setInterval(() => {
      const due = Math.min(total, Math.floor(((performance.now() - began) / 1000) * rate));
      for (; sent < due; sent++) {
        const person = 7200000 + (sent % 200), id = c.next++;
        fetch(c.server.url + c.path, {
          method: 'POST', headers: { 'Content-Type': 'application/json', 'X-Telegram-Bot-Api-Secret-Token': c.secret },
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
  const sandbox = await startSandbox();
  const c = { ...await connected(folder('latency'), sandbox), next: 500000000000 };
  const seen = [];
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
    const [runs] = await inTurns(size.repeats, () => latency(c, rate, size.seconds, seen));
    row(`update taken in → signed webhook received, ${rate.toLocaleString('en')}/s: p50`, runs.map((r) => r.p50), 'ms');
    row(`update taken in → signed webhook received, ${rate.toLocaleString('en')}/s: p99`, runs.map((r) => r.p99), 'ms', null, rate === 1000 ? '< 25 ms' : '');
  }
  receiver.closeAllConnections();
  receiver.close();
  await c.server.stop('SIGKILL');
  await sandbox.stop('SIGKILL');
}

async function deliveries({ size, row }) {
  const sink = await nginx({});
  const sandbox = await startSandbox();
  const c = await connected(folder('deliveries'), sandbox);
  const bodies = updates('deliveries-updates', 200);
  const since = new Date(Date.now() - 60000).toISOString();
  let stored = 0, number = 300000000000;
  while (stored < size.events) {
    const r = tool('load', c.server.address, '--connections', 64, '--seconds', 0.5, '--number', number, ...bodies, ...c.hook);
    stored += r.done;
    number = r.next_number;
  }
  const hook = await call(c.server, 'POST', '/api/webhooks', { url: `${sink.url}/sink`, events: ['message.received'], concurrency: 256 });
  const sample = (await call(c.server, 'GET', '/api/events?limit=1&types=message.received')).data[0];
  const total = () => metric(c.server, 'parley_deliveries_total');
  const ours = async () => {
    const began = performance.now(), before = cpuSeconds(c.server.pid), due = await total() + stored;
    await call(c.server, 'POST', `/api/webhooks/${hook.id}/replay`, { since });
    while (await total() < due) await pause(20);
    return { per_second: stored / ((performance.now() - began) / 1000), cpu_us: ((cpuSeconds(c.server.pid) - before) / stored) * 1e6 };
  };
  const theirs = () => tool('limits', 'curl', `${sink.url}/sink`, stored, 64, JSON.stringify(sample));
  const [us, them] = await inTurns(size.repeats, ours, theirs);
  row('webhook deliveries, replayed, logged and signed', perSecond(us), '/s',
    { name: 'bare libcurl, same bodies', values: perSecond(them), cpu: cpuOf(them) }, '≥ 0.8', { cpu: cpuOf(us) });
  await c.server.stop('SIGKILL');
  await sandbox.stop('SIGKILL');
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
  const sandbox = await startSandbox();
  const c = await connected(folder('streams'), sandbox, ['--connections-max', '20000']);
  const bodies = updates('streams-updates', 200);
  let got = 0, number = 800000000000;
  const readers = [];
  for (let i = 0; i < 100; i++) readers.push(await openStream(c.server, () => got++));
  const [runs] = await inTurns(size.repeats, async () => {
    const before = cpuSeconds(c.server.pid), began = performance.now();
    got = 0;
    const r = await toolAsync('load', c.server.address, '--connections', 64, '--seconds', size.seconds, '--rate', 1000, '--number', number,
      ...bodies, ...c.hook);
    number = r.next_number;
    while (got < r.done * 100 && performance.now() - began < 60000) await pause(5);
    if (got < r.done * 100) throw new Error(`${r.done * 100 - got} events of ${r.done * 100} did not come`);
    return { per_second: got / ((performance.now() - began) / 1000), cpu_us: ((cpuSeconds(c.server.pid) - before) / got) * 1e6 };
  });
  row('events streamed to 100 readers at 1,000 events/s', perSecond(runs), '/s', null, '', { cpu: cpuOf(runs) });
  readers.forEach((s) => s.destroy());
  await pause(500);
  const before = memoryMb(c.server.pid);
  const idle = [];
  for (let i = 0; i < size.streams; i += 100) idle.push(...await Promise.all(Array.from({ length: 100 }, () => openStream(c.server))));
  const memory = memoryMb(c.server.pid);
  row(`memory with ${size.streams.toLocaleString('en')} open streams`, [memory], 'MB', null, '< 200 MB');
  row('memory of one of them', [((memory - before) * 1024) / size.streams], 'KB');
  idle.forEach((s) => s.destroy());
  await c.server.stop('SIGKILL');
  await sandbox.stop('SIGKILL');
}

export async function webhooks(run) {
  if (!run.size.brief) await inboundToWebhook(run);
  await deliveries(run);
  if (!run.size.brief) await streams(run);
  run.note('A delivery costs one durable transaction after its answer: the entry in the log, the end of its job, the next of its chat.');
}
