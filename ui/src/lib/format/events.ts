import type { EntryFilter } from '$lib/api/bus';
import type { BusFrame } from '$lib/api/live/client';
import type { Backend, StreamEntry } from '$lib/api/types';
import { LOCALE } from './locale';
import { count } from './numbers';
import type { Segment } from './text';
import { dayKey } from './time';

/** What an event's type says at a glance. */
export type Tone = 'good' | 'warn' | 'bad' | 'busy' | 'plain';

/** Names that stand in columns of their own, and not among the rest. */
const HEAD = ['type', 'scope', 'ts'];
/** Longer values are cut in a row: they are whole in the details. */
const SUMMARY_CHARS = 160;
/** Longer JSON stays as it came: indented it would be more than anyone reads, and cost the frame. */
const PRETTY_CHARS_MAX = 200_000;

const clockFormat = new Intl.DateTimeFormat(LOCALE, {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  fractionalSecondDigits: 3,
  hourCycle: 'h23',
});

/** Compares two ids, `milliseconds-sequence`: both parts go to 2^64, beyond what a number holds. */
export function compareIds(a: string, b: string): number {
  const [aMs = '', aSeq = '0'] = a.split('-');
  const [bMs = '', bSeq = '0'] = b.split('-');
  return compareDigits(aMs, bMs) || compareDigits(aSeq, bSeq);
}

/** The time in an id, as ISO 8601; null where that is no time, for ids may be chosen freely. */
export function idTime(id: string): string | null {
  const date = new Date(Number(id.split('-')[0]));
  return Number.isNaN(date.getTime()) ? null : date.toISOString();
}

/** `14:05:09.123`, in the machine's time zone. */
export function exactClock(iso: string): string {
  return clockFormat.format(new Date(iso));
}

/** The value of a field; the last one where a name comes twice, as readers of the stream see it. */
export function field(entry: StreamEntry, name: string): string | undefined {
  return entry.fields.findLast(([key]) => key === name)?.[1];
}

/** An entry as the live stream brings it. */
export function readFrame({ id, data }: BusFrame): StreamEntry {
  return { id, fields: Object.entries(JSON.parse(data) as Record<string, string>) };
}

/** Whether an entry is one of those wanted. */
export function wanted(entry: StreamEntry, { scope, type, run }: EntryFilter): boolean {
  return (
    (!scope || field(entry, 'scope') === scope) &&
    (!type || field(entry, 'type') === type) &&
    (!run || field(entry, 'run_id') === run)
  );
}

/** An entry as a row shows it. */
export interface RowView {
  /** When it was written, by its id; ISO 8601, null if the id is no time. */
  time: string | null;
  clock: string;
  /** The local day, `2024-01-31`. */
  day: string;
  type: string;
  scope: string;
  tone: Tone;
  /** Everything but type, scope and time, in a line: `run_id=123  success=95`. */
  rest: string;
}

const views = new WeakMap<StreamEntry, RowView>();
const haystacks = new WeakMap<StreamEntry, string>();

/** What a row shows of an entry. Kept, for a busy list asks again with every frame. */
export function rowView(entry: StreamEntry): RowView {
  let view = views.get(entry);
  if (!view) views.set(entry, (view = viewOf(entry)));
  return view;
}

/** Whether an entry holds a text somewhere: in its id, a name or a value. `text` is in lower case. */
export function holds(entry: StreamEntry, text: string): boolean {
  let haystack = haystacks.get(entry);
  if (haystack === undefined) {
    haystack = [entry.id, ...entry.fields.map(([name, value]) => `${name}=${value}`)]
      .join('\n')
      .toLowerCase();
    haystacks.set(entry, haystack);
  }
  return haystack.includes(text);
}

/** Splits a text at what is searched for, whatever its case. `text` is in lower case. */
export function marked(line: string, text: string): Segment[] {
  if (!text) return [{ text: line }];
  const lower = line.toLowerCase();
  // A few letters change their length with their case; marks would be off, so there are none.
  if (lower.length !== line.length) return [{ text: line }];
  const parts: Segment[] = [];
  let from = 0;
  for (let at = lower.indexOf(text); at >= 0; at = lower.indexOf(text, from)) {
    if (at > from) parts.push({ text: line.slice(from, at) });
    parts.push({ text: line.slice(at, at + text.length), found: true });
    from = at + text.length;
  }
  if (from < line.length) parts.push({ text: line.slice(from) });
  return parts;
}

