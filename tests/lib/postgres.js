// A PostgreSQL for a test file: the one that PARLEY_TEST_DATABASE_URL names, or a throw-away one of tools/with-postgres; and one
// of the file's own, to be restarted and replaced. `postgresMissing` says why there is none, or is false.
import { execFile, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, readdirSync } from "node:fs";
import { createInterface } from "node:readline";
import { promisify } from "node:util";

const given = process.env.PARLEY_TEST_DATABASE_URL;
const withPostgres = new URL("../../tools/with-postgres", import.meta.url).pathname;

function isInstalled() {
  try {
    return readdirSync("/usr/lib/postgresql").length > 0;
  } catch {
    return false;
  }
}

export const postgresMissing = given || isInstalled() ? false : "PostgreSQL is not installed; `tools/install-deps postgres` does it";

/** Starts a throw-away server; gives the child that it ends with, and what `says` is in the shell beside it. */
async function startWithPostgres(says, env = {}) {
  // It ends when its command does, and that is when nobody holds its input any more: also when this process is killed.
  const child = spawn(withPostgres, ["sh", "-c", `echo "${says}"; exec cat >/dev/null`], { stdio: ["pipe", "pipe", "inherit"], env: { ...process.env, ...env } });
  const lines = createInterface({ input: child.stdout });
  const [line] = await Promise.race([once(lines, "line"), once(child, "exit").then(() => Promise.reject(new Error("no PostgreSQL started")))]);
  return { child, line };
}

async function endWithPostgres(child) {
  const ended = once(child, "exit");
  child.stdin.end();
  await ended;
}

export class Postgres {
  made = 0;

  static async start() {
    const postgres = new Postgres();
    postgres.url = given;
    if (given) return postgres;
    ({ child: postgres.child, line: postgres.url } = await startWithPostgres("$PARLEY_TEST_DATABASE_URL"));
    return postgres;
  }

  async query(sql, url = this.url) {
    return (await promisify(execFile)("psql", [url, "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "-c", sql])).stdout.trim();
  }

  /** The address of a new, empty database. */
  async database() {
    const name = `import_${process.pid}_${++this.made}`;
    await this.query(`CREATE DATABASE ${name}`);
    const url = new URL(this.url);
    url.pathname = `/${name}`;
    return url.href;
  }

  async stop() {
    if (this.child) await endWithPostgres(this.child);
  }
}

/** The server will not run as root, so root lends it to the user of Debian's package. */
export function asServer(command, args, options = {}) {
  const user = process.getuid() === 0 ? ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"] : [];
  const [first, ...rest] = [...user, command, ...args];
  return execFileSync(first, rest, { stdio: "ignore", cwd: "/", ...options });
}

/** A server of the file's own. `url` leads to its socket. */
export class PostgresServer {
  static async start(env) {
    const server = new PostgresServer();
    const { child, line } = await startWithPostgres("$PARLEY_TEST_POSTGRES_FOLDER $PARLEY_TEST_DATABASE_URL", env);
    server.child = child;
    [server.folder, server.url] = line.split(" ");
    server.data = `${server.folder}/data`;
    server.programs = execFileSync("sh", ["-c", "ls -d /usr/lib/postgresql/*/bin | sort -V | tail -1"], { encoding: "utf8" }).trim();
    return server;
  }

  ask(sql, url = this.url) {
    return execFileSync("psql", ["--no-psqlrc", "-qAt", "-c", sql, url], { encoding: "utf8" }).trim();
  }

  /** pg_ctl with what it is to do: "stop", "promote", ... */
  control(...args) {
    asServer(`${this.programs}/pg_ctl`, ["-D", this.data, "-l", `${this.folder}/server.log`, "-w", ...args]);
  }

  restart(mode) {
    this.control("-m", mode, "restart");
  }

  configure(lines, file = "postgresql.conf") {
    appendFileSync(`${this.data}/${file}`, `\n${lines.join("\n")}\n`);
  }

  /** A standby of this server, in the same folder at another port; it ends with stop() like this one. */
  standby() {
    const standby = Object.assign(new PostgresServer(), { folder: this.folder, programs: this.programs, data: `${this.folder}/standby`, port: 5433 });
    asServer(`${this.programs}/pg_basebackup`, ["-D", standby.data, "-R", "-c", "fast", "-h", this.folder, "-U", "parley"]);
    standby.configure([`port = ${standby.port}`, "hot_standby = on"]);
    standby.url = this.url.replace("?", `?port=${standby.port}&`);
    standby.control("start");
    return standby;
  }

  async stop() {
    if (this.child) await endWithPostgres(this.child);
    else this.control("-m", "immediate", "stop");
  }
}
