import { beforeEach, expect, it } from 'vitest';
import { FakeWorld } from './fakeWorld';
import { MAX_STREAMS, StreamPool } from './pool';
import { busTopic, MAIN_STREAM, type FromPool, type Topic } from './protocol';

let world: FakeWorld;
let pool: StreamPool;

/** A page, and what it has heard. */
function page() {
  const heard: FromPool[] = [];
  const listener = (message: FromPool) => void heard.push(message);
  return {
    heard,
    open: (topic: Topic) => pool.handle(listener, { do: 'open', topic }),
    close: (topic: Topic) => pool.handle(listener, { do: 'close', topic }),
    bye: () => pool.handle(listener, { do: 'bye' }),
    phase: (topic: Topic) =>
      heard
        .flatMap((message) => ('state' in message && message.topic === topic ? [message.state.phase] : []))
        .at(-1),
  };
}

beforeEach(() => {
  world = new FakeWorld();
  pool = new StreamPool(world);
});

it('pages share the stream of a topic, and a late one is told how it is doing', () => {
  const [a, b] = [page(), page()];
  a.open('chats');
  world.last.send('ready', {});
  b.open('chats');
  expect(world.sources).toHaveLength(1);
  expect(b.phase('chats')).toBe('live');
  world.last.send('update', { chat_id: 1 });
  expect(a.heard.at(-1)).toEqual(b.heard.at(-1));
});

it('closes a stream with its last listener', () => {
  const [a, b] = [page(), page()];
  a.open('chat/1');
  b.open('chat/1');
  a.close('chat/1');
  expect(world.openCount).toBe(1);
  b.bye();
  expect(world.openCount).toBe(0);
});

it('never holds more streams than it may, keeps one for the chats, and lets who waits move up', () => {
  const pages = Array.from({ length: 6 }, page);
  pages.forEach((one, i) => one.open(`chat/${i}`));
  pages[5]?.open('chats');
  expect(world.openCount).toBe(MAX_STREAMS);
  expect(pages[5]?.phase('chats')).toBe('connecting');
  expect(pages.map((one, i) => one.phase(`chat/${i}`))).toEqual([
    ...Array(MAX_STREAMS - 1).fill('connecting'),
    ...Array(6 - MAX_STREAMS + 1).fill('waiting'),
  ]);
  pages[0]?.bye();
  expect(pages[MAX_STREAMS - 1]?.phase(`chat/${MAX_STREAMS - 1}`)).toBe('connecting');
  expect(world.openCount).toBe(MAX_STREAMS);
});

it('a stream of the bus counts like any other, and its entries reach every page that listens', async () => {
  const [a, b] = [page(), page()];
  const topic = busTopic({ stream: MAIN_STREAM, scope: 'global', run: '' });
  a.open(topic);
  b.open(topic);
  expect(world.openCount).toBe(1);
  world.last.open();
  world.last.sendEntry('1-0', { type: 'run_starting' });
  await world.pass(100);
  expect(a.heard.at(-1)).toEqual({
    topic,
    event: 'entries',
    data: [{ id: '1-0', data: '{"type":"run_starting"}' }],
  });
  expect(b.heard.at(-1)).toEqual(a.heard.at(-1));
});
