import { describe, expect, it } from 'vitest';
import { dayKey, dayLabel, listTime, startOfDay } from './time';

const now = new Date(2024, 2, 13, 12, 0);
const at = (...parts: [number, number, number, number?]) => new Date(...parts).toISOString();

describe('days', () => {
  it('are named by their distance from today', () => {
    expect(dayLabel(at(2024, 2, 13, 1), now)).toBe('Today');
    expect(dayLabel(at(2024, 2, 12, 23), now)).toBe('Yesterday');
    expect(dayLabel(at(2024, 2, 8), now)).toBe('Friday');
    expect(dayLabel(at(2024, 2, 6), now)).toMatch(/6.*2024|2024.*6/);
  });

  it('of the future are written out: a clock that runs ahead is no reason to lie', () => {
    expect(dayLabel(at(2024, 2, 14), now)).toContain('2024');
  });

  it('go into a date field and back', () => {
    const start = startOfDay('2024-03-13');
    expect(start && dayKey(start)).toBe('2024-03-13');
    expect(startOfDay('yesterday')).toBeNull();
  });
});

it('a list shows as much of a time as tells it apart', () => {
  expect(listTime(at(2024, 2, 13, 9), now)).toMatch(/9/);
  expect(listTime(at(2024, 2, 12, 9), now)).toBe('Yesterday');
  expect(listTime(at(2024, 2, 9), now)).toBe('Sat');
  expect(listTime(at(2024, 0, 5), now)).toMatch(/Jan/);
  expect(listTime(at(2019, 0, 5), now)).toContain('2019');
});
