import { beforeEach, expect, it } from 'vitest';
import { FakeWorld } from './fakeWorld';
import { Stream } from './stream';
import type { TopicState } from './protocol';

let world: FakeWorld;
let states: TopicState['phase'][];
let snapshots: unknown[];

beforeEach(() => {
  world = new FakeWorld();
  states = [];
  snapshots = [];
  new Stream('metrics', world, {
    state: ({ phase }) => states.push(phase),
    event: (name, data) => snapshots.push([name, data]),
  });
});

it('is live once it is answered, and hands each snapshot on as it comes', () => {
  world.last.open();
  world.last.send('message', { uptime_s: 1 });
  world.last.send('message', { uptime_s: 2 });
  expect(states).toEqual(['connecting', 'live']);
  expect(snapshots).toEqual([
    ['snapshot', { uptime_s: 1 }],
    ['snapshot', { uptime_s: 2 }],
  ]);
});

it('goes on by itself after the program was away, and asks for nothing that is past', async () => {
  world.last.open();
  world.last.send('message', { uptime_s: 9 });
  world.last.fail();
  await world.pass(500);
  world.last.open();
  world.last.send('message', { uptime_s: 1 });
  expect(world.last.url).toBe('/api/metrics/stream');
  expect(states).toEqual(['connecting', 'live', 'lost', 'live']);
  expect(snapshots).toHaveLength(2);
});

it('hears nothing more of a connection that was given up', async () => {
  const [first] = world.sources;
  world.last.fail();
  await world.pass(500);
  first?.send('message', { uptime_s: 1 });
  expect(snapshots).toEqual([]);
});
