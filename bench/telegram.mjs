// telegram.mjs -- a server with the sandbox's bot connected to it, and updates as Telegram would push them.
import { writeFileSync } from 'node:fs';
import { call, folder, freePort, pause, start } from './lib.mjs';

export const TOKEN = '1000001:sandbox-default-bot-token-000000000';
const JSON_BODY = ['--method', 'POST', '--header', 'Content-Type: application/json'];

const control = (sandbox, path, body) => fetch(`${sandbox.url}/sandbox${path}`, {
  method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body),
});

export async function startSandbox(settings = {}) {
  const sandbox = await start('sandbox', ['--listen', '127.0.0.1:0']);
  await control(sandbox, '/settings', settings);
  return sandbox;
}

/** A sandbox in which `chats` people have written to the bot, which has read (nearly all of) it; no record of calls is kept. */
export async function crowdedSandbox(chats) {
  const sandbox = await startSandbox({ record_calls: false });
  for (let i = 0; i < chats; i++) {
    if (i > 0) await control(sandbox, '/telegram/users', { id: 7000001 + i, first_name: 'Mina' });
    await control(sandbox, `/telegram/bots/1000001/chats/${7000001 + i}/messages`, { text: '/start' });
  }
  await fetch(`${sandbox.url}/bot${TOKEN}/getUpdates?offset=-1`);
  return sandbox;
}

/* Telegram takes one setWebhook a second, and a server whose data knows the bot sets one when it starts; so it can take a moment. */
async function agreed(sandbox, url) {
  for (let tries = 0; tries < 100; tries++, await pause(100)) {
    const { data } = await fetch(`${sandbox.url}/sandbox/telegram/bots/1000001/calls?method=setWebhook`).then((r) => r.json());
    const secret = data.findLast((call) => call.status === 200)?.params.secret_token;
    const headers = { 'Content-Type': 'application/json', 'X-Telegram-Bot-Api-Secret-Token': secret ?? '' };
    if (secret && (await fetch(url, { method: 'POST', headers, body: '{"update_id":1}' })).ok) return secret;
  }
  throw new Error('server and sandbox do not agree on a webhook secret');
}

/** A server on `dir` with the bot connected, and `hook`: what the load tool needs to push updates. */
export async function connected(dir, sandbox, extra = []) {
  const port = await freePort();
  const server = await start('serve', ['--data-dir', dir, '--listen', `127.0.0.1:${port}`, '--threads', '2',
    '--telegram-api-url', sandbox.url, '--public-url', `http://127.0.0.1:${port}`, '--allow-private-addresses', '127.0.0.0/8', ...extra]);
  const group = (await call(server, 'GET', '/api/profile_groups')).data[0];
  const connect = () => call(server, 'POST', `/api/profile_groups/${group.id}/initialize_connection`, { platform: 'telegram', bot_token: TOKEN });
  const { profile } = await connect().catch((error) => {
    if (!/: 429 /.test(error.message)) throw error;
    return pause(1100).then(connect);
  });
  const path = `/webhooks/telegram/${profile.id}`, secret = await agreed(sandbox, server.url + path);
  const hookOf = (now) => [...JSON_BODY, '--header', `X-Telegram-Bot-Api-Secret-Token: ${now}`, path];
  /* a check of the account may have set the webhook again, with another secret: hookNow() asks */
  return { server, profile, secret, path, hook: hookOf(secret), hookNow: async () => hookOf(await agreed(sandbox, server.url + path)) };
}

/** A file of updates, one for each of `people`, whose numbers the load tool fills in: the arguments for it. */
export function updates(name, people) {
  const text = (id) => JSON.stringify({
    update_id: 'N', message: {
      message_id: 'N', date: 1790000000, text: 'My order has not arrived yet. Could you look?',
      from: { id, is_bot: false, first_name: 'Mina', username: `person_${id}`, language_code: 'en' },
      chat: { id, first_name: 'Mina', username: `person_${id}`, type: 'private' },
    },
  }).replaceAll('"N"', '@@@@@@@@@@@@');
  writeFileSync(folder(name), Array.from({ length: people }, (_, i) => text(7100000 + i)).join('\n') + '\n');
  return ['--bodies', folder(name)];
}

/** Arguments for posting a message to each of these chats in turn. */
export function posts(name, chats, auth) {
  writeFileSync(folder(`${name}-chats`), chats.map((id) => `/api/chats/${id}/messages`).join('\n') + '\n');
  writeFileSync(folder(`${name}-texts`), '{"body":"We do, to ninety countries. Number @@@@@@@@@@@@."}\n');
  return [...JSON_BODY, ...auth, '--bodies', folder(`${name}-texts`), `@${folder(`${name}-chats`)}`];
}
