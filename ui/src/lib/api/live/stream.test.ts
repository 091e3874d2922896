import { beforeEach, expect, it } from 'vitest';
import { FakeWorld } from './fakeWorld';
import type { TopicState } from './protocol';
import { backoffMs, Stream } from './stream';

let world: FakeWorld;
let states: TopicState[];
let events: [string, unknown][];
let stream: Stream;

beforeEach(() => {
  world = new FakeWorld();
  states = [];
  events = [];
  stream = new Stream('chat/7', world, {
    state: (state) => states.push(state),
    event: (name, data) => events.push([name, data]),
  });
});

it('is live once the server says that it is ready', () => {
  world.last.send('initial', { messages: [] }, 'a1');
  expect(states.at(-1)).toEqual({ phase: 'connecting' });
  world.last.send('ready', {});
  expect(states.at(-1)).toEqual({ phase: 'live' });
});

it('resumes after the last event it has seen', async () => {
  world.last.send('initial', {}, 'a1');
  world.last.send('ready', {});
  world.last.send('update', {}, 'b/2');
  world.last.fail();
  await world.pass(500);
  expect(world.last.url).toContain('last_event_id=b%2F2');
});

it('waits longer after each failure, says until when, and begins anew once it was live', async () => {
  const waits: number[] = [];
  for (let i = 0; i < 7; i++) {
    world.last.fail();
    await world.pass(0);
    const state = states.at(-1);
    if (state?.phase === 'lost') waits.push(state.retryAt - world.time);
    await world.pass(20_000);
  }
  expect(waits).toEqual([500, 1000, 2000, 4000, 8000, 15_000, 15_000]);
  world.last.send('ready', {});
  world.last.fail();
  await world.pass(0);
  expect(states.at(-1)).toEqual({ phase: 'lost', retryAt: world.time + 500 });
});

it('heals from an HTTP error, which stops an EventSource for good', async () => {
  world.status = 503;
  world.last.fail(true);
  await world.pass(0);
  expect(states.at(-1)?.phase).toBe('lost');
  await world.pass(500);
  expect(world.sources).toHaveLength(2);
});

it('stops knocking where the token is refused, until it is told to retry', async () => {
  world.status = 401;
  world.last.fail(true);
  await world.pass(0);
  expect(states.at(-1)).toEqual({ phase: 'refused', status: 401 });
  await world.pass(60_000);
  expect(world.sources).toHaveLength(1);
  stream.retry();
  expect(world.sources).toHaveLength(2);
});

it("takes the server's error event as a word, not as the end", () => {
  world.last.send('error', { code: 'busy', message: 'Wait.' });
  expect(events).toEqual([['error', { code: 'busy', message: 'Wait.' }]]);
  expect(world.openCount).toBe(1);
});

it('does nothing more once it is closed', async () => {
  const { last } = world;
  world.status = 503;
  last.fail(true);
  stream.close();
  await world.pass(60_000);
  last.send('update', {});
  expect(world.sources).toHaveLength(1);
  expect(events).toEqual([]);
});

it('a fifth of the wait is chance', () => {
  expect(backoffMs(1, 0)).toBe(400);
  expect(backoffMs(1, 1)).toBe(500);
});
