import { expect, it } from 'vitest';
import { areaPath, linePath } from './path';

const places = (...ys: (number | null)[]) => ys.map((y, i) => ({ x: i * 10, y }));

it('a line is lifted where a value is missing', () => {
  expect(linePath(places(1, 2, null, 4, 5))).toBe('M0 1L10 2M30 4L40 5');
  expect(linePath(places(null, null))).toBe('');
});

it('a line does not lead over a hole', () => {
  const line = [
    { x: 0, y: 1 },
    { x: 10, y: 2 },
    { x: 90, y: 3, hole: true },
    { x: 100, y: 4 },
  ];
  expect(linePath(line)).toBe('M0 1L10 2M90 3L100 4');
});

it('a value without neighbours is a dot', () => {
  expect(linePath(places(null, 7, null))).toBe('M10 7h0');
});

it('an area reaches down to the base, stretch by stretch', () => {
  expect(areaPath(places(1, 2, null, 4), 50)).toBe('M0 50L0 1L10 2V50Z');
});

it('a tenth of a pixel is fine enough', () => {
  expect(
    linePath([
      { x: 1 / 3, y: 2 / 3 },
      { x: 2, y: 1.25 },
    ]),
  ).toBe('M0.3 0.7L2 1.3');
});