/** A value as it is read best: objects and lists over several lines, anything else as it is. */
export function pretty(value: string): string {
  if (!/^\s*[[{]/u.test(value) || value.length > PRETTY_CHARS_MAX) return value;
  try {
    JSON.parse(value);
  } catch {
    return value;
  }
  return indent(value);
}

/** An entry as JSON: its id, then its fields as the strings they are. */
export function asJson({ id, fields }: StreamEntry): string {
  // Built by hand of its parts: an object would put names that look like numbers first.
  const lines = [['id', id] as const, ...fields]
    .filter(([name], i, all) => all.findLastIndex(([other]) => other === name) === i)
    .map(([name, value]) => `  ${JSON.stringify(name)}: ${JSON.stringify(value)}`);
  return `{\n${lines.join(',\n')}\n}`;
}

/** The engine's name for people. */
export function engineTitle(backend: Backend): string {
  return backend === 'redis' ? 'Redis' : 'Built-in log';
}

/** `0.4 ms`, `12 ms`, `3.2 s`. */
export function lag(ms: number): string {
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

/** `0.3`, `12`, `1,234`: how many a second. */
export function rate(perSecond: number): string {
  return perSecond < 10 ? perSecond.toFixed(1) : count(Math.round(perSecond));
}

/** With a full stop, where what another program said has none. */
export function sentence(text: string): string {
  return /[.!?]$/u.test(text) ? text : `${text}.`;
}

/** The types that this program publishes: to choose from. */
export const KNOWN_TYPES = [
  'run_starting',
  'run_seeded',
  'run_started',
  'run_complete',
  'analysis_completed',
  'conversation_sealed',
  'progress',
  'completed',
  'failed',
  'retry',
  'status',
  'commitment_found',
  'commitment_updated',
];

const TONES = new Map<string, Tone>([
  ['run_starting', 'busy'],
  ['run_started', 'busy'],
  ['run_seeded', 'busy'],
  ['progress', 'busy'],
  ['status', 'busy'],
  ['run_complete', 'good'],
  ['analysis_completed', 'good'],
  ['completed', 'good'],
  ['retry', 'warn'],
  ['failed', 'bad'],
]);

/**
 * JSON over several lines, by its text alone: read and written again, numbers beyond 2^53 and names that come twice would
 * not be the same.
 */
function indent(json: string): string {
  let out = '';
  let depth = 0;
  const line = () => `\n${'  '.repeat(depth)}`;
  for (const [token] of json.matchAll(/"(?:[^"\\]|\\.)*"|[[{]\s*[\]}]|[^\s"]/gu)) {
    if (token === '{' || token === '[') {
      depth += 1;
      out += token + line();
    } else if (token === '}' || token === ']') {
      depth -= 1;
      out += line() + token;
    } else if (token === ',') out += token + line();
    else if (token === ':') out += ': ';
    else out += /^[[{]/u.test(token) ? token.replace(/\s/gu, '') : token;
  }
  return out;
}

/** Decimal digits without leading zeros: the longer is the greater. */
function compareDigits(a: string, b: string): number {
  if (a.length !== b.length) return a.length - b.length;
  return a < b ? -1 : a > b ? 1 : 0;
}

/** What a type says at a glance. Types that nobody knows are plain. */
function tone(type: string): Tone {
  return TONES.get(type) ?? 'plain';
}

function viewOf(entry: StreamEntry): RowView {
  const time = idTime(entry.id);
  const type = field(entry, 'type') ?? '';
  return {
    time,
    clock: time ? exactClock(time) : entry.id,
    day: time ? dayKey(time) : '',
    type,
    scope: field(entry, 'scope') ?? '',
    tone: tone(type),
    rest: entry.fields
      .filter(([name]) => !HEAD.includes(name))
      .map(([name, value]) => `${name}=${cut(value)}`)
      .join('  '),
  };
}

function cut(value: string): string {
  const line = value.replace(/\s+/gu, ' ');
  return line.length > SUMMARY_CHARS ? `${line.slice(0, SUMMARY_CHARS)}…` : line;
}
