// measure.mjs -- every figure the project promises, each beside a limit measured in the same run.
//
//     measure.mjs [--quick] [--large] [--write] [PART...]        see bench/run
import { cpus, totalmem, release } from 'node:os';
import { join } from 'node:path';
import { root, stopAll } from './lib.mjs';
import { Report } from './report.mjs';
import { reads } from './reads.mjs';
import { writes } from './writes.mjs';
import { peers } from './peers.mjs';
import { outbound } from './outbound.mjs';
import { webhooks } from './webhooks.mjs';
import { meta } from './meta.mjs';
import { bluesky } from './bluesky.mjs';
import { postgres } from './postgres.mjs';
import { flat } from './flat.mjs';

const parts = [
  { name: 'reads', title: 'Starting and reading', run: reads, quick: true },
  { name: 'writes', title: 'Durable writes', run: writes, quick: true },
  { name: 'peers', title: 'Beside Fastify and better-sqlite3', run: peers },
  { name: 'outbound', title: 'Sending', run: outbound, quick: true },
  { name: 'webhooks', title: 'Telling subscribers', run: webhooks, quick: true },
  { name: 'meta', title: 'Messenger', run: meta },
  { name: 'bluesky', title: 'Bluesky', run: bluesky },
  { name: 'postgres', title: 'PostgreSQL', run: postgres },
  { name: 'flat', title: 'From a thousand messages to ten million', run: flat, large: true },
];
const flags = process.argv.filter((a) => a.startsWith('--')), names = process.argv.slice(2).filter((a) => !a.startsWith('--'));
const [quick, large] = ['--quick', '--large'].map((f) => flags.includes(f));
/* `few` is for what has much to prepare each time; `brief` leaves out what is not a matter of seconds */
const size = quick
  ? { brief: names.length === 0, seconds: 1, repeats: 3, few: 3, messages: [1000, 20000, 79000], pending: 5000, events: 5000, streams: 1000,
      bluesky_accounts: 1000, bluesky_messages: 2, bluesky_seconds: 10 }
  : { brief: false, seconds: 2, repeats: 5, few: 3, messages: [1000, 100000, 899000], pending: 10000, events: 10000, streams: 10000,
      bluesky_accounts: 10000, bluesky_messages: 8, bluesky_seconds: 60 };

const machine = `${cpus().length} x ${cpus()[0].model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}, Node.js ${process.version}`;
const head = `# Measurements

\`make bench\` measures, \`bench/run --write\` puts the figures here, and \`bench/run --large --write\` those with ten million messages. Each section says on
which machine. Load generator, server and limit share its processors, so a figure is what is left when the other side has had its part.

A figure is the median of its runs, with the least and the greatest beside it. "Beside it" is what the machine allows, or what one would use
instead, measured in turns with it; the ratio is ours to that. "Processor" is the time of the server's processes for one request, message or event,
and that of the limit (without the load generator). An aim with a unit is about the figure, one without about the ratio; ✓ reached, ✗ not.
`;

const report = new Report(), failed = [], began = Date.now();
const wanted = parts.filter((p) => (names.length ? names.includes(p.name) : large ? p.large : quick ? p.quick : !p.large));
const unknown = names.filter((n) => !parts.some((p) => p.name === n));
if (unknown.length) {
  console.error(`bench: no part named ${unknown.join(', ')}; there are ${parts.map((p) => p.name).join(', ')}`);
  process.exit(2);
}
console.log(machine);
for (const part of wanted) {
  const since = Date.now();
  console.log(`\n${part.title} (${part.name})`);
  report.begin(part.name, part.title, `${machine}. ${size.repeats} runs of ${size.seconds} s; ${size.few} where messages are sent.`);
  try {
    await part.run({ size, row: (...args) => report.row(...args), note: (text) => report.note(text) });
    report.end();
  } catch (error) {
    failed.push(part.name);
    console.error(`  ${part.name} FAILED: ${error.stack}${error.cause ? `\n  because of ${error.cause}` : ''}`);
    stopAll();
  }
  console.log(`  (${Math.round((Date.now() - since) / 1000)} s)`);
}
if (flags.includes('--write')) report.write(join(root, 'bench/RESULTS.md'), head, [...parts.map((p) => p.name), 'soak']);
console.log(`\n${Math.round((Date.now() - began) / 1000)} s in all${failed.length ? `; failed: ${failed.join(', ')}` : ''}`);
process.exit(failed.length ? 1 : 0);
