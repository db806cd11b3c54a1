// Trouble from below the server: system calls that fail or do half, memory that is not there, a clock that jumps, names that
// nobody resolves. It comes through a library that is preloaded (tests/below/below.c), so it wants a build without sanitizers.
import { closeSync, existsSync, openSync, readFileSync, writeFileSync, writeSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";

const build = new URL("../../build/", import.meta.url).pathname;
const library = join(build, "tests/below/libbelow.so");

/** Why there can be no such trouble, or false. */
export const belowMissing = existsSync(library) ? false : "there is no release build with its tests in build/";

/** What the tests of this file run, whatever else is tested. Before anything else is imported. */
export const binary = join(build, "parley");

const ORDERS = 8;
const SIZE = 136; // of struct order
const AT = { call: 0, text: 16, error: 116, skip: 120, count: 124, value: 128, seen: 132 };

/** getaddrinfo's codes. */
export const names = { EAI_NONAME: -2, EAI_AGAIN: -3 };

export class Below {
  orders = [];

  constructor(world, { ca } = {}) {
    this.path = join(world.folder, "below");
    writeFileSync(this.path, Buffer.alloc(ORDERS * SIZE));
    Object.assign(world.env, { LD_PRELOAD: library, PARLEY_BELOW: this.path, ...(ca ? { PARLEY_BELOW_CA: ca } : {}) });
  }

  /**
   * From now on, and besides what was ordered before: `call` fails with `error` ("EIO", or one of `names`; without it, it does half),
   * where the file's path or the host's name has `text` in it; `skip` calls go well first, then `count` do not (all without it).
   */
  order(call, { text = "", error, skip = 0, count = -1, value = 0 } = {}) {
    const slot = this.orders.push(call) - 1;
    const bytes = Buffer.alloc(SIZE);
    bytes.write(text, AT.text);
    bytes.writeInt32LE(typeof error === "string" ? constants.errno[error] : (error ?? 0), AT.error);
    bytes.writeInt32LE(skip, AT.skip);
    bytes.writeInt32LE(count, AT.count);
    bytes.writeInt32LE(value, AT.value);
    this.#write(slot, bytes);
    bytes.write(call, AT.call);
    this.#write(slot, bytes); // this makes it valid
    return slot;
  }

  /** How many calls an order was about. */
  seen(slot) {
    return readFileSync(this.path).readInt32LE(slot * SIZE + AT.seen);
  }

  /** All is well again. */
  clear() {
    this.orders = [];
    for (let slot = 0; slot < ORDERS; slot++) this.#write(slot, Buffer.alloc(SIZE));
  }

  #write(slot, bytes) {
    const file = openSync(this.path, "r+"); // the server has it mapped
    writeSync(file, bytes, 0, SIZE, slot * SIZE);
    closeSync(file);
  }
}
