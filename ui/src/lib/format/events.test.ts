import { expect, it } from 'vitest';
import type { StreamEntry } from '$lib/api/types';
import {
  asJson,
  compareIds,
  field,
  holds,
  idTime,
  marked,
  pretty,
  readFrame,
  rowView,
  wanted,
} from './events';

const done: StreamEntry = {
  id: '1704110400000-3',
  fields: [
    ['type', 'analysis_completed'],
    ['scope', 'chat:7'],
    ['ts', '2024-01-01T12:00:00.000000'],
    ['run_id', '12'],
    ['timings', '{"mood": 1.5}'],
  ],
};
const all = { scope: '', type: '', run: '' };

it('orders ids by their numbers, also where they exceed what a number holds', () => {
  const ids = ['0-0', '9-1', '10-0', '10-2', '10-11', '18446744073709551614-9', '18446744073709551615-0'];
  expect([...ids].reverse().sort(compareIds)).toEqual(ids);
  expect(compareIds('5-5', '5-5')).toBe(0);
});

it('reads the time of an id, and none from an id that is no time', () => {
  expect(idTime(done.id)).toBe('2024-01-01T12:00:00.000Z');
  expect(idTime('18446744073709551615-0')).toBeNull();
});

it('sums up what has no column of its own, on one line and of bounded length', () => {
  expect(rowView(done).rest).toBe('run_id=12  timings={"mood": 1.5}');
  const long = rowView({ id: '1-0', fields: [['text', `a\nb${'c'.repeat(1000)}`]] }).rest;
  expect(long.startsWith('text=a bccc')).toBe(true);
  expect(long.length).toBeLessThan(200);
});

it('filters by scope, type and run, and by nothing', () => {
  expect(wanted(done, all)).toBe(true);
  expect(wanted(done, { scope: 'chat:7', type: 'analysis_completed', run: '12' })).toBe(true);
  expect(wanted(done, { ...all, scope: 'chat:70' })).toBe(false);
  expect(wanted(done, { ...all, type: 'analysis' })).toBe(false);
  expect(wanted(done, { ...all, run: '1' })).toBe(false);
  expect(wanted({ id: '1-0', fields: [] }, { ...all, scope: 'global' })).toBe(false);
});

it('finds a text in ids, names and values, whatever its case', () => {
  expect(holds(done, '400000-3')).toBe(true);
  expect(holds(done, 'run_id=12')).toBe(true);
  expect(holds(done, 'mood')).toBe(true);
  expect(holds({ id: '1-0', fields: [['who', 'ANNA']] }, 'anna')).toBe(true);
  expect(holds(done, 'nobody')).toBe(false);
});

it('a name that comes twice has its last value', () => {
  expect(field({ id: '1-0', fields: [['a', '1'], ['b', '2'], ['a', '3']] }, 'a')).toBe('3'); // prettier-ignore
});

it('opens up JSON values and leaves what only looks like it', () => {
  expect(pretty('{"a":[1,2]}')).toBe('{\n  "a": [\n    1,\n    2\n  ]\n}');
  expect(pretty('{"a": {}, "b" :[ ], "c":" x, {y: \\" ", "d":-1.5e3}')).toBe(
    '{\n  "a": {},\n  "b": [],\n  "c": " x, {y: \\" ",\n  "d": -1.5e3\n}',
  );
  expect(pretty('[12345678901234567890]')).toBe('[\n  12345678901234567890\n]');
  expect(pretty('[not json')).toBe('[not json');
  expect(pretty('12')).toBe('12');
});

it('copies as JSON that reads back, with names in their order', () => {
  const entry: StreamEntry = { id: '1-0', fields: [['type', 'x'], ['2', 'two'], ['1', '"one"\n']] }; // prettier-ignore
  expect(asJson(entry)).toBe('{\n  "id": "1-0",\n  "type": "x",\n  "2": "two",\n  "1": "\\"one\\"\\n"\n}');
  expect(JSON.parse(asJson(done))).toEqual({ id: done.id, ...Object.fromEntries(done.fields) });
});

it('reads a live frame as an entry', () => {
  expect(readFrame({ id: '1-0', data: '{"type":"x","scope":"global"}' })).toEqual({
    id: '1-0',
    fields: [
      ['type', 'x'],
      ['scope', 'global'],
    ],
  });
});

it('gives a failure the colour of one, and what it does not know none', () => {
  const toneOf = (type: string) => rowView({ id: '1-0', fields: [['type', type]] }).tone;
  expect(toneOf('failed')).toBe('bad');
  expect(toneOf('toString')).toBe('plain');
  expect(rowView({ id: '1-0', fields: [] }).tone).toBe('plain');
});

it('marks what was searched for, wherever it stands, and changes no letter', () => {
  expect(marked('Run=12 run', 'run')).toEqual([
    { text: 'Run', found: true },
    { text: '=12 ' },
    { text: 'run', found: true },
  ]);
  for (const line of ['', 'İrun', 'ßRUNß', 'runrunru']) {
    expect(
      marked(line, 'run')
        .map(({ text }) => text)
        .join(''),
    ).toBe(line);
  }
  expect(marked('abc', '')).toEqual([{ text: 'abc' }]);
});
