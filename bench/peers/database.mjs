// database.mjs -- the peer's database: the rows that Parley keeps of a message, in SQLite, with the same promises.
import Database from 'better-sqlite3';

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS api_key (id INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE);
  CREATE TABLE IF NOT EXISTS chat (
    id INTEGER PRIMARY KEY, participant_external_id TEXT NOT NULL UNIQUE, participant_name TEXT, participant_username TEXT,
    n_received INTEGER NOT NULL DEFAULT 0, n_pending INTEGER NOT NULL DEFAULT 0, last_inbound_at INTEGER NOT NULL DEFAULT 0,
    last_message_at INTEGER NOT NULL DEFAULT 0, created_at INTEGER NOT NULL);
  CREATE TABLE IF NOT EXISTS message (
    id INTEGER PRIMARY KEY, chat_id INTEGER NOT NULL REFERENCES chat(id), direction TEXT NOT NULL, status TEXT NOT NULL,
    external_id TEXT, external_comment_id TEXT, body TEXT, error_message TEXT, platform_data TEXT, reply_to_external_id TEXT,
    reply_markup TEXT, reactions TEXT, is_unsupported INTEGER NOT NULL DEFAULT 0, posted_at INTEGER, delivered_at INTEGER,
    read_at INTEGER, edited_at INTEGER, deleted_at INTEGER, sort_at INTEGER NOT NULL, created_at INTEGER NOT NULL);
  CREATE INDEX IF NOT EXISTS message_page ON message(chat_id, sort_at, id);
  CREATE UNIQUE INDEX IF NOT EXISTS message_external ON message(external_id, chat_id) WHERE external_id IS NOT NULL;
  CREATE TABLE IF NOT EXISTS job (
    id INTEGER PRIMARY KEY, kind TEXT NOT NULL, chat_id INTEGER NOT NULL, state INTEGER NOT NULL, due_at INTEGER NOT NULL,
    message_id INTEGER NOT NULL);
  CREATE INDEX IF NOT EXISTS job_due ON job(due_at, id) WHERE state = 0;
  CREATE INDEX IF NOT EXISTS job_queue ON job(chat_id, id);
  CREATE TABLE IF NOT EXISTS event (
    id INTEGER PRIMARY KEY, chat_id INTEGER NOT NULL, type TEXT NOT NULL, data TEXT NOT NULL, created_at INTEGER NOT NULL);`;

export function open(file) {
  const db = new Database(file);
  db.pragma('journal_mode = WAL');
  db.pragma('synchronous = FULL');
  db.pragma('busy_timeout = 5000');
  db.pragma('cache_size = -16384');
  db.pragma('mmap_size = 1073741824');
  db.pragma('wal_autocheckpoint = 10000');
  return db;
}

const texts = [
  'Hello, do you ship to Lisbon?',
  'My order has not arrived yet and the tracking page has been saying the same thing since Monday. Could you look?',
  'Thanks!',
  'The blue one in size M, please, and the receipt to my work address if that is possible.',
];

/** Chats with so many received messages each, like bench-seed's, and `empty` more without any. */
export function seed(file, counts, empty, keyHash) {
  const db = open(file);
  db.exec(SCHEMA);
  db.pragma('synchronous = OFF');
  const now = Date.now();
  db.prepare('INSERT INTO api_key (hash) VALUES (?)').run(keyHash);
  const chat = db.prepare(`INSERT INTO chat (participant_external_id, participant_name, participant_username, n_received, created_at)
    VALUES (?, 'Mina Okafor', ?, ?, ?)`);
  const message = db.prepare(`INSERT INTO message (chat_id, direction, status, external_id, body, posted_at, sort_at, created_at)
    VALUES (?, 'inbound', 'received', ?, ?, ?, ?, ?)`);
  const fill = db.transaction((n, count) => {
    const { lastInsertRowid: id } = chat.run(String(7100000 + n), `person_${n}`, count, now);
    for (let i = 0; i < count; i++) {
      const at = 1700000000000 + i * 1000;
      message.run(id, String(n * 10000000 + i), texts[i % 4], at, at, now);
    }
  });
  [...counts, ...Array(empty).fill(0)].forEach((count, n) => fill(n, count));
  db.pragma('wal_checkpoint(TRUNCATE)');
  db.close();
}

/** Writes that wait for the same turn of the event loop share one transaction, and one wait for the disk. */
export function groupCommit(db) {
  let waiting = [];
  const run = db.transaction((batch) => batch.map((w) => {
    try {
      return { value: w.write() };
    } catch (error) {
      if (!db.inTransaction) throw error; // the whole transaction is gone, and all of it failed
      return { error };
    }
  }));
  function flush() {
    const batch = waiting;
    waiting = [];
    let results;
    try {
      results = run.immediate(batch);
    } catch (error) {
      results = batch.map(() => ({ error }));
    }
    batch.forEach((w, i) => (results[i].error ? w.reject(results[i].error) : w.resolve(results[i].value)));
  }
  return (write) => new Promise((resolve, reject) => {
    if (waiting.push({ write, resolve, reject }) === 1) setImmediate(flush);
  });
}
