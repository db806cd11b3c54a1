// report.mjs -- what was measured, as lines while it happens and as sections of bench/RESULTS.md.
//
// A section is what one part measured, between two marks that Markdown does not show. Writing replaces the sections of the
// parts that ran to their end and leaves all others as they were.
import { readFileSync, writeFileSync } from 'node:fs';

export const median = (list) => {
  const sorted = [...list].sort((a, b) => a - b), half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
};

const few = new Set(['ms', 's', 'KB', 'MB', 'us', '%']);
const show = (v, unit) => (few.has(unit) && v < 1000 ? v.toFixed(v < 10 ? 2 : 1) : Math.round(v).toLocaleString('en'));
/** The median, and between which values the runs were when there were several. */
const range = (values, unit) => {
  const [low, middle, high] = [Math.min(...values), median(values), Math.max(...values)].map((v) => show(v, unit));
  return low === high ? middle : `${middle} (${low} – ${high})`;
};

/** "≥ 0.6" is about the ratio where there is one; with a unit ("≥ 10,000 /s") always about the value. Several stand with commas between spaces. */
function reached(aim, value, ratio) {
  const all = aim.split(', ').map((one) => {
    const m = /^([<≥])\s*([\d.,]+)\s*(\S*)$/.exec(one);
    if (!m) return null;
    const subject = m[3] || ratio === null ? value : ratio, bound = Number(m[2].replaceAll(',', ''));
    return m[1] === '<' ? subject < bound : subject >= bound;
  });
  return all.includes(null) ? null : all.every(Boolean);
}

export class Report {
  sections = [];

  begin(name, title, caption) {
    this.section = { name, title, caption, rows: [], notes: [] };
  }

  /**
   * One figure: `values` are its repeats. `limit` is `{name, values, cpu?}`, measured in turns with it; `cpu` is microseconds of the
   * server's processor time for one of what is counted; `times` shows the ratio as so many times the other.
   */
  row(what, values, unit, limit = null, aim = '', { cpu = null, times = false } = {}) {
    const value = median(values);
    const ratio = limit ? value / median(limit.values) : null;
    const line = { what, values, unit, limit, aim, cpu, ratio, times, ok: aim ? reached(aim, value, ratio) : null };
    this.section.rows.push(line);
    console.log(`  ${what}: ${range(values, unit)} ${unit}${cpu ? `, ${range(cpu, 'us')} us of processor` : ''}`
      + (limit ? `; ${limit.name}: ${range(limit.values, unit)}${limit.cpu ? `, ${range(limit.cpu, 'us')} us` : ''}; ${times ? `${ratio.toFixed(1)} x` : `ratio ${ratio.toFixed(2)}`}` : '')
      + (aim ? `; aim ${aim}${line.ok === null ? '' : line.ok ? ', reached' : ', NOT reached'}` : ''));
  }

  note(text) {
    this.section.notes.push(text);
  }

  /** The part is whole. Without this its rows are not kept; nor are those of a part that had nothing to measure here. */
  end() {
    if (this.section.rows.length) this.sections.push(this.section);
  }

  text(s) {
    const has = (member) => s.rows.some((r) => r[member] !== null && r[member] !== '');
    const columns = [
      ['what', (r) => r.what],
      ['measured', (r) => `${range(r.values, r.unit)} ${r.unit}`],
      has('cpu') && ['processor', (r) => (r.cpu ? `${range(r.cpu, 'us')} us` : '')],
      has('limit') && ['beside it', (r) => (r.limit ? `${r.limit.name}: ${range(r.limit.values, r.unit)}${r.limit.cpu ? `, ${range(r.limit.cpu, 'us')} us` : ''}` : '')],
      has('limit') && ['ratio', (r) => (r.limit ? (r.times ? `${r.ratio.toFixed(1)} x` : r.ratio.toFixed(2)) : '')],
      has('aim') && ['aim', (r) => (r.aim ? `${r.aim}${r.ok === null ? '' : r.ok ? ' ✓' : ' ✗'}` : '')],
    ].filter(Boolean);
    const line = (cells) => `| ${cells.join(' | ')} |\n`;
    return `## ${s.title}\n\n${s.caption}\n\n${line(columns.map(([name]) => name))}${line(columns.map(() => '---'))}`
      + s.rows.map((r) => line(columns.map(([, cell]) => cell(r)))).join('')
      + s.notes.map((n) => `\n${n}\n`).join('');
  }

  /**
   * Into `path`, in the order of `order`; sections that are there already and were not measured again stay, and so does what stands
   * before them when there is no `head`.
   */
  write(path, head, order) {
    if (!this.sections.length) return;
    const before = readFileSync(path, 'utf8');
    head ??= before.split('\n<!-- ')[0];
    const old = new Map([...before.matchAll(/<!-- (\w+) -->\n([^]*?)<!-- end -->\n/g)].map((m) => [m[1], m[2]]));
    for (const s of this.sections) old.set(s.name, this.text(s));
    const names = [...order.filter((n) => old.has(n)), ...[...old.keys()].filter((n) => !order.includes(n))];
    writeFileSync(path, `${head}\n${names.map((n) => `<!-- ${n} -->\n${old.get(n)}<!-- end -->\n`).join('\n')}`);
  }
}
