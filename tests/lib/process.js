// Runs the program: short commands, and servers that are stopped with SIGTERM and must end well.
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import readline from "node:readline";

import { slowness, until } from "./until.js";

export const binary = process.env.PARLEY_BIN ?? new URL("../../build/parley", import.meta.url).pathname;

const sanitizers = /ERROR: (Address|Leak)Sanitizer|WARNING: ThreadSanitizer|runtime error:/;

// Whatever happens to a test, nothing it made stays behind.
const running = new Set();
const folders = new Set();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});
for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"]) process.on(signal, () => process.exit(1));

/** A folder that is removed when the test file ends. */
export function temporaryFolder() {
  const folder = mkdtempSync(join(tmpdir(), "parley-test-"));
  folders.add(folder);
  return folder;
}

/** Only what is set here decides how the program behaves. */
export function cleanEnv(env = {}) {
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith("PARLEY_"));
  return { ...Object.fromEntries(kept), PARLEY_LOG_FORMAT: "json", PARLEY_LOG_LEVEL: "debug", ...env };
}

/** Runs a command to its end: { code, stdout, stderr }; one that does not end is killed, and that is an error. */
export function run(args, { env, input } = {}) {
  return new Promise((resolve, reject) => {
    const options = { env: cleanEnv(env), timeout: 20000 * slowness, killSignal: "SIGKILL" };
    const child = execFile(binary, args, options, (error, stdout, stderr) => {
      running.delete(child);
      if (error?.killed) reject(new Error(`parley ${args.join(" ")} does not end:\n${stderr.slice(-5000)}`));
      else if (sanitizers.test(stderr)) reject(new Error(stderr));
      else resolve({ code: child.exitCode, stdout, stderr });
    });
    running.add(child);
    child.stdin.on("error", () => {});
    child.stdin.end(input ?? "");
  });
}

/** What a sanitizer said, or the end. */
function explained(text) {
  const report = text.search(sanitizers);
  return report < 0 ? text.slice(-10000) : text.slice(report, report + 20000);
}

/** A server of ours. `secrets` are texts that its log must never hold. */
export class Program {
  lines = [];
  secrets = [];

  constructor(args, env) {
    this.args = args;
    this.child = spawn(binary, args, { stdio: ["ignore", "pipe", "pipe"], env: cleanEnv(env) });
    running.add(this.child);
    // A test that failed before it could stop this one must not keep the file from ending.
    for (const handle of [this.child, this.child.stdout, this.child.stderr]) handle.unref();
    this.ended = once(this.child, "exit").finally(() => {
      running.delete(this.child);
      if (!this.stopping) console.error(`parley ${args[0]} ended on its own:\n${this.lines.slice(-50).join("\n")}`);
    });
    for (const stream of [this.child.stdout, this.child.stderr])
      readline.createInterface({ input: stream }).on("line", (line) => this.lines.push(line));
  }

  get log() {
    return this.lines.filter((line) => line.startsWith("{")).map((line) => JSON.parse(line));
  }

  /** Waits for the line that says where it listens: "127.0.0.1:PORT". */
  async listening(fits = (line) => line.msg === "listening") {
    return until(() => {
      const line = this.log.find(fits);
      if (line) return line.address;
      if (this.child.exitCode !== null || this.child.signalCode) throw new Error(`it ended:\n${this.lines.join("\n")}`);
      return undefined;
    }, `${this.args.join(" ")} listens`, 20);
  }

  /** The exit code, or the signal. */
  async end() {
    this.child.ref();
    const [code, signal] = await this.ended;
    return code ?? signal;
  }

  /** Asks it to end, and fails when it does so badly or said what it should not. */
  async stop(signal = "SIGTERM") {
    const early = this.child.exitCode !== null || this.child.signalCode !== null;
    this.stopping = true;
    this.child.kill(signal);
    const code = early ? "nobody asking" : await this.end();
    const said = this.lines.join("\n");
    if (code !== 0) throw new Error(`parley ${this.args[0]} ended with ${code}:\n${explained(said)}`);
    if (sanitizers.test(said)) throw new Error(explained(said));
    for (const secret of this.secrets) if (said.includes(secret)) throw new Error(`a secret is in the log: ${this.lines.find((line) => line.includes(secret))}`);
  }

  /** As a crash would. */
  async kill() {
    this.stopping = true;
    this.child.kill("SIGKILL");
    await this.end();
  }
}
