// PgBouncer before a PostgreSQL server, handing each transaction to whichever of its few connections is free.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, writeFileSync } from "node:fs";
import net from "node:net";

import { steadyPort } from "./trouble.js";
import { until } from "./until.js";

const program = "/usr/sbin/pgbouncer";

export const pgbouncerMissing = existsSync(program) ? false : "pgbouncer is not installed; `tools/install-deps postgres` does it";

export class PgBouncer {
  /** `settings` are further lines of its [pgbouncer] section. */
  static async start(postgres, settings = []) {
    const bouncer = new PgBouncer();
    bouncer.port = await steadyPort();
    bouncer.file = `${postgres.folder}/pgbouncer-${bouncer.port}.ini`;
    writeFileSync(`${bouncer.file}.users`, '"parley" ""\n');
    writeFileSync(bouncer.file, `[databases]
* = host=${postgres.folder} user=parley
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${bouncer.port}
unix_socket_dir =
auth_type = trust
auth_file = ${bouncer.file}.users
pool_mode = transaction
max_client_conn = 200
${settings.join("\n")}
`);
    for (const path of [bouncer.file, `${bouncer.file}.users`]) chmodSync(path, 0o644);
    await bouncer.run();
    return bouncer;
  }

  url(database = "postgres") {
    return `postgres://parley@127.0.0.1:${this.port}/${database}`;
  }

  async run() {
    const user = process.getuid() === 0 ? ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"] : [];
    const [first, ...rest] = [...user, program, "-q", this.file];
    this.child = spawn(first, rest, { stdio: ["ignore", "ignore", "pipe"], cwd: "/" });
    this.said = "";
    this.child.stderr.on("data", (piece) => (this.said += piece));
    await until(() => new Promise((resolve, reject) => {
      if (this.child.exitCode !== null) return reject(new Error(`pgbouncer ended: ${this.said}`));
      const socket = net.connect(this.port, "127.0.0.1", () => resolve(socket.destroy()));
      return socket.on("error", () => resolve(false));
    }), "pgbouncer listens");
  }

  async stop(signal = "SIGKILL") {
    const ended = once(this.child, "exit");
    this.child.kill(signal);
    await ended;
  }
}
