// outbound.mjs -- messages that were waiting are sent to the sandbox, against bare libcurl making the same requests.
import { cpuOf, cpuSeconds, folder, inTurns, metric, pause, perSecond, start, tool } from './lib.mjs';
import { crowdedSandbox, TOKEN } from './telegram.mjs';

const CHATS = 1000;
const CONCURRENCY = 64;

/** How fast a server that was just started sends `pending` messages, and what that costs it. It is asked ever more often: asking costs it, too. */
export async function drained(server, pending) {
  const began = process.hrtime.bigint(), before = cpuSeconds(server.pid);
  for (let done; (done = await metric(server, 'parley_sends_total{outcome="published"}')) < pending;) {
    const spent = Number(process.hrtime.bigint() - began) / 1e6;
    await pause(Math.min(Math.max(5, done ? (spent * (pending - done)) / done / 2 : 0), 100));
  }
  return { per_second: pending / (Number(process.hrtime.bigint() - began) / 1e9), cpu_us: ((cpuSeconds(server.pid) - before) / pending) * 1e6 };
}

export async function outbound({ size, row, note }) {
  const ours = async (i) => {
    const dir = folder(`outbound-${i}`);
    const { pending } = tool('seed', dir, 'pending', size.pending, CHATS);
    const sandbox = await crowdedSandbox(CHATS);
    const server = await start('serve', ['--data-dir', dir, '--listen', '127.0.0.1:0', '--threads', '1', '--pace', 'no',
      '--telegram-api-url', sandbox.url, '--sends-per-profile', '256', '--connections-per-host', CONCURRENCY]);
    const r = await drained(server, pending);
    await server.stop();
    await sandbox.stop('SIGKILL');
    return r;
  };
  const theirs = async () => {
    const sandbox = await crowdedSandbox(CHATS);
    const r = tool('limits', 'curl', `${sandbox.url}/bot${TOKEN}/sendMessage`, size.pending, CONCURRENCY,
      '{"chat_id":7000001,"text":"My order has not arrived yet. Could you look?"}');
    await sandbox.stop('SIGKILL');
    return r;
  };
  const [us, them] = await inTurns(size.few, ours, theirs);
  row(`messages delivered to the sandbox, ${CHATS} chats, no pace`, perSecond(us), '/s',
    { name: 'bare libcurl, same requests', values: perSecond(them), cpu: cpuOf(them) }, '≥ 0.8', { cpu: cpuOf(us) });
  note('The people were looked up and what they wrote was read before, so only sending is measured. Counted in instructions, 55 % of a send is the writer\'s: two durable transactions, one that marks it in flight before its first byte leaves and one that settles it with its event; nearly all of that is SQLite. A bare libcurl request is 29 %; the loop around it, reading the job and the answer is the rest. Our own code is 11 % of all. A client that remembers nothing has only libcurl\'s part, and server and sandbox share the two processors.');
}
