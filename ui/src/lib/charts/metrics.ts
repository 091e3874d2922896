import type { Metrics } from '$lib/api/types';
import { lag } from '$lib/format/events';
import { bytes, compact, count } from '$lib/format/numbers';
import { growth, type Sample } from '$lib/state/metricsWindow';

/** One line of a chart. */
export interface Series {
  name: string;
  /** In the chart's unit; null where nothing is known. */
  value: (sample: Sample) => number | null;
}

/** What one chart shows. */
export interface ChartSpec {
  /** In the address. */
  id: string;
  title: string;
  /** A sentence for whoever does not know the term. */
  about: string;
  /** A number as it is read. */
  format: (value: number) => string;
  /** What stands behind the number; empty where {@link format} says it. */
  unit: string;
  /** The lowest end of the axis. */
  floor: number;
  /** The lines add up: each stands on the one before, and the sum is told first. */
  stacked?: boolean;
  series: readonly Series[];
}

const A_SECOND = { format: brief, unit: 'a second', floor: 2 };
const NUMBER = { format: brief, unit: '', floor: 2 };
const SIZE = { format: bytes, unit: '', floor: 10_000_000 };
const TIME = { format: lag, unit: '', floor: 2 };

/** All charts, in the order in which something happens: messages, the event log, analysis, and what it takes. */
export const CHARTS: readonly ChartSpec[] = [
  {
    id: 'messages',
    title: 'Changes through the hub',
    about: 'New messages and changed chats: announced once, and handed to every open stream that shows them.',
    ...A_SECOND,
    series: [
      counter('Published', ({ hub }) => hub.published),
      counter('Delivered', ({ hub }) => hub.delivered),
    ],
  },
  {
    id: 'delivery',
    title: 'Time to the socket',
    about: 'From the announcement of a change until it is handed to a window’s connection, over ten seconds.',
    ...TIME,
    series: [
      level('Median', ({ latency_ms }) => latency_ms.publish_to_send?.p50 ?? null),
      level('99 % below', ({ latency_ms }) => latency_ms.publish_to_send?.p99 ?? null),
      level('Longest', ({ latency_ms }) => latency_ms.publish_to_send?.max ?? null),
    ],
  },
  {
    id: 'slow',
    title: 'Slow listeners',
    about: 'Changes that a listener was too slow for, and catching up from the database. Nothing is lost.',
    ...A_SECOND,
    series: [counter('Dropped', ({ hub }) => hub.dropped), counter('Refilled', ({ hub }) => hub.refilled)],
  },
  {
    id: 'events',
    title: 'Event log',
    about: 'Events of analysis and commitments: written by this program, and read for those who follow.',
    ...A_SECOND,
    series: [counter('Published', ({ bus }) => bus.published), counter('Read', ({ bus }) => bus.read)],
  },
  {
    id: 'lag',
    title: 'Lag of the event log',
    about: 'How old the newest event was when it was handed to those who follow.',
    ...TIME,
    series: [level('Lag', ({ bus }) => bus.lag_ms)],
  },
  {
    id: 'streams',
    title: 'Open streams',
    about: 'Connections that windows, scripts and other programs hold open, by what they follow.',
    ...NUMBER,
    stacked: true,
    series: [
      level('Chats', ({ sse }) => sse.by_endpoint.chats),
      level('Messages', ({ sse }) => sse.by_endpoint.messages),
      level('Contacts', ({ sse }) => sse.by_endpoint.contacts),
      level('Events', ({ sse }) => sse.by_endpoint.queue_stream),
      level('Whole log', ({ sse }) => sse.by_endpoint.redis_stream),
      level('Metrics', ({ sse }) => sse.by_endpoint.metrics),
    ],
  },
  {
    id: 'analysed',
    title: 'Analysis',
    about: 'Tasks that ended: each is one conversation with its passes.',
    ...A_SECOND,
    series: [
      counter('Completed', ({ analysis }) => analysis.completed),
      counter('Failed', ({ analysis }) => analysis.failed),
    ],
  },
  {
    id: 'tasks',
    title: 'Analysis queue',
    about: 'Tasks that wait for a worker or for their next try, and those being worked on.',
    ...NUMBER,
    series: [
      level('Waiting', ({ analysis }) => analysis.queued),
      level('Running', ({ analysis }) => analysis.running),
    ],
  },
  {
    id: 'sent',
    title: 'Sent to streams',
    about: 'Bytes handed to the connections of all open streams.',
    ...SIZE,
    unit: 'a second',
    floor: 10_000,
    series: [counter('Sent', ({ sse }) => sse.bytes_sent)],
  },
  {
    id: 'cpu',
    title: 'Processor',
    about: 'What the program uses of one processor core: two that are busy are 200 %.',
    format: (value) => `${value < 10 ? value.toFixed(1) : Math.round(value)} %`,
    unit: '',
    floor: 10,
    // Told since the last look: the first one tells of no time.
    series: [{ name: 'Of one core', value: ({ now, before }) => (before ? now.process.cpu_percent : null) }],
  },
  {
    id: 'memory',
    title: 'Memory',
    about: 'What the program holds in memory.',
    ...SIZE,
    series: [level('In use', ({ process }) => process.rss_bytes)],
  },
  {
    id: 'database',
    title: 'Database',
    about: 'The size of the files that hold chats, messages and results.',
    ...SIZE,
    floor: 1_000_000,
    series: [level('On disk', ({ store }) => store.db_bytes)],
  },
];

/** A value with its unit, as tooltips and tables show it; a dash where there is none. */
export function withUnit({ format, unit }: ChartSpec, value: number | null): string {
  if (value === null) return '–';
  return unit ? `${format(value)} ${unit}` : format(value);
}

/** A value beside the axis, which is narrow: `60 MB` for `60.0 MB`. */
export function axisLabel({ format }: ChartSpec, value: number): string {
  return value === 0 ? '0' : format(value).replace(/\.0(?= )/, '');
}

/** The heights at which the lines of a chart are drawn: their values, or where they stand on each other, the sums. */
export function heights({ series, stacked }: ChartSpec, sample: Sample): (number | null)[] {
  const values = series.map(({ value }) => value(sample));
  if (!stacked) return values;
  let sum = 0;
  return values.map((value) => (sum += value ?? 0));
}

/** All lines of a chart at one moment, as a sentence. */
export function spoken(spec: ChartSpec, sample: Sample): string {
  return spec.series.map(({ name, value }) => `${name} ${withUnit(spec, value(sample))}`).join(', ');
}

/** `0`, `0.3`, `12`, `1,234`, `56.7K`: short enough to stand large and beside an axis. */
function brief(value: number): string {
  if (value >= 10_000) return compact(value);
  return count(value < 10 ? Math.round(value * 10) / 10 : Math.round(value));
}

function level(name: string, read: (metrics: Metrics) => number | null): Series {
  return { name, value: ({ now }) => read(now) };
}

function counter(name: string, read: (metrics: Metrics) => number): Series {
  return { name, value: (sample) => growth(sample, read) };
}
