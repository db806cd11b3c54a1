// outbound.mjs -- messages that were waiting are sent to the sandbox, against bare libcurl making the same requests.
import { folder, metric, start, tool } from './lib.mjs';

const CHATS = 1000;
const CONCURRENCY = 64;
const TOKEN = '1000001:sandbox-default-bot-token-000000000';

const pause = (ms) => new Promise((r) => setTimeout(r, ms));

async function freshSandbox() {
  const sandbox = await start('sandbox', ['--listen', '127.0.0.1:0']);
  const post = (path, body) => fetch(sandbox.url + path, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
  for (let i = 0; i < CHATS; i++) {
    if (i > 0) await post('/sandbox/telegram/users', { id: 7000001 + i, first_name: 'Mina' });
    await post(`/sandbox/telegram/bots/1000001/chats/${7000001 + i}/messages`, { text: '/start' });
  }
  await post('/sandbox/settings', { record_calls: false });
  return sandbox;
}

export async function outbound({ size, row }) {
  const ours = [], theirs = [];
  for (let i = 0; i < size.repeats; i++) {
    const dir = folder(`outbound-${i}`);
    const seeded = tool('seed', dir, 'pending', size.pending, CHATS);
    let sandbox = await freshSandbox();
    const server = await start('serve', ['--data-dir', dir, '--listen', '127.0.0.1:0', '--threads', '1', '--pace', 'no',
      '--telegram-api-url', sandbox.url, '--sends-per-profile', '256', '--connections-per-host', CONCURRENCY]);
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
    theirs.push(tool('limits', 'curl', `${sandbox.url}/bot${TOKEN}/sendMessage`, seeded.pending, CONCURRENCY,
      '{"chat_id":7000001,"text":"My order has not arrived yet. Could you look?"}').per_second);
    await sandbox.stop('SIGKILL');
  }
  row(`messages delivered to the sandbox, ${CHATS} chats, no pace`, ours, '/s',
    { name: 'bare libcurl, same requests', values: theirs }, '≥ 0.7');
}
