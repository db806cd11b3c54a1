// What these tests, and the clients they try, use of Node 20 and Debian 12's Node 18 lacks.
import { File } from "node:buffer";
import { webcrypto } from "node:crypto";

globalThis.File ??= File;
globalThis.crypto ??= webcrypto;

const copying = {
  toSorted(compare) { return [...this].sort(compare); },
  toReversed() { return [...this].reverse(); },
};
for (const [name, value] of Object.entries(copying)) {
  if (!Array.prototype[name]) Object.defineProperty(Array.prototype, name, { value, writable: true, configurable: true });
}
