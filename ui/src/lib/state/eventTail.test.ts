import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { EntryAnchor, EntryFilter } from '$lib/api/bus';
import type { Subscriber } from '$lib/api/live/client';
import type { EntryPage, StreamEntry, StreamReach } from '$lib/api/types';
import { compareIds, wanted } from '$lib/format/events';
import { framesByHand, seeded, settled } from '$lib/testing';
import { EventTail } from './eventTail.svelte';
import { entriesOf } from './eventWindow';

/** The log as the view sees it: its pages, and its stream. */
const server = vi.hoisted(() => ({
  log: [] as StreamEntry[],
  newest: '0-0',
  stream: undefined as Subscriber | undefined,
  /** Answers are read when they are asked for, and given when a test says so. */
  answers: [] as (() => void)[],
  failure: undefined as Error | undefined,
}));

/** Entries that one answer looks at. */
const SCANNED = 30;

vi.mock('$lib/api/live/client', () => ({
  MAIN_STREAM: 'main',
  busTopic: () => 'bus/main',
  subscribe: (_topic: string, subscriber: Subscriber) => {
    server.stream = subscriber;
    return () => (server.stream = undefined);
  },
  watch: () => undefined,
  states: () => [],
  retryNow: () => undefined,
}));

vi.mock('$lib/api/bus', () => ({
  ENTRY_PAGE: 20,
  getBus: () => Promise.reject(new Error('not asked for here')),
  streamReach: (key: string) =>
    answering((): StreamReach => {
      const [first, last] = [server.log[0]?.id ?? null, server.log.at(-1)?.id ?? null];
      return { key, length: server.log.length, first_id: first, last_id: last, newest_id: server.newest };
    }),
  entryPage: (_stream: string, filter: EntryFilter, anchor: EntryAnchor, count = 20) =>
    answering(() => read(filter, anchor, count)),
}));

function answering<T>(run: () => T): Promise<T> {
  const { failure } = server;
  const result = failure ? undefined : run();
  return new Promise((resolve, reject) =>
    server.answers.push(() => (failure ? reject(failure) : resolve(result as T))),
  );
}

function read(filter: EntryFilter, anchor: EntryAnchor, count: number): EntryPage {
  let list = server.log;
  if (anchor !== 'end' && 'after' in anchor) list = list.filter(({ id }) => compareIds(id, anchor.after) > 0);
  else {
    if (anchor !== 'end' && 'before' in anchor)
      list = list.filter(({ id }) => compareIds(id, anchor.before) < 0);
    if (anchor !== 'end' && 'upTo' in anchor)
      list = list.filter(({ id }) => compareIds(id, anchor.upTo) <= 0);
    list = list.toReversed();
  }
  const entries: StreamEntry[] = [];
  let looked = 0;
  for (const entry of list.slice(0, SCANNED)) {
    if (entries.length === count) break;
    looked += 1;
    if (wanted(entry, filter)) entries.push(entry);
  }
  return { entries, next: looked < list.length ? (list[looked - 1]?.id ?? null) : null };
}

const all = { stream: 'main', scope: '', type: '', run: '' };
const frames = framesByHand();
const idsOf = (list: readonly StreamEntry[]) => list.map(({ id }) => id);
const shown = () => idsOf(entriesOf(tail.rows));
const newest = (n: number) => idsOf(server.log).slice(-n);

let tail: EventTail;
let nextId = 1;
/** What the stream has not brought yet. */
let unheard: StreamEntry[] = [];

function write(count: number, type = 'progress'): void {
  for (let i = 0; i < count; i++) {
    const entry: StreamEntry = { id: `${nextId++}-0`, fields: [['type', type]] };
    server.log.push(entry);
    server.newest = entry.id;
    unheard.push(entry);
  }
}

function bring(): void {
  const frames = unheard.map(({ id, fields }) => ({ id, data: JSON.stringify(Object.fromEntries(fields)) }));
  unheard = [];
  server.stream?.event?.('entries', frames);
}

/** Answers everything that is asked for, until nothing more is. */
async function answerAll(): Promise<void> {
  await settled();
  while (server.answers.length > 0) {
    server.answers.splice(0).forEach((answer) => answer());
    await settled();
  }
}

async function open(selection = all, pausedAt: string | null = null): Promise<void> {
  unheard = [];
  tail = new EventTail(selection, pausedAt);
  tail.open();
  server.stream?.state?.({ phase: 'live', resumed: false });
  await answerAll();
}

beforeEach(() => {
  Object.assign(server, { log: [], newest: '0-0', stream: undefined, answers: [], failure: undefined });
  nextId = 1;
});
afterEach(() => tail.close());

