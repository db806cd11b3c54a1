// lib.mjs -- starting what is measured, and what it is measured against.
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync, mkdirSync } from 'node:fs';
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

process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(scratch, { recursive: true, force: true });
});
process.on('SIGINT', () => process.exit(130));

export const folder = (name) => join(scratch, name);

/** Runs one of our tools to its end and returns the JSON it prints. */
export function tool(name, ...args) {
  const r = spawnSync(join(tools, `bench-${name}`), args.map(String), { encoding: 'utf8', maxBuffer: 1 << 28 });
  if (r.status !== 0) throw new Error(`bench-${name} ${args.slice(0, 6).join(' ')}: ${r.stderr}`);
  return JSON.parse(r.stdout.slice(r.stdout.indexOf('{')));
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
    const gone = new Promise((resolve) => child.on('exit', resolve));
    child.removeAllListeners('exit');
    const ended = new Promise((resolve) => child.on('exit', resolve));
    child.kill(signal);
    await Promise.race([gone, ended]);
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
    daemon off; worker_processes 2; error_log ${dir}/error.log; pid ${dir}/pid; events { worker_connections 4096; }
    http { access_log off; keepalive_requests 1000000000; client_body_buffer_size 64k; types { } default_type application/json;
      client_body_temp_path ${dir}/body; proxy_temp_path ${dir}/p; fastcgi_temp_path ${dir}/f; uwsgi_temp_path ${dir}/u; scgi_temp_path ${dir}/s;
      server { listen 127.0.0.1:${port}; root ${dir}/www; open_file_cache max=100;
        location /sink { return 200 '{}'; } } }`);
  const child = spawn('nginx', ['-c', join(dir, 'nginx.conf'), '-p', dir], { stdio: 'ignore' });
  children.add(child);
  const address = `127.0.0.1:${port}`;
  for (let i = 0; i < 100; i++) {
    if (await fetch(`http://${address}/sink`).then(() => true, () => false)) break;
    await new Promise((r) => setTimeout(r, 20));
  }
  return { address, url: `http://${address}`, stop: () => { child.kill('SIGQUIT'); children.delete(child); } };
}

export async function call(server, method, path, body) {
  const r = await fetch(server.url + path, {
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

export const memoryMb = (pid) => {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(status)[1]) / 1024;
};

/** One metric by name and labels, or the sum over all labels. */
export async function metric(server, name) {
  const text = await fetch(`${server.url}/metrics`).then((r) => r.text());
  let sum = 0;
  for (const line of text.split('\n')) {
    if (line.startsWith(`${name} `) || line.startsWith(`${name}{`)) sum += Number(line.split(' ').pop());
  }
  return sum;
}

export const median = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];
export const spread = (list) => {
  const m = median(list);
  return m ? Math.round((100 * (Math.max(...list) - Math.min(...list))) / m) : 0;
};
