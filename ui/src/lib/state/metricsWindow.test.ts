import { beforeEach, expect, it } from 'vitest';
import { snapshot } from '$lib/testing';
import { growth, HOLE_MS, KEPT_MINUTES, MetricsWindow, nearest, SAMPLES_MAX } from './metricsWindow';

let view: MetricsWindow;

const second = (n: number, delivered = 0) =>
  snapshot(n, { hub: { ...snapshot(n).hub, delivered }, sse: { ...snapshot(n).sse, bytes_sent: n } });
const rates = () => view.samples.map((sample) => growth(sample, ({ hub }) => hub.delivered));

beforeEach(() => {
  view = new MetricsWindow();
});

it('tells rates as differences over the time that really passed', () => {
  view.add(second(0, 100));
  view.add(second(1, 110));
  view.add(second(3, 150));
  expect(rates()).toEqual([null, 10, 20]);
});

it('a restart of the program draws no spike, and is marked', () => {
  view.add(second(100, 1_000_000));
  view.add(second(101, 1_000_010));
  view.join();
  view.add({ ...second(103, 3), uptime_s: 0.2 });
  view.add({ ...second(104, 7), uptime_s: 1.2 });
  expect(rates()).toEqual([null, 10, null, 4]);
  expect(view.samples.map(({ restarted }) => restarted)).toEqual([false, false, true, false]);
});

it('a restart is noticed by counters that fall too, where the uptime tells nothing', () => {
  view.add({ ...second(10), sse: { ...second(10).sse, bytes_sent: 500 }, uptime_s: 1 });
  view.add({ ...second(14), sse: { ...second(14).sse, bytes_sent: 20 }, uptime_s: 2 });
  expect(view.samples.at(-1)?.restarted).toBe(true);
});

it('the first snapshot of a connection is compared with none before it', () => {
  view.add(second(1, 10));
  view.join();
  view.add(second(2, 20));
  view.add(second(3, 25));
  expect(rates()).toEqual([null, null, 5]);
  expect(view.samples.some(({ hole, restarted }) => hole || restarted)).toBe(false);
});

it('a long pause is a hole: no line and no rate leads over it', () => {
  view.add(second(1, 10));
  view.add(second(1 + HOLE_MS / 1000, 20));
  view.add(second(2 + 2 * (HOLE_MS / 1000), 5000));
  expect(rates()).toEqual([null, 10 / (HOLE_MS / 1000), null]);
  expect(view.samples.map(({ hole }) => hole)).toEqual([false, false, true]);
});

it('keeps ten minutes and no more, by time and by number', () => {
  for (let n = 0; n < 2 * SAMPLES_MAX; n++) view.add(second(n));
  expect(view.samples).toHaveLength(KEPT_MINUTES * 60 + 1);
  for (let n = 0; n < 2 * SAMPLES_MAX; n++) view.add(second(2 * SAMPLES_MAX + n / 10));
  expect(view.samples).toHaveLength(SAMPLES_MAX);
});

it('begins anew where the clock was set back', () => {
  view.add(second(100));
  view.add(second(40));
  view.add(second(41));
  expect(view.samples.map(({ at }) => at / 1000)).toEqual([40, 41]);
});

it('finds the sample nearest to a time, and the outermost beyond them', () => {
  [10, 11, 14].forEach((n) => view.add(second(n)));
  const found = (at: number) => nearest(view.samples, at * 1000)?.at;
  expect([0, 10.4, 10.6, 12.4, 12.6, 99].map(found)).toEqual([
    10_000, 10_000, 11_000, 11_000, 14_000, 14_000,
  ]);
  expect(nearest([], 5)).toBeUndefined();
});
