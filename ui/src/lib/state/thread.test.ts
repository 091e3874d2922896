import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { PageAnchor } from '$lib/api/chats';
import type { Subscriber } from '$lib/api/live/client';
import type { Message, MessagePage } from '$lib/api/types';
import { framesByHand, message, seeded, settled } from '$lib/testing';
import { compare } from './merge';
import { Thread } from './thread.svelte';

/** The program as the thread sees it: a chat, its pages, and its stream. */
const server = vi.hoisted(() => ({
  messages: [] as Message[],
  listeners: new Map<string, Subscriber>(),
  /** Resolves the pages asked for; each is read when it is asked for, and answered when a test says so. */
  answers: [] as (() => void)[],
}));

vi.mock('$lib/api/live/client', () => ({
  subscribe: (topic: string, subscriber: Subscriber) => {
    server.listeners.set(topic, subscriber);
    return () => server.listeners.delete(topic);
  },
  watch: () => undefined,
  states: () => [],
  retryNow: () => undefined,
}));

vi.mock('$lib/api/chats', () => ({
  messagePage: (_chat: number, anchor: PageAnchor) => {
    const page = read(anchor);
    return new Promise<MessagePage>((resolve) => server.answers.push(() => resolve(page)));
  },
}));

const PAGE = 20;

function read(anchor: PageAnchor): MessagePage {
  const all = [...server.messages].sort(compare);
  const at = (id: number) => all.findIndex((one) => one.id === id);
  let [from, to] = [Math.max(0, all.length - PAGE), all.length];
  if ('before' in anchor) [from, to] = [Math.max(0, at(anchor.before) - PAGE), at(anchor.before)];
  if ('after' in anchor)
    [from, to] = [at(anchor.after) + 1, Math.min(all.length, at(anchor.after) + 1 + PAGE)];
  if ('around' in anchor) {
    from = Math.max(0, at(anchor.around) - PAGE / 2);
    to = Math.min(all.length, from + PAGE);
  }
  return {
    messages: all.slice(from, to),
    has_before: from > 0,
    has_after: to < all.length,
    total: all.length,
  };
}

const stream = () => server.listeners.get('chat/1');
const frames = framesByHand();
const ids = (list: readonly Message[]) => list.map(({ id }) => id);

async function answer(): Promise<void> {
  server.answers.splice(0).forEach((resolve) => resolve());
  await settled();
}

function post(...list: Message[]): void {
  for (const one of list) {
    server.messages = [...server.messages.filter(({ id }) => id !== one.id), one];
  }
  stream()?.event?.('update', { chat_id: 1, messages: list });
}

/** Somebody writes under another name: that is hers everywhere, but only the new message comes. */
function rename(sender: string, id: number): void {
  server.messages = server.messages.map((old) => ({ ...old, sender }));
  post(message(id, { sender }));
}

function goLive(): void {
  const { messages, total } = read({});
  stream()?.event?.('initial', { chat_id: 1, messages, total });
  stream()?.event?.('ready', { chat_id: 1 });
  stream()?.state?.({ phase: 'live' });
}

beforeEach(() => {
  server.messages = Array.from({ length: 100 }, (_, i) => message(i + 1));
  server.listeners.clear();
  server.answers = [];
});

