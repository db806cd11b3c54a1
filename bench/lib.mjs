// lib.mjs -- starting what is measured, and what it is measured against.
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync, mkdirSync, existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const root = new URL('..', import.meta.url).pathname;
export const bin = process.env.PARLEY_BIN ?? join(root, 'build/parley');
const tools = process.env.BENCH_TOOLS ?? join(root, 'build/bench');
export const key = 'bench-key-0123456789abcdef';
export const auth = ['--header', `Authorization: Bearer ${key}`];
export const scratch = mkdtempSync(join(tmpdir(), 'parley-bench-'));
const children = new Set();
const SEED = 'rows 4'; /* counted up when bench-seed makes other rows, so that kept ones are not used */

process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(scratch, { recursive: true, force: true });
});
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(130));

/** A child that must not outlive this process. */
export const adopt = (child) => {
  children.add(child);
  child.once('exit', () => children.delete(child));
  return child;
};

export const folder = (name) => join(scratch, name);
export const pause = (ms) => new Promise((r) => setTimeout(r, ms));

/** Ends whatever still runs of a part that failed. */
export function stopAll() {
  for (const child of children) {
    child.removeAllListeners('exit');
    child.kill('SIGKILL');
  }
  children.clear();
}

/** Runs one of our tools to its end and returns the JSON it prints. */
export function tool(name, ...args) {
  const r = spawnSync(join(tools, `bench-${name}`), args.map(String), { encoding: 'utf8', maxBuffer: 1 << 28 });
  if (r.status !== 0) throw new Error(`bench-${name} ${args.slice(0, 6).join(' ')}: ${r.stderr}`);
  const said = JSON.parse(r.stdout.slice(r.stdout.indexOf('{')));
  if (name === 'limits' && said.failed) throw new Error(`bench-limits ${args.slice(0, 2).join(' ')}: ${said.failed} of ${said.done} requests failed`);
  return said;
}

/** A data folder that bench-seed made with these arguments, kept in build/bench-data; and what it said of it. */
export function seeded(name, ...args) {
  const base = process.env.BENCH_DATA ?? join(root, 'build/bench-data');
  const dir = join(base, name), said = join(base, `${name}.json`);
  const version = spawnSync(bin, ['--version'], { encoding: 'utf8' }).stdout + args.join(' ') + SEED;
  if (existsSync(said)) {
    const kept = JSON.parse(readFileSync(said, 'utf8'));
    if (kept.version === version) return { dir, ...kept };
  }
  rmSync(dir, { recursive: true, force: true });
  rmSync(said, { force: true });
  mkdirSync(base, { recursive: true });
  const kept = { version, ...tool('seed', dir, ...args) };
  writeFileSync(said, JSON.stringify(kept));
  return { dir, ...kept };
}

/** The same without blocking, so that this process can play a part meanwhile. */
export function toolAsync(name, ...args) {
  return new Promise((resolve, reject) => {
    const child = spawn(join(tools, `bench-${name}`), args.map(String), { stdio: ['ignore', 'pipe', 'inherit'] });
    let out = '';
    child.stdout.on('data', (d) => (out += d));
    child.on('close', (code) => (code === 0 ? resolve(JSON.parse(out)) : reject(new Error(`bench-${name}: ${code}`))));
  });
}

export const load = (address, ...args) => tool('load', address, ...args);

export async function freePort() {
  return new Promise((resolve) => {
    const s = createServer().listen(0, '127.0.0.1', () => {
      const { port } = s.address();
      s.close(() => resolve(port));
    });
  });
}

