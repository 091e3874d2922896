import { expect, it } from 'vitest';
import { niceTop, timeTicks } from './scale';

it('an axis ends at a number whose half reads well, not far above what it holds', () => {
  const tops = [0, 1.2, 3, 4, 5, 7, 9, 10, 11, 64, 1999, 2000, 2001, 0.03].map((max) => niceTop(max, 0.01));
  expect(tops).toEqual([0.01, 2, 4, 4, 6, 8, 10, 10, 20, 80, 2000, 2000, 4000, 0.04]);
});

it('an axis never ends below its floor, so that noise stays small', () => {
  expect(niceTop(0.2, 10)).toBe(10);
  expect(niceTop(0, 2)).toBe(2);
});

it('an axis holds whatever there is', () => {
  for (let max = 0.001; max < 1e12; max *= 1.37) {
    const top = niceTop(max, 0.001);
    expect(top).toBeGreaterThanOrEqual(max * (1 - 1e-9));
    expect(top).toBeLessThanOrEqual(max * 2.0001);
  }
});

it('times below an axis are round, and as many as there is room for', () => {
  const from = Date.UTC(2024, 0, 1, 12, 0, 10);
  const ticks = (minutes: number, max: number) =>
    timeTicks(from, from + minutes * 60_000, max).map((at) => new Date(at).toISOString().slice(11, 19));
  expect(ticks(2, 4)).toEqual(['12:00:30', '12:01:00', '12:01:30', '12:02:00']);
  expect(ticks(5, 3)).toEqual(['12:02:00', '12:04:00']);
  expect(ticks(10, 2)).toEqual(['12:05:00', '12:10:00']);
});
