// A bucket to keep media in: OpenStack's Swift with its S3 interface, four processes on loopback with their data in a folder of
// the test's. It checks signatures itself, as S3 does. `swiftMissing` says why it cannot be started here, or is false.
import { spawn } from "node:child_process";
import { createHash, createHmac } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import net from "node:net";
import { userInfo } from "node:os";
import { join } from "node:path";

import { temporaryFolder } from "./process.js";
import { until } from "./until.js";

const programs = ["account", "container", "object", "proxy"];

export const swiftMissing = programs.every((name) => existsSync(`/usr/bin/swift-${name}-server`))
  ? false
  : "swift is not installed; `tools/install-deps s3` does it";

const KEY_ID = "test:tester";
const SECRET = "secret-of-the-bucket-0123456789";
const REGION = "us-east-1";

// Where each kind of data is (one place, one copy, for all names); then the four servers, each a process that goes with the first.
const launcher = `
import ctypes, os, signal, sys
import swift.account.server, swift.container.server, swift.obj.server, swift.proxy.server
from swift.common.ring import RingBuilder
from swift.common.wsgi import run_wsgi
folder, ports = sys.argv[1], sys.argv[2:]
for name, port in zip(("account", "container", "object"), ports):
    ring = RingBuilder(2, 1, 0)
    ring.add_dev({"id": 0, "region": 1, "zone": 1, "ip": "127.0.0.1", "port": int(port), "device": "disk", "weight": 1,
                  "replication_ip": "127.0.0.1", "replication_port": int(port), "meta": ""})
    ring.rebalance()
    ring.get_ring().save(folder + "/" + name + ".ring.gz")
for name in ("account", "container", "object", "proxy"):
    if os.fork() == 0:
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
        os._exit(run_wsgi(folder + "/" + name + "-server.conf", name + "-server", verbose=True))
os.wait()
os._exit(1)
`;

function settings(folder, name, port) {
  const general = `[DEFAULT]
bind_ip = 127.0.0.1
bind_port = ${port}
swift_dir = ${folder}
devices = ${folder}
mount_check = false
workers = 0
user = ${userInfo().username}
log_statsd_host =
fallocate_reserve = 0
`;
  if (name !== "proxy")
    return `${general}
[pipeline:main]
pipeline = ${name}-server

[app:${name}-server]
use = egg:swift#${name}
`;
  return `${general}
[pipeline:main]
pipeline = catch_errors cache s3api tempauth slo proxy-server

[filter:catch_errors]
use = egg:swift#catch_errors

# Tokens would be kept in it, which are not used; without the filter the next one refuses to work.
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:1

[filter:s3api]
use = egg:swift#s3api
location = ${REGION}
s3_acl = false

[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = ${SECRET} .admin

[filter:slo]
use = egg:swift#slo

[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
`;
}

