// A real browser, where there is one: driven through two pipes, as its makers document it (DevTools protocol).
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";

import { temporaryFolder } from "./process.js";
import { until } from "./until.js";

/** Its program, or null. */
export const browser = (() => {
  try {
    return execFileSync("sh", ["-c", "command -v chromium || command -v chromium-browser || command -v google-chrome"], { encoding: "utf8" }).trim();
  } catch {
    return null;
  }
})();

export class Browser {
  #waiting = new Map();
  #asked = 0;

  constructor() {
    const args = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", `--user-data-dir=${temporaryFolder()}`, "--remote-debugging-pipe"];
    this.child = spawn(browser, args, { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] });
    let rest = "";
    this.child.stdio[4].setEncoding("utf8").on("data", (piece) => {
      const messages = (rest + piece).split("\0");
      rest = messages.pop();
      for (const message of messages.map(JSON.parse)) {
        this.#waiting.get(message.id)?.(message);
        this.#waiting.delete(message.id);
      }
    });
  }

  async #ask(method, params = {}, sessionId) {
    const id = ++this.#asked;
    const answer = new Promise((resolve) => this.#waiting.set(id, resolve));
    this.child.stdio[3].write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    const { result, error } = await answer;
    if (error) throw new Error(`${method}: ${error.message}`);
    return result;
  }

  /** Opens a page; `find` on it gives what an expression is once that is true. */
  async open(url) {
    const { targetId } = await this.#ask("Target.createTarget", { url });
    const { sessionId } = await this.#ask("Target.attachToTarget", { targetId, flatten: true });
    const evaluate = async (expression) => (await this.#ask("Runtime.evaluate", { expression, returnByValue: true }, sessionId)).result.value;
    return { evaluate, find: (expression, what) => until(() => evaluate(expression), what, 30) };
  }

  async close() {
    this.child.kill("SIGKILL");
    await once(this.child, "exit");
  }
}
