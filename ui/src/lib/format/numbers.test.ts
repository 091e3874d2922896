import { expect, it } from 'vitest';
import { bytes, duration, plural } from './numbers';

it('sizes are rounded to what a person compares', () => {
  expect([0, 999, 1000, 1450, 999_600, 48_300_000, 2_000_000_000].map(bytes)).toEqual([
    '0 bytes',
    '999 bytes',
    '1.0 KB',
    '1.4 KB',
    '1.0 MB',
    '48.3 MB',
    '2.0 GB',
  ]);
});

it('durations have two units at most', () => {
  expect([0.4, 59, 185, 7800, 200_000].map(duration)).toEqual([
    '0 s',
    '59 s',
    '3 min 5 s',
    '2 h 10 min',
    '2 days',
  ]);
});

it('one is one', () => {
  expect(plural(1, 'message')).toBe('1 message');
  expect(plural(0, 'message')).toBe('0 messages');
  expect(plural(2, 'person', 'people')).toBe('2 people');
});
