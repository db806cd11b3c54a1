// world.mjs -- a sandbox with accounts and people on all four platforms, the server that serves them, and what the sandbox was asked.
import { createServer } from 'node:net';
import { folder, key, pause, start } from '../lib.mjs';
import { Client } from './client.mjs';

const often = (waits, last, n) => [...waits, ...Array(n).fill(last)].join(',');
/* Longer than any ordered delay: whoever asked has gone meanwhile, and nothing was done. */
const ABANDONED_MS = 10000;
const SETTINGS = {
  PARLEY_META_APP_ID: '1000200030004001', PARLEY_META_APP_SECRET: 'sandbox-app-secret-0123456789abcdef', PARLEY_META_VERIFY_TOKEN: 'soak',
  PARLEY_INSTAGRAM_APP_ID: '2000300040005001', PARLEY_INSTAGRAM_APP_SECRET: 'sandbox-instagram-secret-0123456789',
  PARLEY_BLUESKY_POLL_SECONDS: '1s', PARLEY_BLUESKY_ACTIVE_SECONDS: '500ms',
  PARLEY_RETRY_AFTER: often(['200ms', '500ms', '1s'], '2s', 13), PARLEY_WEBHOOK_RETRY_AFTER: often(['200ms', '500ms', '1s'], '3s', 13),
  PARLEY_ALLOW_PRIVATE_ADDRESSES: '127.0.0.0/8', PARLEY_PACE: 'no',
};

/** A free port below those that outgoing connections take, so that it is still free after a restart. */
export async function steadyPort() {
  for (;;) {
    const port = 20000 + Math.floor(Math.random() * 12000);
    const free = await new Promise((resolve) => {
      const s = createServer().once('error', () => resolve(false)).listen(port, '127.0.0.1', () => s.close(() => resolve(true)));
    });
    if (free) return port;
  }
}

export class World {
  talks = [];
  people = 0;

  async start() {
    this.sandbox = await start('sandbox', ['--listen', '127.0.0.1:0']);
    this.control = new Client(Number(this.sandbox.address.split(':')[1]));
    this.port = await steadyPort();
    await this.serve();
    const url = `http://127.0.0.1:${this.port}/webhooks/meta`;
    for (const object of ['page', 'instagram']) await this.sandboxed('POST', '/meta/app/callback', { object, url, verify_token: 'soak' });
    this.group = (await this.api.json('GET', '/api/profile_groups')).data[0];
  }

  async serve() {
    const url = this.sandbox.url;
    this.server = await start('serve', ['--data-dir', folder('soak'), '--listen', `127.0.0.1:${this.port}`, '--public-url', `http://127.0.0.1:${this.port}`], {
      ...SETTINGS, PARLEY_TELEGRAM_API_URL: url, PARLEY_META_GRAPH_URL: url, PARLEY_META_LOGIN_URL: url, PARLEY_INSTAGRAM_GRAPH_URL: `${url}/instagram`,
      PARLEY_INSTAGRAM_LOGIN_URL: `${url}/instagram`, PARLEY_INSTAGRAM_TOKEN_URL: `${url}/instagram`, PARLEY_BLUESKY_SERVICE_URL: url,
      PARLEY_BLUESKY_APPVIEW_URL: url, PARLEY_BLUESKY_PLC_URL: url,
    });
    this.api?.close();
    this.api = new Client(this.port, `Authorization: Bearer ${key}\r\n`);
    this.servedAt = Date.now();
  }

  sandboxed(method, path, body) {
    return this.control.json(method, `/sandbox${path}`, body);
  }

  async connect(credentials) {
    return (await this.api.json('POST', `/api/profile_groups/${this.group.id}/initialize_connection`, credentials)).profile;
  }

  /** An account of that platform with `people` who have written to it: talks. */
  async account(platform, people) {
    const account = await { telegram: () => this.telegram(), facebook: () => this.meta('page'), instagram: () => this.meta('instagram'), bluesky: () => this.bluesky() }[platform]();
    account.profile = await this.connect(account.credentials);
    for (let i = 0; i < people; i++) {
      const person = await account.person(++this.people);
      const talk = { number: this.talks.length, platform, account, person, said: { i: 0, o: 0 }, busy: { i: false, o: false } };
      talk.write = (text, file) => account.write(person, text, file);
      this.talks.push(talk);
      await talk.write('Hello');
    }
    return account;
  }