async function freePorts(n) {
  const servers = Array.from({ length: n }, () => net.createServer().listen(0, "127.0.0.1"));
  await Promise.all(servers.map((server) => once(server, "listening")));
  const ports = servers.map((server) => server.address().port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

export class Swift {
  said = "";

  /** With a bucket of that name in it. */
  static async start(bucket = "media") {
    const swift = new Swift();
    swift.bucket = bucket;
    try {
      await swift.#start();
      const made = await swift.ask("PUT", `/${bucket}`);
      if (made.status !== 200) throw new Error(`the bucket is not made: ${made.status} ${await made.text()}`);
    } catch (error) {
      await swift.stop();
      throw new Error(`${error.message}\n${swift.said.slice(-5000)}`);
    }
    return swift;
  }

  async #start() {
    this.folder = temporaryFolder();
    mkdirSync(join(this.folder, "disk"));
    writeFileSync(join(this.folder, "swift.conf"), "[swift-hash]\nswift_hash_path_suffix = test\n");
    this.ports = await freePorts(programs.length);
    this.host = `127.0.0.1:${this.ports.at(-1)}`;
    programs.forEach((name, i) => writeFileSync(join(this.folder, `${name}-server.conf`), settings(this.folder, name, this.ports[i])));
    await this.accept();
  }

  /** Starts it, also again with the same data. */
  async accept() {
    this.#run();
    await until(async () => {
      if (this.child.exitCode !== null) throw new Error("swift ended");
      return this.#isUp();
    }, "swift starts", 60);
  }

  #run() {
    this.child = spawn("/usr/bin/python3", ["-c", launcher, this.folder, ...this.ports.map(String)], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, EVENTLET_NO_GREENDNS: "yes", PYTHONWARNINGS: "ignore" },
    });
    const note = (text) => (this.said = (this.said + text).slice(-100000));
    this.child.stdout.on("data", note);
    this.child.stderr.on("data", note);
    for (const handle of [this.child, this.child.stdout, this.child.stderr]) handle.unref();
    process.on("exit", () => this.child.kill("SIGKILL"));
  }

  async #isUp() {
    return (await this.#opened()).every(Boolean);
  }

  async #isListening() {
    return (await this.#opened()).some(Boolean);
  }

  #opened() {
    return Promise.all(this.ports.map((port) => new Promise((resolve) => {
      const socket = net.connect(port, "127.0.0.1").on("connect", () => resolve(true)).on("error", () => resolve(false));
      socket.on("connect", () => socket.destroy());
    })));
  }

  /** What a server of ours has to be told. */
  get settings() {
    return {
      PARLEY_S3_ENDPOINT: `http://${this.host}`,
      PARLEY_S3_BUCKET: this.bucket,
      PARLEY_S3_REGION: REGION,
      PARLEY_S3_ACCESS_KEY_ID: KEY_ID,
      PARLEY_S3_SECRET_ACCESS_KEY: SECRET,
      PARLEY_S3_PATH_STYLE: "yes",
    };
  }

  get secret() {
    return SECRET;
  }

  /** A signed request of the test's own, by the same rules but not the same code: a fetch response. */
  ask(method, path, body = "", query = "") {
    const now = new Date().toISOString().replace(/[-:]|\.\d{3}/g, "");
    const sha256 = (text) => createHash("sha256").update(text).digest("hex");
    const hmac = (key, text) => createHmac("sha256", key).update(text).digest();
    const headers = { host: this.host, "x-amz-content-sha256": sha256(body), "x-amz-date": now };
    const names = Object.keys(headers).join(";");
    const lines = Object.entries(headers).map(([name, value]) => `${name}:${value}\n`).join("");
    const scope = `${now.slice(0, 8)}/${REGION}/s3/aws4_request`;
    const canonical = [method, path, query, lines, names, sha256(body)].join("\n");
    const key = scope.split("/").reduce(hmac, `AWS4${SECRET}`);
    const signature = hmac(key, ["AWS4-HMAC-SHA256", now, scope, sha256(canonical)].join("\n")).toString("hex");
    delete headers.host;
    headers.Authorization = `AWS4-HMAC-SHA256 Credential=${KEY_ID}/${scope},SignedHeaders=${names},Signature=${signature}`;
    const init = { method, headers, redirect: "manual" };
    if (method === "PUT" || method === "POST") init.body = body;
    return fetch(`http://${this.host}${path}${query ? `?${query}` : ""}`, init);
  }

  /** The names in the bucket: { name: size }. */
  async objects() {
    const answer = await this.ask("GET", `/${this.bucket}`);
    const xml = await answer.text();
    if (answer.status !== 200) throw new Error(`listing answered ${answer.status}: ${xml}`);
    const found = [...xml.matchAll(/<Contents><Key>([^<]*)<\/Key>.*?<Size>(\d+)<\/Size>/gs)];
    return Object.fromEntries(found.map(([, name, size]) => [name, Number(size)]));
  }

  async read(name) {
    const answer = await this.ask("GET", `/${this.bucket}/${name}`);
    if (answer.status !== 200) throw new Error(`${name}: ${answer.status}`);
    return Buffer.from(await answer.arrayBuffer());
  }

  remove(name) {
    return this.ask("DELETE", `/${this.bucket}/${name}`);
  }

  /** Connections are accepted, but nobody answers until `resume()`. */
  pause() {
    this.#signal("SIGSTOP");
  }

  resume() {
    this.#signal("SIGCONT");
  }

  #signal(name) {
    const { pid } = this.child;
    for (const child of readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ")) process.kill(Number(child), name);
  }

  /** Nobody listens until `accept()`. */
  async refuse() {
    const { child } = this;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.ref();
    child.kill("SIGKILL");
    await ended;
    await until(async () => !(await this.#isListening()), "nobody listens");
  }

  async stop() {
    await this.refuse();
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }
}
