// What goes wrong around a server: lines that break, disks that fill, databases that are locked, and chance.
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, openSync, closeSync, rmSync, writeSync } from "node:fs";
import http from "node:http";
import net from "node:net";
import { join } from "node:path";
import readline from "node:readline";

import { temporaryFolder } from "./process.js";

/** Chance that can be had again: PARLEY_TEST_SEED=N. `chance.seed` is what to print. */
export function startChance(seed = Number(process.env.PARLEY_TEST_SEED ?? Math.floor(Math.random() * 2 ** 31))) {
  let state = seed;
  const number = () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  return {
    seed,
    below: (n) => Math.floor(number() * n),
    pick: (list) => list[Math.floor(number() * list.length)],
    happens: (probability) => number() < probability,
  };
}

/**
 * A line to the port that `target()` tells, which can fail. `down()` refuses connections and breaks those there are; `hold()` lets
 * requests through and keeps the answers until `release()`; `up()` ends all trouble. `line.held` counts the bytes kept.
 */
export async function startLine(target) {
  const line = { held: 0 };
  const open = new Set();
  let isDown = false;
  let gate = null;
  const server = net.createServer((near) => {
    if (isDown) return void near.destroy();
    const far = net.connect(target(), "127.0.0.1");
    for (const [from, to] of [[near, far], [far, near]]) {
      open.add(from);
      from.on("error", () => {});
      from.on("close", () => {
        open.delete(from);
        to.destroy();
      });
    }
    near.on("data", (piece) => far.write(piece));
    far.on("data", (piece) => {
      if (!gate) return void near.write(piece);
      line.held += piece.length;
      gate.then(() => near.destroyed || near.write(piece));
    });
    near.on("end", () => far.end());
    far.on("end", () => (gate ?? Promise.resolve()).then(() => near.end()));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  line.port = server.address().port;
  line.url = `http://127.0.0.1:${line.port}`;
  line.down = async () => {
    isDown = true;
    server.close();
    for (const socket of open) socket.destroy();
  };
  line.hold = () => {
    line.held = 0;
    gate = new Promise((resolve) => (line.release = () => {
      gate = null;
      resolve();
    }));
  };
  line.release = () => {};
  line.up = async () => {
    line.release();
    isDown = false;
    if (server.listening) return;
    server.listen(line.port, "127.0.0.1");
    await once(server, "listening");
  };
  line.stop = async () => {
    await line.down();
    line.release();
  };
  return line;
}

/** Whether this server listens now; false where somebody else does. */
async function listens(server, port, address) {
  server.listen(port, address);
  try {
    await once(server, "listening");
    return true;
  } catch (error) {
    if (error.code !== "EADDRINUSE") throw error;
    return false;
  }
}

/** A free port that no outgoing connection takes while the server is away, and no other test: who has it listens at 127.0.0.2, too. */
export async function steadyPort() {
  for (;;) {
    const port = 20000 + Math.floor(Math.random() * 12000);
    const [claim, server] = [net.createServer().unref(), net.createServer()];
    if (!(await listens(claim, port, "127.0.0.2")) || !(await listens(server, port, "127.0.0.1"))) continue;
    server.close();
    await once(server, "close");
    return port;
  }
}

/** All entries of a list of the API's, page by page, and the total it names. */
export async function wholeList(api, path) {
  const data = [];
  for (let page = 0; ; page++) {
    const part = await api.get(`${path}${path.includes("?") ? "&" : "?"}per_page=100&page=${page}`);
    data.push(...part.data);
    if (part.data.length < 100) return { total: part.total, data };
  }
}

/** An endpoint for our webhooks. `ear.events` is what came, once each, in the order it came first; `ear.attempts` counts all. */
export async function startEar() {
  const ear = { events: [], attempts: 0 };
  const known = new Set();
  const server = http.createServer((request, response) => {
    const pieces = [];
    request.on("data", (piece) => pieces.push(piece));
    request.on("end", () => {
      const event = JSON.parse(Buffer.concat(pieces).toString());
      ear.attempts++;
      if (!known.has(event.id)) ear.events.push(event);
      known.add(event.id);
      response.writeHead(200).end();
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  ear.url = `http://127.0.0.1:${server.address().port}/events`;
  ear.of = (type, fits = () => true) => ear.events.filter((event) => event.type === type && fits(event.data));
  ear.stop = () => {
    server.closeAllConnections();
    server.close();
  };
  return ear;
}

/** A small file system of its own, or the reason why there can be none here. */
export function mountDisk(bytes) {
  const path = join(temporaryFolder(), "disk");
  mkdirSync(path);
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${bytes},mode=0700`, "tmpfs", path], { stdio: "pipe" });
  } catch (error) {
    return { missing: `a file system cannot be mounted here: ${String(error.stderr ?? error.message).trim()}` };
  }
  const unmount = () => {
    try {
      execFileSync("umount", ["-l", path], { stdio: "pipe" });
    } catch {
      // it is gone already
    }
  };
  process.prependListener("exit", unmount);
  const filler = join(path, "filler");
  return {
    path,
    /** Takes all the room there is. */
    fill() {
      const file = openSync(filler, "a");
      try {
        for (let size = 1 << 20; size >= 1; size >>= 1) {
          try {
            while (writeSync(file, Buffer.alloc(size, "x")) === size);
          } catch (error) {
            if (error.code !== "ENOSPC") throw error;
          }
        }
      } finally {
        closeSync(file);
      }
    },
    makeRoom: () => rmSync(filler, { force: true }),
    readOnly: () => execFileSync("mount", ["-o", "remount,ro", path], { stdio: "pipe" }),
    unmount,
  };
}

const tools = {
  sqlite3: {
    present: ["-version"],
    shell: (file) => ["-cmd", ".timeout 5000", file],
    lock: "BEGIN EXCLUSIVE;\n.print locked\n",
    script: (sql) => sql,
    ask: (file, sql) => ["-readonly", file, sql],
  },
  python3: {
    present: ["-c", "import sqlite3"],
    shell: (file) => ["-i", "-q", "-u", "-c", `import sqlite3; db = sqlite3.connect(${JSON.stringify(file)}, isolation_level=None)`],
    lock: "db.execute('BEGIN EXCLUSIVE') and print('locked', flush=True)\n",
    script: (sql) => `db.executescript(${JSON.stringify(sql)})\n`,
    ask: (file, sql) => ["-c", `import sqlite3; [print(*row, sep='|') for row in sqlite3.connect(${JSON.stringify(file)}).execute(${JSON.stringify(sql)})]`],
  },
};

/** A program that can use a SQLite file beside us: its name, or undefined. */
export const sqliteTool = Object.keys(tools).find((name) => {
  try {
    execFileSync(name, tools[name].present, { stdio: "pipe" });
    return true;
  } catch {
    return false;
  }
});

export const noSqliteTool = !sqliteTool && "there is neither sqlite3 nor python3";

/** Another process holds the database's lock until `await lock.release()`. */
export async function lockDatabase(file) {
  const tool = tools[sqliteTool];
  const child = spawn(sqliteTool, tool.shell(file), { stdio: ["pipe", "pipe", "ignore"] });
  const ended = once(child, "exit");
  child.stdin.write(tool.lock);
  for await (const said of readline.createInterface({ input: child.stdout })) if (said.includes("locked")) break;
  return {
    async release() {
      child.kill("SIGKILL"); // what it began is rolled back
      await ended;
    },
  };
}

/** Asks a database, also while a server uses it; gives what is printed. */
export function askDatabase(file, sql) {
  return execFileSync(sqliteTool, tools[sqliteTool].ask(file, sql), { encoding: "utf8" }).trim();
}

/** Changes a database that nobody uses. */
export function changeDatabase(file, sql) {
  const tool = tools[sqliteTool];
  execFileSync(sqliteTool, tool.shell(file), { input: tool.script(sql), stdio: ["pipe", "pipe", "pipe"] });
}