/** Starts `parley COMMAND` and waits until it listens. */
export async function start(command, args = [], env = {}) {
  const began = process.hrtime.bigint();
  const child = spawn(bin, [command, '--log-format', 'json', ...args], {
    env: { ...process.env, PARLEY_API_KEY: key, ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  children.add(child);
  let text = '';
  const address = await new Promise((resolve, reject) => {
    child.stderr.on('data', (d) => {
      text += d;
      for (const line of text.split('\n')) {
        if (line.includes('"msg":"listening"')) resolve(JSON.parse(line).address);
      }
    });
    child.on('exit', (code) => reject(new Error(`parley ${command} ended with ${code}: ${text}`)));
  });
  const readyMs = Number(process.hrtime.bigint() - began) / 1e6;
  const stop = async (signal = 'SIGTERM') => {
    child.removeAllListeners('exit');
    if (child.exitCode === null && child.signalCode === null) {
      const gone = new Promise((resolve) => child.on('exit', resolve));
      child.kill(signal);
      await gone;
    }
    children.delete(child);
  };
  return { address, pid: child.pid, readyMs, stop, url: `http://${address}` };
}

/** nginx with two workers: `files` are served from memory-cached disk, `/sink` answers 200 to anything. */
export async function nginx(files) {
  const port = await freePort();
  const dir = folder(`nginx-${port}`);
  mkdirSync(join(dir, 'www'), { recursive: true });
  for (const [name, bytes] of Object.entries(files)) writeFileSync(join(dir, 'www', name), bytes);
  writeFileSync(join(dir, 'nginx.conf'), `
    ${process.getuid() === 0 ? 'user root; ' : ''}daemon off; worker_processes 2; error_log ${dir}/error.log; pid ${dir}/pid; events { worker_connections 4096; }
    http { access_log off; keepalive_requests 1000000000; client_body_buffer_size 64k; types { } default_type application/json;
      client_body_temp_path ${dir}/body; proxy_temp_path ${dir}/p; fastcgi_temp_path ${dir}/f; uwsgi_temp_path ${dir}/u; scgi_temp_path ${dir}/s;
      server { listen 127.0.0.1:${port}; root ${dir}/www; open_file_cache max=100;
        location /sink { return 200 '{}'; } } }`);
  const child = spawn('nginx', ['-c', join(dir, 'nginx.conf'), '-p', dir], { stdio: 'ignore' });
  children.add(child);
  const address = `127.0.0.1:${port}`;
  for (let i = 0; !(await fetch(`http://${address}/sink`).then(() => true, () => false)); i++) {
    if (i === 100) throw new Error(`nginx does not answer; see ${dir}/error.log`);
    await pause(20);
  }
  return { address, url: `http://${address}`, pids: childrenOf(child.pid), stop: () => { child.kill('SIGQUIT'); children.delete(child); } };
}

/* While a tool runs, this process sees nothing, and so not that a server closed a connection that was idle for long. */
const ask = (url, init) => fetch(url, init).catch(() => fetch(url, init));

export async function call(server, method, path, body) {
  const r = await ask(server.url + path, {
    method,
    headers: { Authorization: `Bearer ${key}`, ...(body ? { 'Content-Type': 'application/json' } : {}) },
    body: body ? JSON.stringify(body) : undefined,
  });
  const text = await r.text();
  if (!r.ok) throw new Error(`${method} ${path}: ${r.status} ${text}`);
  return text.startsWith('{') ? JSON.parse(text) : text;
}

export const cpuSeconds = (pid) => {
  const f = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(f[11]) + Number(f[12])) / 100;
};
const childrenOf = (pid) => readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(Number).filter((one) => {
  try {
    return Number(readFileSync(`/proc/${one}/stat`, 'utf8').split(') ')[1].split(' ')[1]) === pid;
  } catch {
    return false;
  }
});

/** A run of load, and how many microseconds of processor time one request cost the processes `pids`. */
export function measured(pids, run) {
  const sum = () => pids.reduce((all, pid) => all + cpuSeconds(pid), 0);
  const before = sum();
  const r = run();
  if (r.failed) throw new Error(`${r.failed} of ${r.done} requests failed: ${r.refusal}`);
  if (!r.done) throw new Error('no request was answered; is the machine busy with something else?');
  return { ...r, cpu_us: ((sum() - before) / r.done) * 1e6 };
}

/** What each of `sides` gives, `repeats` times and in turns, so that what disturbs the machine meets all of them. */
export async function inTurns(repeats, ...sides) {
  const results = sides.map(() => []);
  for (let i = 0; i < repeats; i++) for (const [n, side] of sides.entries()) results[n].push(await side(i));
  return results;
}

export const perSecond = (list) => list.map((r) => r.per_second);
export const cpuOf = (list) => list.map((r) => r.cpu_us ?? (r.cpu_s * 1e6) / r.done);

export const memoryMb = (pid) => {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(status)[1]) / 1024;
};

/** One metric by name and labels, or the sum over all labels. */
export async function metric(server, name) {
  const text = await ask(`${server.url}/metrics`).then((r) => r.text());
  let sum = 0;
  for (const line of text.split('\n')) {
    if (line.startsWith(`${name} `) || line.startsWith(`${name}{`)) sum += Number(line.split(' ').pop());
  }
  return sum;
}
