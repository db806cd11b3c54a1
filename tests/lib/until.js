// Waiting for what can be observed, never for time to pass.
import "./node18.js";
import { setTimeout as pause } from "node:timers/promises";

/** How much slower everything is under sanitizers, and where each statement is a message to another process. */
export const slowness = { asan: 4, tsan: 10, cov: 3, postgres: 2 }[process.env.PARLEY_TEST_MODE] ?? 1;

/** Asks again until `fn` gives something true, and gives that; fails when that never comes, however slow the machine. */
export async function until(fn, what = fn.toString(), seconds = 30) {
  const deadline = Date.now() + seconds * 1000 * slowness;
  for (let wait = 2; ; wait = Math.min(wait * 2, 50)) {
    const value = await fn();
    if (value) return value;
    if (Date.now() > deadline) throw new Error(`never came true: ${what}`);
    await pause(wait);
  }
}
