// A PostgreSQL for a test file: the one that PARLEY_TEST_DATABASE_URL names, or a throw-away one of tools/with-postgres.
// `postgresMissing` says why there is none, or is false.
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
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

export class Postgres {
  made = 0;

  static async start() {
    const postgres = new Postgres();
    postgres.url = given;
    if (given) return postgres;
    // It ends when its command does, and that is when nobody holds its input any more: also when this process is killed.
    postgres.child = spawn(withPostgres, ["sh", "-c", 'echo "$PARLEY_TEST_DATABASE_URL"; exec cat >/dev/null'], { stdio: ["pipe", "pipe", "inherit"] });
    const lines = createInterface({ input: postgres.child.stdout });
    [postgres.url] = await Promise.race([once(lines, "line"), once(postgres.child, "exit").then(() => Promise.reject(new Error("no PostgreSQL started")))]);
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
    if (!this.child) return;
    const ended = once(this.child, "exit");
    this.child.stdin.end();
    await ended;
  }
}
