// Makes a server die where it is told to (PARLEY_CRASH_AT, in builds with crash points), and starts it again.
import { openSync, writeSync, closeSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { Program, run } from "./process.js";
import { until } from "./until.js";

const listed = await run(["crash-points"]);

/** What the program can die at. */
export const points = listed.code === 0 ? listed.stdout.trim().split("\n") : [];

/** Why there is nothing to visit, or false. */
export const noPoints = points.length > 0 ? false : "this build has no crash points (-Dcrash_points=true)";

const NAME = 124; // of struct crash_order, before the count

/** The order of one world's server, which it looks at while it runs. */
export class Doom {
  constructor(world) {
    this.world = world;
    this.path = join(world.folder, "crash-order");
    writeFileSync(this.path, Buffer.alloc(NAME + 4));
    world.env.PARLEY_CRASH_AT = this.path;
  }

  /** The next server, or the one that runs, dies when it reaches that point for the n-th time. */
  arm(point, times = 1) {
    const order = Buffer.alloc(NAME + 4);
    order.write(point);
    order.writeUInt32LE(times, NAME);
    const file = openSync(this.path, "r+");
    writeSync(file, order, 0, NAME, 0);
    writeSync(file, order, NAME, 4, NAME); // this makes it valid
    closeSync(file);
    if (this.world.server) this.world.server.stopping = true;
  }

  get isReached() {
    return readFileSync(this.path).readUInt32LE(NAME) === 0;
  }

  /** Waits until the server has died of it. */
  async comes(point) {
    const { server } = this.world;
    await until(() => server.child.signalCode ?? server.child.exitCode, `the server dies at "${point}"`, 20);
    if (server.child.signalCode !== "SIGKILL" || !this.isReached) throw new Error(`it ended with ${server.child.exitCode ?? server.child.signalCode}:\n${server.lines.slice(-50).join("\n")}`);
  }

  /** Starts a server that is to die while it starts, or soon after. */
  async startToDie(point, env) {
    this.arm(point);
    this.world.mayDie = true;
    await this.world.serve(env).catch((error) => {
      if (!this.isReached) throw error;
    });
    this.world.mayDie = false;
    await this.comes(point);
  }
}

/** Runs a command that dies at that point: its output. */
export async function runToDie(args, point, times, env) {
  const program = new Program(args, { ...env, PARLEY_CRASH_AT: `${point}*${times}` });
  program.stopping = true;
  const end = await program.end();
  if (end !== "SIGKILL") throw new Error(`parley ${args.join(" ")} ended with ${end}, not at "${point}":\n${program.lines.join("\n")}`);
}
