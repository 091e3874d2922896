import { beforeEach, expect, it } from 'vitest';
import { FakeWorld } from './fakeWorld';
import { busTopic, MAIN_STREAM, streamUrl, type TopicState } from './protocol';
import { Stream } from './stream';

let world: FakeWorld;
let states: TopicState[];
let events: [string, unknown][];

beforeEach(() => {
  world = new FakeWorld();
  states = [];
  events = [];
  new Stream(busTopic({ stream: MAIN_STREAM, scope: '', run: '' }), world, {
    state: (state) => states.push(state),
    event: (name, data) => events.push([name, data]),
  });
});

it('asks the filtering endpoint where there is a filter, and for the whole stream where there is none', () => {
  const whole = { stream: MAIN_STREAM, scope: '', run: '' };
  expect(streamUrl(busTopic(whole), '')).toBe(
    '/api/analysis/streaming/redis_stream/task_events%3Aanalysis?start_id=%24',
  );
  expect(streamUrl(busTopic({ ...whole, scope: 'chat:7', run: '12' }), '3-1')).toBe(
    '/api/analysis/streaming/queue/stream?start_id=%24&scope=chat%3A7&run_id=12&last_event_id=3-1',
  );
  expect(streamUrl(busTopic({ stream: 'my/own?', scope: 'global', run: '' }), '')).toBe(
    '/api/analysis/streaming/redis_stream/my%2Fown%3F?start_id=%24',
  );
});

it('is live once it is answered, and says whether it went on where it was', async () => {
  world.last.open();
  expect(states.at(-1)).toEqual({ phase: 'live', resumed: false });
  world.last.sendEntry('5-0', { type: 'a' });
  world.last.fail();
  await world.pass(500);
  expect(world.last.url).toContain('last_event_id=5-0');
  world.last.open();
  expect(states.at(-1)).toEqual({ phase: 'live', resumed: true });
});

it('hands entries on together, and before whatever is said next', async () => {
  world.last.open();
  world.last.sendEntry('5-0', { type: 'a' });
  world.last.sendEntry('5-1', { type: 'b' });
  expect(events).toEqual([]);
  world.last.send('error', { code: 'gap', message: 'Some are gone.' });
  expect(events).toEqual([
    [
      'entries',
      [
        { id: '5-0', data: '{"type":"a"}' },
        { id: '5-1', data: '{"type":"b"}' },
      ],
    ],
    ['error', { code: 'gap', message: 'Some are gone.' }],
  ]);
  await world.pass(1000);
  expect(events).toHaveLength(2);
});

it('does not wait for more than a message can hold', () => {
  world.last.open();
  for (let i = 0; i < 1200; i++) world.last.sendEntry(`1-${i}`, {});
  expect(events.map(([, data]) => (data as unknown[]).length)).toEqual([500, 500]);
});

it('tells a log that is away from a program that is', async () => {
  world.status = 503;
  world.last.fail(true);
  await world.pass(0);
  expect(states.at(-1)).toEqual({ phase: 'away', retryAt: 500 });
  await world.pass(500);
  world.last.open();
  expect(states.at(-1)?.phase).toBe('live');
});

it('takes a filter that makes no sense for refused', async () => {
  world.status = 400;
  world.last.fail(true);
  await world.pass(0);
  expect(states.at(-1)).toEqual({ phase: 'refused', status: 400 });
});
