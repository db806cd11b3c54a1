// books.mjs -- what was written, what arrived, and where; and whether all of it balances.
//
// A talk is a chat. What is said in it carries the talk's number, the direction (i = the person wrote, o = we did) and a number that
// counts up: "k12 o345". So a count of each of them, for everyone who should have heard of it, is all that must be kept.
const NAME = /"(?:body|file_name|text)":"k(\d+) ([io])(\d+)/;

export const nameOf = (talk, way, n) => `k${talk} ${way}${n}`;
export const namedIn = (text) => {
  const m = NAME.exec(text);
  return m ? { talk: Number(m[1]), way: m[2], n: Number(m[3]) } : null;
};

/** Counts by talk, direction and number. */
export class Tally {
  constructor(name, { ordered = false } = {}) {
    Object.assign(this, { name, ordered, counts: { i: [], o: [] }, next: { i: [], o: [] }, doubles: [], disorder: [], total: 0 });
  }

  add({ talk, way, n }, at = Date.now()) {
    let list = this.counts[way][talk] ?? new Uint8Array(256);
    if (n >= list.length) {
      const more = new Uint8Array(Math.max(n + 1, list.length * 2));
      more.set(list);
      list = more;
    }
    this.counts[way][talk] = list;
    if (++list[n] > 1) return void this.doubles.push({ talk, way, n, at });
    this.total++;
    const due = this.next[way][talk] ?? 0;
    if (this.ordered && way === 'o' && n !== due) this.disorder.push(`${nameOf(talk, way, n)} came when o${due} was due`);
    this.next[way][talk] = n + 1;
  }

  count(talk, way, n) {
    return this.counts[way][talk]?.[n] ?? 0;
  }

  /** What is missing of `talks`, of `way`: at most a few names, and how many. */
  missing(talks, way) {
    const names = [];
    let n = 0;
    for (const talk of talks) for (let i = 0; i < talk.said[way]; i++) if (!this.count(talk.number, way, i) && ++n <= 5) names.push(nameOf(talk.number, way, i));
    return { n, names };
  }

  /** What is there though nobody said it. */
  invented(talks, way) {
    let n = 0;
    for (const talk of talks) for (let i = talk.said[way]; i < (this.counts[way][talk.number]?.length ?? 0); i++) n += this.counts[way][talk.number][i] > 0;
    return n;
  }
}

/** The books of the whole run: lines for the reader, and what is wrong. */
export class Books {
  lines = [];
  faults = [];

  line(text) {
    this.lines.push(text);
  }

  wrong(text) {
    this.faults.push(text);
  }

  /** Everything said in `talks` is in `tally`, and nothing else; doubles are the caller's to judge. */
  balance(tally, talks, ways) {
    for (const way of ways) {
      const { n, names } = tally.missing(talks, way), extra = tally.invented(talks, way);
      const said = talks.reduce((sum, t) => sum + t.said[way], 0);
      this.line(`${tally.name}: ${(said - n).toLocaleString('en')} of ${said.toLocaleString('en')} ${way === 'i' ? 'received' : 'sent'}`);
      if (n) this.wrong(`${tally.name}: ${n} are missing, as ${names.join(', ')}`);
      if (extra) this.wrong(`${tally.name}: ${extra} that nobody said`);
    }
    if (tally.disorder.length) this.wrong(`${tally.name}: ${tally.disorder.length} out of order, as ${tally.disorder.slice(0, 3).join('; ')}`);
  }
}

export const quarter = (samples, which, member) => {
  const q = Math.max(1, Math.floor(samples.length / 4));
  const list = (which === 'first' ? samples.slice(0, q) : samples.slice(-q)).map((s) => s[member]).sort((a, b) => a - b);
  return list[list.length >> 1] ?? 0;
};
