import { beforeEach, expect, it } from 'vitest';
import type { StreamEntry } from '$lib/api/types';
import { entriesOf, EventWindow, WAITING_MAX, WINDOW_MAX } from './eventWindow';

const entry = (n: number): StreamEntry => ({ id: `${n}-0`, fields: [] });
const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => entry(from + i));
const shown = () => entriesOf(view.rows).map(({ id }) => Number(id.split('-')[0]));
const numbers = (from: number, to: number) => range(from, to).map(({ id }) => Number(id.split('-')[0]));

let view: EventWindow;

beforeEach(() => {
  view = new EventWindow();
  view.reset(range(11, 20), '20-0');
});

it('shows what arrives, and nothing twice', () => {
  expect(view.arrive(range(18, 22), true)).toBe(2);
  expect(shown()).toEqual(numbers(11, 22));
  expect(new Set(view.rows.map(({ key }) => key)).size).toBe(12);
});

it('lets go of the oldest rows when there are too many', () => {
  view.arrive(range(21, WINDOW_MAX + 15), true);
  expect(view.rows).toHaveLength(WINDOW_MAX);
  expect(view.trimmed).toBe(true);
  expect(view.last?.id).toBe(`${WINDOW_MAX + 15}-0`);
});

it('what waits is counted and shown later, in order', () => {
  view.arrive(range(21, 25), false);
  expect(shown()).toEqual(numbers(11, 20));
  expect(view.waitingCount).toBe(5);
  // Also where it could be shown: what came before it still waits.
  view.arrive(range(26, 27), true);
  expect(shown()).toEqual(numbers(11, 20));
  expect(view.release()).toBe(true);
  expect(shown()).toEqual(numbers(11, 27));
  expect(view.waitingCount).toBe(0);
});

it('of more than may wait only the number is kept, and nothing is shown across the hole', () => {
  view.arrive(range(21, 30 + WAITING_MAX), false);
  expect(view.waitingCount).toBe(WAITING_MAX + 10);
  expect(view.hole).toBe(true);
  expect(view.release()).toBe(false);
  expect(shown()).toEqual(numbers(11, 20));
});

it('a hole is closed by what was read once it meets what waits', () => {
  view.arrive(range(21, 30 + WAITING_MAX), false);
  view.fill(range(21, 25), false);
  expect(view.hole).toBe(true);
  view.fill(range(26, 40), false);
  expect(view.hole).toBe(false);
  expect(view.release()).toBe(true);
  expect(shown().at(-1)).toBe(30 + WAITING_MAX);
  expect(new Set(shown()).size).toBe(shown().length);
});

it('older entries in front of too many let go of the end, which can be read again', () => {
  view.reset(range(3001, 8000), '8000-0');
  view.prepend(range(2801, 3000));
  expect(shown()).toEqual(numbers(2801, 7800));
  expect(view.hole).toBe(true);
  view.arrive(range(8001, 8002), true);
  expect(shown().at(-1)).toBe(7800);
  view.fill(range(7801, 8002), true);
  expect(view.release()).toBe(true);
  view.trimStart();
  expect(shown()).toEqual(numbers(3003, 8002));
});

it('a gap stands where entries are missing, once, and ids may begin anew behind it', () => {
  view.arrive([{ gap: 'trimmed' }, { gap: 'trimmed' }, ...range(1, 2)], true);
  expect(view.rows.map((row) => ('gap' in row ? row.gap : row.entry.id)).slice(-4)).toEqual([
    '20-0',
    'trimmed',
    '1-0',
    '2-0',
  ]);
  expect(view.arrive([{ gap: 'trimmed' }, entry(3)], true)).toBe(1);
  expect(view.rows.filter((row) => 'gap' in row)).toHaveLength(2);
});