it('opens at the end and shows what comes', async () => {
  write(100);
  await open();
  expect(shown().slice(-20)).toEqual(newest(20));
  write(3);
  bring();
  await frames.next();
  expect(shown().slice(-23)).toEqual(newest(23));
});

it('what is written while the first page is on its way is there once', async () => {
  write(50);
  tail = new EventTail(all, null);
  tail.open();
  await settled();
  write(2);
  server.stream?.state?.({ phase: 'live', resumed: false });
  unheard = unheard.slice(-1);
  write(1);
  bring();
  await answerAll();
  await frames.next();
  expect(shown().slice(-20)).toEqual(newest(20));
});

it('reads back to the beginning, page by page', async () => {
  write(100);
  await open();
  while (tail.hasBefore) {
    const asked = tail.loadOlder();
    await answerAll();
    await asked;
  }
  expect(shown()).toEqual(idsOf(server.log));
});

it('a filter that finds little looks back by itself, and takes only what matches from the stream', async () => {
  write(1, 'failed');
  write(300);
  write(1, 'failed');
  await open({ ...all, type: 'failed' });
  expect(shown()).toEqual(['1-0', '302-0']);
  write(2);
  write(1, 'failed');
  bring();
  await frames.next();
  expect(shown()).toEqual(['1-0', '302-0', '305-0']);
});

it('paused, it counts what comes and shows it when it goes on', async () => {
  write(30);
  await open();
  expect(tail.pause()).toBe('30-0');
  write(7);
  bring();
  await frames.next();
  expect([shown().at(-1), tail.waiting]).toEqual(['30-0', 7]);
  await tail.resume();
  expect([shown().at(-1), tail.waiting]).toEqual(['37-0', 0]);
});

it('opens paused where it was, and counts what has come since', async () => {
  write(60);
  await open(all, '40-0');
  expect([shown().at(-1), tail.waiting]).toEqual(['40-0', 20]);
  const resumed = tail.resume();
  await answerAll();
  await resumed;
  expect(shown().slice(-30)).toEqual(newest(30));
});

it('joins anew without a hole after a connection that could not be resumed', async () => {
  write(30);
  await open();
  server.stream?.state?.({ phase: 'lost', retryAt: 0 });
  write(45);
  unheard = [];
  server.stream?.state?.({ phase: 'live', resumed: false });
  await answerAll();
  expect(shown().slice(-70)).toEqual(newest(70));
});

it('says that some are missing where the log does not reach back to what was seen', async () => {
  write(30);
  await open();
  server.stream?.state?.({ phase: 'lost', retryAt: 0 });
  write(40);
  unheard = [];
  server.log = server.log.slice(-10);
  server.stream?.state?.({ phase: 'live', resumed: false });
  await answerAll();
  const gaps = tail.rows.map((row) => ('gap' in row ? 'gap' : row.entry.id));
  expect(gaps.slice(-12)).toEqual(['30-0', 'gap', ...newest(10)]);
});

it('reads what it could not read once the stream is live', async () => {
  write(5);
  server.failure = new Error('The log is away.');
  tail = new EventTail(all, null);
  tail.open();
  server.stream?.state?.({ phase: 'away', retryAt: 0 });
  await answerAll();
  expect(tail.error?.message).toBe('The log is away.');
  server.failure = undefined;
  server.stream?.state?.({ phase: 'live', resumed: false });
  await answerAll();
  expect([tail.error, shown()]).toEqual([null, newest(5)]);
});

describe('whatever happens in whatever order', () => {
  for (const seed of [1, 2, 3, 4, 5, 6, 7, 8]) {
    it(`what is shown has no hole and nothing twice, and the end is found (seed ${seed})`, async () => {
      const random = seeded(seed);
      write(Math.floor(random() * 200));
      await open();
      for (let i = 0; i < 300; i++) {
        const dice = random();
        if (dice < 0.3) write(1 + Math.floor(random() * 25));
        else if (dice < 0.5) bring();
        else if (dice < 0.6) server.answers.splice(0).forEach((answer) => answer());
        else if (dice < 0.7) void tail.loadOlder();
        else if (dice < 0.75) void tail.loadNewer();
        else if (dice < 0.85) tail.looking(random() < 0.5);
        else if (dice < 0.9) void (tail.paused ? tail.resume() : tail.pause());
        else if (dice < 0.95) void tail.toEnd();
        else await frames.next();
        await settled();
        const ids = shown();
        const from = idsOf(server.log).indexOf(ids[0] ?? '');
        expect(ids).toEqual(idsOf(server.log).slice(Math.max(0, from), Math.max(0, from) + ids.length));
      }
      bring();
      await answerAll();
      await frames.next();
      if (tail.paused) void tail.resume();
      else void tail.toEnd();
      await answerAll();
      await frames.next();
      expect(shown().at(-1)).toBe(server.log.at(-1)?.id);
    });
  }
});
