// server.mjs -- the service that somebody would write instead: Fastify and better-sqlite3, with care.
//
//     node server.mjs DATABASE PORT PROCESSES        node server.mjs --seed DATABASE EMPTY COUNT...
//
// Answers are written by schema (fast-json-stringify), statements are prepared once, writes share commits, and each process of
// the cluster has a connection of its own. PARLEY_API_KEY is the one key, WEBHOOK_SECRET what updates must carry.
import cluster from 'node:cluster';
import { createHash, timingSafeEqual } from 'node:crypto';
import Fastify from 'fastify';
import { groupCommit, open, seed } from './database.mjs';

const sha256 = (text) => createHash('sha256').update(text).digest();
const publicId = (prefix, id) => `${prefix}_${id.toString(36).padStart(11, '0')}`;
const privateId = (prefix, text) => (text.startsWith(`${prefix}_`) ? parseInt(text.slice(prefix.length + 1), 36) || 0 : 0);
const time = (ms) => (ms ? new Date(ms).toISOString() : null);
const parsed = (text) => (text === null ? null : JSON.parse(text));

const text = { type: 'string' };
const maybe = { type: 'string', nullable: true };
const anything = {};
const MESSAGE = {
  type: 'object',
  properties: {
    id: text, chat_id: text, external_id: maybe, direction: text, body: maybe, status: text, external_comment_id: maybe,
    error_message: maybe, platform_data: anything, external_posted_at: maybe, external_delivered_at: maybe, external_read_at: maybe,
    external_edited_at: maybe, reply_to_external_id: maybe, reply_markup: anything, external_deleted_at: maybe,
    reactions: { type: 'array', items: anything }, attachments: { type: 'array', items: anything }, is_unsupported: { type: 'boolean' },
    created_at: text,
  },
};
const number = { type: 'integer' };
const PAGE = { type: 'object', properties: { total: number, page: number, per_page: number, data: { type: 'array', items: MESSAGE } } };

const view = (m) => ({
  id: publicId('msg', m.id), chat_id: publicId('chat', m.chat_id), external_id: m.external_id, direction: m.direction, body: m.body,
  status: m.status, external_comment_id: m.external_comment_id, error_message: m.error_message, platform_data: parsed(m.platform_data),
  external_posted_at: time(m.posted_at), external_delivered_at: time(m.delivered_at), external_read_at: time(m.read_at),
  external_edited_at: time(m.edited_at), reply_to_external_id: m.reply_to_external_id, reply_markup: parsed(m.reply_markup),
  external_deleted_at: time(m.deleted_at), reactions: m.reactions === null ? [] : JSON.parse(m.reactions), attachments: [],
  is_unsupported: m.is_unsupported === 1, created_at: time(m.created_at),
});

/** A key is looked up by its hash, and believed for five seconds. */
function keyCheck(db) {
  const find = db.prepare('SELECT id FROM api_key WHERE hash = ?');
  const known = new Map();
  return (request, reply, done) => {
    const header = request.headers.authorization ?? '';
    const hash = header.startsWith('Bearer ') ? sha256(header.slice(7)) : null;
    const name = hash?.toString('latin1');
    if (hash && (known.get(name) ?? 0) < Date.now()) {
      known.delete(name);
      if (find.get(hash)) known.set(name, Date.now() + 5000);
    }
    if (hash && known.has(name)) return done();
    reply.code(401).send({ error: 'The API key is missing or wrong' });
  };
}

