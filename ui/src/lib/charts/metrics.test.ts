import { expect, it } from 'vitest';
import type { Metrics } from '$lib/api/types';
import { MetricsWindow, type Sample } from '$lib/state/metricsWindow';
import { snapshot } from '$lib/testing';
import { axisLabel, CHARTS, heights, spoken, withUnit, type ChartSpec } from './metrics';

const chart = (id: string): ChartSpec => {
  const found = CHARTS.find((one) => one.id === id);
  if (!found) throw new Error(`no chart ${id}`);
  return found;
};
const samples = (...snapshots: Metrics[]): readonly Sample[] => {
  const view = new MetricsWindow();
  snapshots.forEach((one) => view.add(one));
  return view.samples;
};
const last = (...snapshots: Metrics[]) => samples(...snapshots).at(-1) as Sample;

it('every chart has a name of its own, and each of its lines too', () => {
  expect(new Set(CHARTS.map(({ id }) => id)).size).toBe(CHARTS.length);
  for (const { series } of CHARTS) expect(new Set(series.map(({ name }) => name)).size).toBe(series.length);
});

it('a first snapshot tells levels, and neither rates nor a load that needs a time to be of', () => {
  const first = last(snapshot(5));
  expect(spoken(chart('memory'), first)).toBe('In use 50.0 MB');
  expect(spoken(chart('messages'), first)).toBe('Published –, Delivered –');
  expect(spoken(chart('cpu'), first)).toBe('Of one core –');
});

it('says numbers with their units', () => {
  const hub = { ...snapshot(0).hub, published: 12, delivered: 24_000 };
  const sse = { ...snapshot(0).sse, bytes_sent: 1_400_000 };
  const now = last(snapshot(5), snapshot(6, { hub, sse }));
  expect(spoken(chart('messages'), now)).toBe('Published 12 a second, Delivered 24K a second');
  expect(spoken(chart('sent'), now)).toBe('Sent 1.4 MB a second');
  expect(spoken(chart('cpu'), now)).toBe('Of one core 0.5 %');
  expect([0, 0.26, 5.99, 12.4, 1234].map(chart('tasks').format)).toEqual(['0', '0.3', '6', '12', '1,234']);
  expect(withUnit(chart('events'), null)).toBe('–');
});

it('times are unknown where nothing was sent', () => {
  expect(heights(chart('delivery'), last(snapshot(1)))).toEqual([null, null, null]);
});

it('open streams stand on each other, up to their sum', () => {
  const spec = chart('streams');
  const tops = heights(spec, last(snapshot(1)));
  expect(tops).toEqual([1, 1, 1, 1, 1, 2]);
});

it('beside an axis numbers are as short as they can be', () => {
  const labels = (id: string, ...values: number[]) => values.map((value) => axisLabel(chart(id), value));
  expect(labels('memory', 0, 5e6, 7.5e6, 60e6)).toEqual(['0', '5 MB', '7.5 MB', '60 MB']);
  expect(labels('cpu', 0, 5, 10)).toEqual(['0', '5 %', '10 %']);
  expect(labels('messages', 1, 2, 4000, 20_000)).toEqual(['1', '2', '4,000', '20K']);
});