describe('a thread', () => {
  it('opens at its end with what the stream begins with, and asks for nothing', () => {
    const thread = new Thread(1);
    thread.open();
    goLive();
    expect(ids(thread.messages)).toEqual(ids(read({}).messages));
    expect(thread.hasBefore).toBe(true);
    expect(thread.target?.to).toBe('end');
    expect(server.answers).toHaveLength(0);
  });

  it('reads its page itself where it joins a stream that is live already', async () => {
    const thread = new Thread(1);
    thread.open();
    stream()?.state?.({ phase: 'live' });
    await answer();
    expect(ids(thread.messages)).toEqual(ids(read({}).messages));
  });

  it('counts what arrives out of sight, and edits do not count', async () => {
    const thread = new Thread(1);
    thread.open();
    goLive();
    thread.looking(thread.messages[0], false);
    post(message(101), message(102), message(90, { content: 'edited' }));
    await frames.next();
    expect(thread.unseen).toBe(2);
    expect(thread.messages.find(({ id }) => id === 90)?.content).toBe('edited');
    thread.looking(thread.messages[5], true);
    expect(thread.unseen).toBe(0);
  });

  it('holds on to the view when a late message belongs above it', async () => {
    const thread = new Thread(1);
    thread.open();
    goLive();
    thread.looking(thread.messages[10], false);
    const shifts: boolean[] = [];
    const lengths: number[] = [];
    const note = () => void (shifts.push(thread.shift), lengths.push(thread.messages.length));
    post(message(101, { timestamp: message(85).timestamp }), message(102));
    await frames.next();
    note();
    await frames.next();
    note();
    expect(shifts).toEqual([true, false]);
    expect(lengths).toEqual([PAGE + 1, PAGE + 2]);
    expect(ids(thread.messages).slice(-1)).toEqual([102]);
  });

  it('follows through the chats stream where it has none of its own', async () => {
    const thread = new Thread(1);
    thread.open();
    stream()?.state?.({ phase: 'waiting' });
    await answer();
    server.messages.push(message(101));
    server.listeners.get('chats')?.event?.('update', { chat_id: 1 });
    await answer();
    expect(ids(thread.messages).at(-1)).toBe(101);
  });

  it('replaces its stretch when the stream could not resume, and stays where it was', async () => {
    const thread = new Thread(1);
    thread.open();
    goLive();
    thread.looking(thread.messages[3], false);
    const place = thread.messages[3]?.id;
    server.messages = server.messages.filter(({ id }) => id !== 95);
    goLive();
    await answer();
    expect(ids(thread.messages)).toContain(place);
    expect(ids(thread.messages)).not.toContain(95);
    expect(thread.target?.to).toBe(place);
  });
});

it(
  'has no hole, nothing twice and one name for everybody, whatever comes while it pages',
  { timeout: 30_000 },
  async () => {
    for (let seed = 1; seed <= 30; seed++) {
      const random = seeded(seed);
      server.messages = Array.from({ length: 100 }, (_, i) => message(i + 1));
      server.answers = [];
      const thread = new Thread(1);
      thread.open(random() < 0.5 ? { around: 50 } : undefined);
      if (random() < 0.5) await answer();
      goLive();
      let next = 101;
      let sender = 'Anna';
      for (let step = 0; step < 60; step++) {
        const choice = random();
        if (choice < 0.3) post(message(next++, { sender }));
        else if (choice < 0.4)
          post(message(next++, { sender, timestamp: message(Math.floor(random() * 100)).timestamp }));
        else if (choice < 0.48)
          post(message(1 + Math.floor(random() * 99), { sender, content: `edit ${step}` }));
        else if (choice < 0.5) rename((sender = `Anna ${step}`), next++);
        else if (choice < 0.65) void thread.loadNewer();
        else if (choice < 0.8) void thread.loadOlder();
        else if (choice < 0.95) await answer();
        else void thread.show({ around: 1 + Math.floor(random() * 99) });
        if (random() < 0.3) await frames.next();
      }
      for (let i = 0; i < 3; i++) {
        await answer();
        await frames.next();
      }
      const all = [...server.messages].sort(compare);
      const from = ids(all).indexOf(thread.messages[0]?.id ?? -1);
      const truth = all.slice(from, from + thread.messages.length);
      expect(thread.messages, `seed ${seed}`).toEqual(truth);
      expect(thread.hasBefore, `seed ${seed}`).toBe(from > 0);
      expect(thread.hasAfter, `seed ${seed}`).toBe(from + truth.length < all.length);
      thread.close();
    }
  },
);
