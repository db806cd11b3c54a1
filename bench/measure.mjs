// measure.mjs -- every figure the project promises, each beside a limit measured in the same run.
import { cpus, totalmem, release } from 'node:os';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as lib from './lib.mjs';
import { reads } from './reads.mjs';
import { writes } from './writes.mjs';
import { outbound } from './outbound.mjs';
import { webhooks } from './webhooks.mjs';
import { meta } from './meta.mjs';
import { bluesky } from './bluesky.mjs';
import { postgres } from './postgres.mjs';

const quick = process.argv.includes('--quick');
const only = process.argv.filter((a) => !a.startsWith('--')).slice(2);
const size = quick
  ? { seconds: 2, repeats: 1, messages: [1000, 20000, 79000], pending: 5000, events: 5000, streams: 1000,
      bluesky_accounts: 1000, bluesky_messages: 2, bluesky_seconds: 10 }
  : { seconds: 5, repeats: 3, messages: [1000, 100000, 899000], pending: 20000, events: 20000, streams: 10000,
      bluesky_accounts: 10000, bluesky_messages: 8, bluesky_seconds: 60 };

const rows = [];
/** `values` and `limits` are repeats of the same measurement; the row shows medians and how far they spread. */
const row = (what, values, unit, limit = null, aim = '') => {
  const value = lib.median(values);
  const ratio = limit ? value / lib.median(limit.values) : null;
  const line = { what, value, unit, noise: lib.spread(values), limit, ratio, aim };
  rows.push(line);
  console.log(`${what}: ${value.toFixed(unit === 'ms' || unit === 'MB' ? 1 : 0)} ${unit}`
    + (limit ? `  (${limit.name}: ${lib.median(limit.values).toFixed(0)}, ratio ${ratio.toFixed(2)})` : '')
    + (aim ? `  aim ${aim}` : ''));
};

const show = (v, unit) => (['ms', 'MB', 'us'].includes(unit) ? v.toFixed(v < 10 ? 2 : 1) : Math.round(v).toLocaleString('en'));

function table() {
  const machine = `${cpus().length} x ${cpus()[0].model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}`;
  let text = `# Measurements\n\n\`make bench\` makes this table (\`bench/run --write\`). Machine: ${machine}; load generator, server and
limit share its processors. Medians of ${size.repeats} runs of ${size.seconds} s; "±" is the spread of the runs, (max − min) / median.
Ratios are against the limit named, measured in the same run.\n\n`
    + '| what | measured | ± | limit | ratio | aim |\n|---|---|---|---|---|---|\n';
  for (const r of rows) {
    text += `| ${r.what} | ${show(r.value, r.unit)} ${r.unit} | ${r.noise} % | `
      + (r.limit ? `${r.limit.name}: ${show(lib.median(r.limit.values), r.unit)}` : '') + ` | ${r.ratio ? r.ratio.toFixed(2) : ''} | ${r.aim} |\n`;
  }
  return text + `
Sends and deliveries stay below their aims because each is durable by itself: a send costs two write transactions (marked in
flight before its first byte leaves, settled with its event after the answer), a delivery one and its log entry. That is about 100 us
of processor time a send, on two cores that also run the other side, against 20 us for a client that remembers nothing.
`;
}

const parts = { reads, writes, outbound, webhooks, meta, bluesky, postgres };
for (const [name, part] of Object.entries(parts)) {
  if (only.length === 0 || only.includes(name)) await part({ size, row });
}
console.log(`\n${table()}`);
if (process.argv.includes('--write')) writeFileSync(join(lib.root, 'bench/RESULTS.md'), table());
process.exit(0);
