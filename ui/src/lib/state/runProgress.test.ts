import { describe, expect, test } from 'vitest';
import type { Run, StreamEntry } from '$lib/api/types';
import { applyEvent, further, RateMeter, secondsLeft, share } from './runProgress';

const run: Run = {
  id: 7,
  kind: 'global',
  state: 'running',
  chats: [],
  passes: ['activity'],
  created_at: '2024-01-31T12:00:00Z',
  finished_at: null,
  total: 100,
  success: 10,
  failed: 1,
  cancelled: 0,
  processing: 2,
};

function event(type: string, fields: Record<string, string> = {}): StreamEntry {
  return { id: '1-0', fields: Object.entries({ type, scope: 'global', run_id: '7', ...fields }) };
}

describe('events of a run', () => {
  test('a run that is counted has its total and starts', () => {
    const seeding = { ...run, state: 'seeding' as const, total: 0, success: 0, failed: 0 };
    expect(share(seeding)).toBeNull();
    expect(applyEvent(seeding, event('run_seeded', { total: '40' }))).toMatchObject({
      state: 'running',
      total: 40,
    });
  });

  test('progress is taken over, and one of the past is not', () => {
    const ahead = applyEvent(
      run,
      event('analysis_completed', { success: '20', failed: '2', processing: '1' }),
    );
    expect(ahead).toMatchObject({ success: 20, failed: 2, processing: 1, total: 100 });
    const behind = applyEvent(
      run,
      event('analysis_completed', { success: '5', failed: '0', processing: '9' }),
    );
    expect(behind).toMatchObject({ success: 10, failed: 1 });
  });

  test('progress does not end a pause', () => {
    const paused = { ...run, state: 'paused' as const };
    expect(applyEvent(paused, event('analysis_completed', { success: '11', failed: '1' }))).toMatchObject({
      state: 'paused',
      success: 11,
    });
  });

  test('the end says how it ended, and when', () => {
    const counts = { total: '100', success: '97', failed: '3', ts: '2024-01-31T12:05:00.000000' };
    expect(applyEvent(run, event('run_complete', counts))).toMatchObject({
      state: 'complete',
      success: 97,
      failed: 3,
      processing: 0,
      finished_at: '2024-01-31T12:05:00.000000Z',
    });
    expect(applyEvent(run, event('run_complete', { ...counts, status: 'cancelled' }))).toMatchObject({
      state: 'cancelled',
    });
  });

  test('events of other runs, and those that are no number, change nothing', () => {
    expect(applyEvent(run, event('analysis_completed', { run_id: '8', success: '50' }))).toBeNull();
    expect(applyEvent(run, event('analysis_completed', { success: 'many' }))).toMatchObject({ success: 10 });
    expect(applyEvent(run, event('conversation_sealed'))).toBeNull();
  });
});

describe('answers and events overtake each other', () => {
  test('an answer of the past says whether it is paused, and does not set the bar back', () => {
    const known = { ...run, success: 50 };
    expect(further(known, { ...run, state: 'paused' })).toMatchObject({ state: 'paused', success: 50 });
  });

  test('a run that has ended does not go on', () => {
    const ended = { ...run, state: 'complete' as const, success: 99 };
    expect(further(ended, run)).toBe(ended);
    expect(further(run, ended)).toBe(ended);
  });
});

describe('how fast a run is', () => {
  test('one moment tells no rate', () => {
    const meter = new RateMeter();
    meter.add(0, 10);
    expect(meter.perSecond).toBeNull();
    meter.add(200, 20);
    expect(meter.perSecond).toBeNull();
  });

  test('it is that of the recent past', () => {
    const meter = new RateMeter();
    for (let s = 0; s <= 60; s++) meter.add(s * 1000, s < 30 ? s * 100 : 3000 + (s - 30) * 10);
    expect(meter.perSecond).toBeCloseTo(10, 5);
  });

  test('the time left follows from it, and a pause has none', () => {
    expect(secondsLeft(run, 8.9)).toBeCloseTo(10, 5);
    expect(secondsLeft(run, null)).toBeNull();
    expect(secondsLeft({ ...run, state: 'paused' }, 8.9)).toBeNull();
  });
});