function routes(app, db) {
  const commit = groupCommit(db);
  const check = keyCheck(db);
  const oneMessage = db.prepare('SELECT * FROM message WHERE id = ?');
  const oneChat = db.prepare('SELECT * FROM chat WHERE id = ?');
  const page = db.prepare('SELECT * FROM message WHERE chat_id = ? ORDER BY sort_at DESC, id DESC LIMIT ? OFFSET ?');
  const accept = db.prepare(`INSERT INTO message (chat_id, direction, status, body, reply_to_external_id, sort_at, created_at)
    VALUES (?, 'outbound', 'pending', ?, ?, ?, ?) RETURNING *`);
  const addJob = db.prepare(`INSERT INTO job (kind, chat_id, state, due_at, message_id)
    VALUES ('send', @chat, EXISTS (SELECT 1 FROM job WHERE chat_id = @chat), @now, @message)`);
  const pending = db.prepare('UPDATE chat SET n_pending = n_pending + 1 WHERE id = ?');
  const participant = db.prepare(`INSERT INTO chat (participant_external_id, participant_name, participant_username, created_at)
    VALUES (?, ?, ?, ?) ON CONFLICT (participant_external_id) DO UPDATE SET participant_name = excluded.participant_name,
    participant_username = excluded.participant_username RETURNING *`);
  const chatOf = db.prepare('SELECT * FROM chat WHERE participant_external_id = ?');
  const receive = db.prepare(`INSERT INTO message (chat_id, direction, status, external_id, body, posted_at, sort_at, created_at)
    VALUES (?, 'inbound', 'received', ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING *`);
  const touch = db.prepare(`UPDATE chat SET n_received = n_received + 1, last_inbound_at = max(last_inbound_at, @at),
    last_message_at = max(last_message_at, @at) WHERE id = @chat`);
  const addEvent = db.prepare("INSERT INTO event (chat_id, type, data, created_at) VALUES (?, 'message.received', ?, ?)");
  const notFound = (reply, what) => reply.code(404).send({ error: `No such ${what}` });

  app.get('/api/messages/:id', { onRequest: check, schema: { response: { 200: MESSAGE } } }, (request, reply) => {
    const message = oneMessage.get(privateId('msg', request.params.id));
    return message ? reply.send(view(message)) : notFound(reply, 'message');
  });

  const query = { type: 'object', properties: {
    page: { type: 'integer', minimum: 0, default: 0 }, per_page: { type: 'integer', minimum: 1, maximum: 100, default: 20 } } };
  app.get('/api/chats/:id/messages', { onRequest: check, schema: { querystring: query, response: { 200: PAGE } } }, (request, reply) => {
    const chat = oneChat.get(privateId('chat', request.params.id));
    if (!chat) return notFound(reply, 'chat');
    const { page: at, per_page: each } = request.query;
    return reply.send({ total: chat.n_received + chat.n_pending, page: at, per_page: each, data: page.all(chat.id, each, at * each).map(view) });
  });

  const draft = { type: 'object', required: ['body'], additionalProperties: false, properties: {
    body: { type: 'string', minLength: 1, maxLength: 4096 }, reply_to_external_id: { type: 'string', nullable: true } } };
  app.post('/api/chats/:id/messages', { onRequest: check, schema: { body: draft, response: { 202: MESSAGE } } }, async (request, reply) => {
    const message = await commit(() => {
      const chat = oneChat.get(privateId('chat', request.params.id));
      if (!chat) return null;
      const now = Date.now();
      const m = accept.get(chat.id, request.body.body, request.body.reply_to_external_id ?? null, now, now);
      addJob.run({ chat: chat.id, now, message: m.id });
      pending.run(chat.id);
      return m;
    });
    if (!message) return notFound(reply, 'chat');
    return reply.code(202).send(view(message));
  });

  const secret = sha256(process.env.WEBHOOK_SECRET ?? '');
  app.post('/webhooks/telegram', { schema: { response: { 200: { type: 'object', properties: {} } } } }, async (request, reply) => {
    if (!timingSafeEqual(sha256(request.headers['x-telegram-bot-api-secret-token'] ?? ''), secret))
      return reply.code(401).send({ error: 'The secret is missing or wrong' });
    const update = request.body.message;
    if (update?.chat?.type !== 'private' || !update.from) return {};
    await commit(() => {
      const now = Date.now();
      const name = [update.from.first_name, update.from.last_name].filter(Boolean).join(' ');
      let chat = chatOf.get(String(update.chat.id));
      if (chat?.participant_name !== name || chat.participant_username !== (update.from.username ?? null))
        chat = participant.get(String(update.chat.id), name, update.from.username ?? null, now);
      const at = update.date * 1000;
      const message = receive.get(chat.id, String(update.message_id), update.text ?? null, at, at, now);
      if (!message) return; // known already
      touch.run({ chat: chat.id, at: message.posted_at });
      addEvent.run(chat.id, JSON.stringify({ message: view(message) }), now);
    });
    return {};
  });
}

async function serve(file, port) {
  const app = Fastify({ bodyLimit: 1 << 20 });
  routes(app, open(file));
  await app.listen({ port: Number(port), host: '127.0.0.1' });
}

const [first, ...rest] = process.argv.slice(2);
if (first === '--seed') {
  seed(rest[0], rest.slice(2).map(Number), Number(rest[1]), sha256(process.env.PARLEY_API_KEY));
} else if (cluster.isPrimary && Number(rest[1]) > 1) {
  let listening = 0;
  for (let i = 0; i < Number(rest[1]); i++) cluster.fork();
  process.on('SIGTERM', () => {
    for (const worker of Object.values(cluster.workers)) worker.process.kill('SIGKILL');
    process.exit(0);
  });
  cluster.on('listening', () => ++listening === Number(rest[1]) && console.log('listening', ...Object.values(cluster.workers).map((w) => w.process.pid)));
} else {
  await serve(first, rest[0]);
  if (cluster.isPrimary) console.log('listening', process.pid);
}
