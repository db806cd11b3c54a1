// load.mjs -- what people and clients do all the time: write, answer, read. A client repeats a request with its Idempotency-Key until
// it knows what became of it; in one chat nobody writes two things at once, so their order is known.
import { pause } from '../lib.mjs';
import { Lost } from './client.mjs';
import { nameOf } from './books.mjs';

const FILE_EVERY = 10;
const pick = (list) => list[Math.floor(Math.random() * list.length)];

export class Load {
  done = { write: 0, post: 0, read: 0 };
  repeats = 0; /* of requests whose answer did not come */
  unread = 0;
  ids = []; /* of what we sent, by talk and number */
  heldBackMs = 0;
  wrong = [];

  /** `listeners` are [tally, ways]: all who should hear of what is said. */
  constructor(world, listeners) {
    Object.assign(this, { world, listeners });
  }

  /** How much was said that somebody has not heard of yet. */
  get backlog() {
    const said = { i: this.done.write, o: this.done.post };
    return Math.max(...this.listeners.map(([tally, ways]) => ways.reduce((sum, way) => sum + said[way], 0) - tally.total));
  }

  free(way) {
    for (let i = 0; i < 8; i++) {
      const talk = pick(this.world.talks);
      if (!talk.busy[way]) return talk;
    }
    return null;
  }

  async write() {
    const talk = this.free('i');
    if (!talk) return false;
    talk.busy.i = true;
    const n = talk.said.i++, isFile = talk.platform === 'telegram' && n % FILE_EVERY === FILE_EVERY - 1;
    await talk.write(nameOf(talk.number, 'i', n), isFile ? `note ${n} of talk ${talk.number}` : null);
    talk.busy.i = false;
    this.done.write++;
    return true;
  }

  async post() {
    const talk = this.free('o');
    if (!talk) return false;
    talk.busy.o = true;
    const n = talk.said.o++, name = nameOf(talk.number, 'o', n), isFile = talk.platform === 'telegram' && n % FILE_EVERY === FILE_EVERY - 1;
    const body = JSON.stringify(isFile ? { media: [{ data: btoa(name), filename: name, content_type: 'text/plain' }] } : { body: name });
    for (;; this.repeats++) {
      const answer = await this.world.api.ask('POST', `/api/chats/${talk.chat}/messages`, body, `Idempotency-Key: ${name}\r\n`).catch(onlyLost);
      if (answer?.status === 202) {
        (this.ids[talk.number] ??= [])[n] = JSON.parse(answer.body).id;
        break;
      }
      if (answer && answer.status !== 503 && answer.status !== 409) this.wrong.push(`POST ${name}: ${answer.status} ${answer.body}`);
      if (answer && this.wrong.length > 20) throw new Error(this.wrong[0]);
      await pause(20);
    }
    talk.busy.o = false;
    this.done.post++;
    return true;
  }

  async read() {
    const talk = pick(this.world.talks), ids = this.ids[talk.number], dice = Math.random();
    const path = dice < 0.4 && ids?.length ? `/api/messages/${pick(ids) ?? ids[0]}`
      : dice < 0.8 ? `/api/chats/${talk.chat}/messages?per_page=20` : `/api/profiles/${talk.account.profile.id}/chats?per_page=20`;
    const answer = await this.world.api.ask('GET', path).catch(onlyLost);
    if (!answer || answer.status === 503) this.unread++;
    else if (answer.status !== 200) this.wrong.push(`GET ${path}: ${answer.status} ${answer.body}`);
    this.done.read++;
    return true;
  }

  one() {
    const dice = Math.random();
    return dice < 0.4 ? this.write() : dice < 0.8 ? this.post() : this.read();
  }

  get total() {
    return this.done.write + this.done.post + this.done.read;
  }

  /** As fast as it goes with so many at once, for so long, and until everybody has heard of all of it: operations a second. */
  async flatOut(seconds, atOnce) {
    const began = performance.now(), before = this.total;
    const worker = async () => {
      while (performance.now() - began < seconds * 1000) {
        if (this.backlog > 1000 || !(await this.one())) await pause(1);
      }
    };
    await Promise.all(Array.from({ length: atOnce }, worker));
    while (this.backlog > 0) await pause(20);
    return (this.total - before) / ((performance.now() - began) / 1000);
  }

  /**
   * At that rate until `over()`; what could not be begun when it was due is begun later, as far as there are chats for it. When what
   * was said half a minute ago has not been heard (another load on the machine), it waits.
   */
  async at(rate, over) {
    const underWay = new Set();
    let credit = 0, last = performance.now();
    while (!over()) {
      await pause(5);
      const now = performance.now();
      credit = Math.min(credit + ((now - last) / 1000) * rate, rate);
      if (this.backlog > rate * 30) {
        this.heldBackMs += now - last;
        credit = 0;
      }
      last = now;
      for (; credit >= 1 && underWay.size < 256; credit--) {
        const op = this.one();
        underWay.add(op);
        op.finally(() => underWay.delete(op)).catch((error) => this.wrong.push(error.message));
      }
    }
    await Promise.allSettled(underWay);
  }
}

function onlyLost(error) {
  if (!(error instanceof Lost)) throw error;
  return null;
}