  async telegram() {
    const n = this.bots = (this.bots ?? 0) + 1;
    const bot = await this.sandboxed('POST', '/telegram/bots', { first_name: 'Soak', username: `soak_${n}_bot` });
    const chats = `/telegram/bots/${bot.id}/chats`;
    return {
      id: String(bot.id), credentials: { platform: 'telegram', bot_token: bot.token },
      person: async (i) => String((await this.sandboxed('POST', '/telegram/users', { id: 7300000 + i, first_name: 'Mina' })).id),
      write: (person, text, file) => (file ? this.upload(`${chats}/${person}/messages`, text, file) : this.sandboxed('POST', `${chats}/${person}/messages`, { text })),
      calls: (after) => this.sandboxed('GET', `/telegram/bots/${bot.id}/calls?after=${after}`),
      isSend: (call) => call.method.startsWith('send') && call.method !== 'sendChatAction',
      after: 0,
    };
  }

  async meta(kind) {
    const n = this.pages = (this.pages ?? 0) + 1;
    const made = await this.sandboxed('POST', '/meta/accounts', kind === 'page' ? { kind, name: `Soak ${n}`, username: `soak.${n}` } : { kind, login: true, name: `Soak ${n}`, username: `soak.${n}` });
    const chats = `/meta/accounts/${made.id}/chats`;
    return {
      id: made.id,
      credentials: kind === 'page' ? { platform: 'facebook', page_id: made.id, access_token: made.token } : { platform: 'instagram', account_id: made.id, access_token: made.token },
      person: async (i) => {
        const { scoped_ids } = await this.sandboxed('POST', '/meta/people', { first_name: `Person ${i}`, username: `person.${i}` });
        return scoped_ids[made.id] ?? Object.values(scoped_ids).at(-1);
      },
      write: (person, text) => this.sandboxed('POST', `${chats}/${person}/messages`, { text }),
      calls: (after) => this.sandboxed('GET', `/meta/calls?after=${after}&account=${made.id}`),
      isSend: (call) => call.operation === 'messages' && call.params.message,
      after: 0,
    };
  }

  async bluesky() {
    const make = async (handle) => {
      const made = await this.sandboxed('POST', '/bluesky/accounts', { handle, allow_incoming: 'all' });
      return { ...made, password: (await this.sandboxed('POST', `/bluesky/accounts/${handle}/app-passwords`, { name: 'chat', privileged: true })).password };
    };
    const n = this.desks = (this.desks ?? 0) + 1;
    const desk = await make(`soak${n}.sandbox.test`);
    return {
      id: desk.did, credentials: { platform: 'bluesky', identifier: desk.handle ?? `soak${n}.sandbox.test`, app_password: desk.password },
      person: async (i) => (await make(`soaker${i}.sandbox.test`)).did,
      write: (person, text) => this.sandboxed('POST', `/bluesky/accounts/${person}/messages`, { to: desk.did, text }),
      calls: (after) => this.sandboxed('GET', `/bluesky/calls?after=${after}&account=${desk.did}&method=sendMessage`),
      isSend: () => true,
      after: 0,
    };
  }

  upload(path, text, file) {
    const mark = 'soak-soak-soak';
    const part = (name, value, more = '') => `--${mark}\r\nContent-Disposition: form-data; name="${name}"${more}\r\n\r\n${value}\r\n`;
    const body = Buffer.from(part('kind', 'document') + part('caption', text)
      + part('file', file, '; filename="note.txt"\r\nContent-Type: text/plain') + `--${mark}--\r\n`);
    return this.control.json('POST', `/sandbox${path}`, body, `Content-Type: multipart/form-data; boundary=${mark}\r\n`);
  }

  /** The chats the server made of the people who wrote. */
  async findChats() {
    for (const account of new Set(this.talks.map((t) => t.account))) {
      const of = this.talks.filter((t) => t.account === account);
      for (const since = Date.now(); of.some((t) => !t.chat); await pause(100)) {
        if (Date.now() - since > 60000) throw new Error(`${of.filter((t) => !t.chat).length} of ${of.length} chats on ${of[0].platform} do not come`);
        const { data } = await this.api.json('GET', `/api/profiles/${account.profile.id}/chats?per_page=100`);
        for (const chat of data) {
          const talk = of.find((t) => String(t.person) === chat.participant_external_id);
          if (talk) talk.chat = chat.id;
        }
      }
    }
  }

  /** What arrived at the platforms since the last time: every send that was carried out, whether or not we heard of it. */
  async arrivals(each) {
    for (const account of new Set(this.talks.map((t) => t.account))) {
      const { data } = await account.calls(account.after), now = Date.now(), before = account.open ?? new Map();
      account.open = new Map(data.filter((call) => call.outcome === null).map((call) => [call.n, before.get(call.n) ?? now]));
      for (const call of data) {
        if (call.outcome === null && now - account.open.get(call.n) < ABANDONED_MS) break; /* still under way */
        account.after = call.n;
        if (account.isSend(call) && (call.outcome === 'cut_after' || (call.outcome === 'answered' && call.status === 200))) each(JSON.stringify(call.params), account);
      }
    }
  }
}
