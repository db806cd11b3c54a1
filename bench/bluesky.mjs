// bluesky.mjs -- what it costs to poll thousands of quiet accounts, and how soon a message is heard of in a lively one.
import { createServer } from 'node:http';
import { call, cpuSeconds, folder, memoryMb, metric, pause, start } from './lib.mjs';

const post = (url, body) => fetch(url, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) }).then((r) => r.json());

async function connect(server, sandbox, group, handle, password) {
  const path = `/api/profile_groups/${group.id}/initialize_connection`;
  return (await call(server, 'POST', path, { platform: 'bluesky', identifier: handle, app_password: password })).profile;
}

/** Connects that many accounts, some at a time. */
async function crowd(server, sandbox, group, count) {
  let next = 0;
  const one = async () => {
    while (next < count) {
      const handle = `quiet${next++}.sandbox.test`;
      await post(`${sandbox.url}/sandbox/bluesky/accounts`, { handle });
      const { password } = await post(`${sandbox.url}/sandbox/bluesky/accounts/${handle}/app-passwords`, { name: 'chat', privileged: true });
      await connect(server, sandbox, group, handle, password);
    }
  };
  await Promise.all(Array.from({ length: 16 }, one));
}

/* Messages come at any moment between two polls. */
async function latency(server, sandbox, group, row, repeats) {
  const waits = [];
  let heard = () => {};
  const site = createServer((request, response) => {
    let body = '';
    request.on('data', (piece) => (body += piece));
    request.on('end', () => {
      response.end();
      heard(JSON.parse(body).data.object.body);
    });
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => site.once('listening', resolve));
  await call(server, 'POST', '/api/webhooks', { url: `http://127.0.0.1:${site.address().port}/`, events: ['message.received'] });
  await connect(server, sandbox, group, 'desk.sandbox.test', 'desk-2222-chat-2222');
  for (let i = 0; i < repeats + 1; i++) {
    const arrived = new Promise((resolve) => (heard = (text) => text === `message ${i}` && resolve()));
    await pause(Math.random() * 5000);
    const began = process.hrtime.bigint();
    await post(`${sandbox.url}/sandbox/bluesky/accounts/mina.sandbox.test/messages`, { to: 'desk.sandbox.test', text: `message ${i}` });
    await arrived;
    if (i > 0) waits.push(Number(process.hrtime.bigint() - began) / 1e6); /* the first wakes the conversation up */
  }
  site.close();
  row('message to webhook in a lively conversation (asked every 5 s)', waits, 'ms');
}

async function serve(sandbox, name, env) {
  const server = await start('serve', ['--data-dir', folder(name), '--listen', '127.0.0.1:0', '--threads', '1',
    '--allow-private-addresses', '127.0.0.0/8'], { PARLEY_BLUESKY_SERVICE_URL: sandbox.url, ...env });
  return { server, group: (await call(server, 'GET', '/api/profile_groups')).data[0] };
}

export async function bluesky({ size, row }) {
  const sandbox = await start('sandbox', ['--listen', '127.0.0.1:0']);
  await post(`${sandbox.url}/sandbox/settings`, { record_calls: false });
  const lively = await serve(sandbox, 'bluesky-lively', {});
  await latency(lively.server, sandbox, lively.group, row, size.bluesky_messages);
  await lively.server.stop('SIGKILL');

  /* Asked every minute, so that a minute shows all of them; the default is five. Just connected ones would be asked more often
   * for a while. */
  const { server, group } = await serve(sandbox, 'bluesky', { PARLEY_BLUESKY_ACTIVE_SECONDS: '0', PARLEY_BLUESKY_POLL_SECONDS: '60' });
  await crowd(server, sandbox, group, size.bluesky_accounts);
  const before = { cpu: cpuSeconds(server.pid), polls: await metric(server, 'parley_polls_total') };
  await pause(size.bluesky_seconds * 1000);
  const polls = await metric(server, 'parley_polls_total') - before.polls;
  const what = `${size.bluesky_accounts.toLocaleString('en')} quiet accounts, asked every 60 s`;
  row(`${what}: polls`, [polls / size.bluesky_seconds], '/s');
  row(`${what}: of one processor`, [((cpuSeconds(server.pid) - before.cpu) / size.bluesky_seconds) * 100], '%');
  row(`${what}: memory`, [memoryMb(server.pid)], 'MB');
  await server.stop('SIGKILL');
  await sandbox.stop('SIGKILL');
}
