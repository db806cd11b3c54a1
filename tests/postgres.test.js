// A database server over TLS, and one that fails over to its standby.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

import { asServer, PostgresServer } from "./lib/postgres.js";
import { run, temporaryFolder } from "./lib/process.js";
import { steadyPort } from "./lib/trouble.js";
import { until } from "./lib/until.js";
import { onPostgres, World } from "./lib/world.js";

const skip = !onPostgres && "there is no PostgreSQL";

describe("over TLS", { skip }, () => {
  const password = "hush-hush-0123456789";
  const folder = temporaryFolder();
  const w = new World({ secrets: [password] });
  let postgres, port;

  const openssl = (...args) => execFileSync("openssl", args, { cwd: folder, stdio: "pipe" });

  /** A certification authority, and with it a certificate for 127.0.0.1. */
  function certify(name) {
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", `/CN=${name}`, "-keyout", `${name}.key`, "-out", `${name}.crt`);
  }
  const url = (options) => `postgres://parley:${password}@127.0.0.1:${port}/secure?${options}`;

  before(async () => {
    postgres = await PostgresServer.start();
    port = await steadyPort();
    certify("ours");
    certify("theirs");
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
      "-keyout", "server.key", "-out", "server.csr");
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ours.crt", "-CAkey", "ours.key", "-CAcreateserial", "-days", "2", "-copy_extensions", "copy", "-out", "server.crt");
    for (const name of ["server.crt", "server.key"]) {
      copyFileSync(join(folder, name), join(postgres.folder, name));
      chmodSync(join(postgres.folder, name), 0o644);
      asServer("cp", [join(postgres.folder, name), join(postgres.data, name)]);
    }
    asServer("chmod", ["600", join(postgres.data, "server.key")]);
    postgres.ask("CREATE DATABASE secure");
    postgres.ask(`ALTER ROLE parley PASSWORD '${password}'`);
    postgres.configure(["ssl = on", "listen_addresses = '127.0.0.1'"]);
    writeFileSync(join(postgres.data, "pg_hba.conf"), "local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n");
    // The port also names the socket, so what knows that one moves along.
    postgres.configure([`port = ${port}`]);
    postgres.restart("fast");
    postgres.url = postgres.url.replace("?", `?port=${port}&`);
    w.database = { ...w.database, PARLEY_DATABASE_URL: url(`sslmode=verify-full&sslrootcert=${folder}/ours.crt`) };
    await w.start();
  });
  after(async () => {
    try {
      await w.stop(); // which looks for the password in the log
    } finally {
      await postgres?.stop();
    }
  });

  test("every connection is encrypted, and all works", async () => {
    const talk = await w.talk();
    await talk.say("in secret");
    assert.equal(postgres.ask("SELECT count(*) > 3 AND bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE datname = 'secure'"), "t");
    const shown = readFileSync(`/proc/${w.server.child.pid}/cmdline`, "latin1");
    for (const text of [shown, ...w.server.lines, postgres.ask("SELECT string_agg(query, ' ') FROM pg_stat_activity")]) assert.ok(!text.includes(password), text);
  });

  for (const [what, options, says, secret = password] of [
    ["another authority's certificate is refused", () => `sslmode=verify-full&sslrootcert=${folder}/theirs.crt`, /certificate verify failed/],
    ["an authority that is not there", () => "sslmode=verify-full&sslrootcert=/nonexistent/ca.crt", /root certificate file "\/nonexistent\/ca\.crt" does not exist/],
    ["a server that wants TLS and a client that does not", () => "sslmode=disable", /no pg_hba\.conf entry.*no encryption/],
    ["a wrong password", () => `sslmode=verify-full&sslrootcert=${folder}/ours.crt`, /password authentication failed/, "wrong-hush-9876543210"],
  ])
    test(what, async () => {
      const env = { ...w.settings, PARLEY_DATABASE_URL: url(options()).replace(password, secret) };
      for (const command of [["serve", "--listen", "127.0.0.1:0"], ["doctor"]]) {
        const { code, stdout, stderr } = await run(command, { env });
        assert.equal(code, 1);
        assert.match(stdout + stderr, says);
        assert.match(stdout + stderr, /The database cannot be reached/);
        assert.ok(!(stdout + stderr).includes(secret), stdout + stderr);
      }
    });
});

describe("when the database fails over", { skip }, () => {
  const w = new World();
  let primary, standby;

  before(async () => {
    primary = await PostgresServer.start();
    standby = primary.standby();
    const [host] = new URL(primary.url).searchParams.getAll("host");
    w.database = { ...w.database, PARLEY_DATABASE_URL: `postgres:///postgres?host=${host},${host}&port=5433,5432&user=parley&target_session_attrs=read-write` };
    await w.start();
  });
  after(async () => {
    try {
      await w.stop();
    } finally {
      await standby?.stop();
      await primary?.stop();
    }
  });

  /** Repeats a request until it is accepted; a 503 says when to. */
  const insists = (talk, body) => until(async () => {
    const answer = await talk.api.ask("POST", talk.messagesPath, { json: { body }, headers: { "Idempotency-Key": body } });
    assert.ok([202, 409, 503].includes(answer.status), answer.text);
    return answer.status === 202 && answer.json;
  }, `'${body}' is accepted`, 20);

  test("the server finds the new primary, and nothing is lost", async () => {
    const talk = await w.talk();
    await talk.say("before");
    await until(() => primary.ask("SELECT count(*) FROM pg_stat_replication WHERE replay_lsn = pg_current_wal_lsn()") === "1", "the standby has all");
    primary.control("-m", "immediate", "stop");
    const down = await w.api.ask("POST", talk.messagesPath, { json: { body: "nobody there" } });
    assert.equal(down.status, 503, down.text);
    assert.match(down.json.error, /database cannot be reached/);
    assert.ok(Number(down.headers.get("retry-after")) >= 1);
    standby.control("promote");
    const sent = await insists(talk, "after");
    await talk.reaches(sent, "published", 20);
    assert.deepEqual((await talk.onTelegram()).filter((m) => m.direction === "out").map((m) => m.text), ["before", "after"]);
    await talk.hear("heard");
    assert.equal(standby.ask("SELECT pg_is_in_recovery()"), "f");
  });

  test("one that becomes a standby while connected to is left alone", async () => {
    // As behind an address that moves: the connection leads to a server that takes no writes any more.
    const talk = await w.talk();
    await talk.say("still writable");
    standby.ask("ALTER SYSTEM SET default_transaction_read_only = on");
    standby.ask("SELECT pg_reload_conf()");
    standby.control("-m", "fast", "restart");
    const refused = await w.api.ask("POST", talk.messagesPath, { json: { body: "nowhere to" } });
    assert.equal(refused.status, 503, refused.text);
    standby.ask("ALTER SYSTEM RESET default_transaction_read_only");
    standby.ask("SELECT pg_reload_conf()");
    await talk.reaches(await insists(talk, "writable again"), "published", 20);
  });
});
