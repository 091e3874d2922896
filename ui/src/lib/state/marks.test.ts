import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Subscriber } from '$lib/api/live/client';
import type { ConversationsNow, ListedCommitment, SummarisedConversation } from '$lib/api/types';
import { message } from '$lib/testing';
import { goingOn } from './goingOn.svelte';
import { Promised } from './promised.svelte';
import { Seals } from './seals.svelte';

/** The program as the marks see it: what it answers, how often it was asked, and who listens. */
const server = vi.hoisted(() => ({
  now: { open: [], analysing: [] } as ConversationsNow,
  conversations: [] as SummarisedConversation[],
  commitments: [] as ListedCommitment[],
  asked: { now: 0, conversations: 0, commitments: 0 },
  listeners: new Map<string, Set<Subscriber>>(),
}));

vi.mock('$lib/api/live/client', () => ({
  MAIN_STREAM: 'main',
  busTopic: () => 'bus/main',
  subscribe: (topic: string, subscriber: Subscriber) => {
    const all = server.listeners.get(topic) ?? new Set();
    server.listeners.set(topic, all.add(subscriber));
    return () => all.delete(subscriber);
  },
  watch: () => undefined,
  states: () => [],
  retryNow: () => undefined,
}));
vi.mock('$lib/api/conversations', () => ({
  conversationsNow: () => {
    server.asked.now += 1;
    return Promise.resolve(server.now);
  },
  conversationPage: () => {
    server.asked.conversations += 1;
    return Promise.resolve({ conversations: server.conversations, next: null, total: 0 });
  },
}));
vi.mock('$lib/api/commitments', () => ({
  commitmentPages: (_pagesMax: number, whose: { chat_id: number }) => {
    server.asked.commitments += 1;
    const found = server.commitments.filter(({ chat_id }) => chat_id === whose.chat_id);
    return Promise.resolve({ found, hasMore: false });
  },
}));

const LONG_MS = 10_000;
const ends: (() => void)[] = [];
let nextId = 1;

function tell(...events: Record<string, string>[]): void {
  const frames = events.map((event) => ({ id: `${nextId++}-0`, data: JSON.stringify(event) }));
  server.listeners.get('bus/main')?.forEach((one) => one.event?.('entries', frames));
}

const open = () => [...goingOn.open];
const analysing = () => [...goingOn.analysing];

function conversation(id: number, fields: Partial<SummarisedConversation> = {}): SummarisedConversation {
  return {
    id,
    chat_id: 1,
    first_message_time: message(id).timestamp,
    last_message_time: message(id).timestamp,
    message_count: 1,
    sealed: true,
    summary: null,
    analysing: false,
    ...fields,
  };
}

function commitment(id: string, fields: Partial<ListedCommitment> = {}): ListedCommitment {
  return {
    id,
    chat_id: 1,
    conversation_id: 1,
    message_id: Number(id.split(':')[0]),
    kind: 'promise',
    who: 'Anna',
    mine: false,
    text: 'I will send it',
    due: null,
    said_at: message(1).timestamp,
    status: 'open',
    done_by: null,
    ...fields,
  };
}

beforeEach(() => {
  vi.useFakeTimers();
  Object.assign(server, { now: { open: [], analysing: [] }, conversations: [], commitments: [] });
  server.asked = { now: 0, conversations: 0, commitments: 0 };
});
afterEach(async () => {
  ends.splice(0).forEach((end) => end());
  await vi.advanceTimersByTimeAsync(LONG_MS);
  vi.useRealTimers();
});

it('a seal takes the dot away at once, and what is analysed has a ring until its end is told', async () => {
  server.now = { open: [1, 2], analysing: [] };
  ends.push(goingOn.follow());
  await vi.advanceTimersByTimeAsync(0);
  expect(open()).toEqual([1, 2]);
  server.now = { open: [1], analysing: [2] };
  tell({ type: 'conversation_sealed', scope: 'chat:2', chat_id: '2' });
  expect(open()).toEqual([1]);
  await vi.advanceTimersByTimeAsync(LONG_MS);
  expect(analysing()).toEqual([2]);
  server.now = { open: [1], analysing: [] };
  tell({ type: 'analysis_completed', scope: 'chat:2', conversation_id: '9', status: 'completed' });
  await vi.advanceTimersByTimeAsync(LONG_MS);
  expect(analysing()).toEqual([]);
});

it('a message in a chat without a dot asks for it, and one in a chat with one does not', async () => {
  server.now = { open: [1], analysing: [] };
  ends.push(goingOn.follow());
  await vi.advanceTimersByTimeAsync(0);
  const arrive = (chat_id: number) =>
    server.listeners.get('chats')?.forEach((one) => one.event?.('update', { chat_id }));
  arrive(1);
  await vi.advanceTimersByTimeAsync(LONG_MS);
  expect(server.asked.now).toBe(1);
  server.now = { open: [5, 1], analysing: [] };
  arrive(5);
  await vi.advanceTimersByTimeAsync(LONG_MS);
  expect(open()).toEqual([5, 1]);
});

it('a flood is answered by a few questions, silence by none, and the last word counts', async () => {
  ends.push(goingOn.follow());
  await vi.advanceTimersByTimeAsync(LONG_MS);
  expect(server.asked.now).toBe(1);
  for (let i = 0; i < 1000; i++) {
    tell({ type: 'analysis_completed', scope: 'chat:3', conversation_id: `${i}`, status: 'completed' });
    await vi.advanceTimersByTimeAsync(2);
  }
  expect(server.asked.now).toBeLessThanOrEqual(5);
  server.now = { open: [], analysing: [7] };
  tell({ type: 'run_seeded', scope: 'global', run_id: '1', total: '5' });
  await vi.advanceTimersByTimeAsync(LONG_MS);
  expect(analysing()).toEqual([7]);
  const asked = server.asked.now;
  tell({ type: 'analysis_completed', scope: 'chat:3', conversation_id: '1', status: 'live' });
  tell({ type: 'completed', scope: 'task:3', task_id: '3' });
  await vi.advanceTimersByTimeAsync(LONG_MS);
  expect(server.asked.now).toBe(asked);
});

it('what is told of a conversation comes to its rule, and of other chats nothing is read', async () => {
  server.conversations = [conversation(2, { analysing: true }), conversation(1)];
  const seals = new Seals(1);
  ends.push(seals.follow());
  seals.need([message(1), message(2)]);
  await vi.advanceTimersByTimeAsync(LONG_MS);
  expect([...seals.conversations.keys()].sort()).toEqual([1, 2]);
  expect(seals.conversations.get(2)?.analysing).toBe(true);
  const asked = server.asked.conversations;
  tell({ type: 'analysis_completed', scope: 'chat:8', conversation_id: '4', status: 'completed' });
  await vi.advanceTimersByTimeAsync(LONG_MS);
  expect(server.asked.conversations).toBe(asked);
  const summary = { mood: 0.3, language: 'en', topics: [], commitments: 0, gist: 'They meet.' };
  server.conversations = [conversation(2, { summary })];
  tell({ type: 'analysis_completed', scope: 'chat:1', conversation_id: '2', status: 'completed' });
  await vi.advanceTimersByTimeAsync(LONG_MS);
  // The other one has become part of this one.
  expect([...seals.conversations]).toEqual([[2, conversation(2, { summary })]]);
});

it('what is shown while its beginning is read is read as well', async () => {
  const seals = new Seals(1);
  seals.need([message(5)]);
  seals.need([message(5), message(6)]);
  server.conversations = [conversation(6), conversation(5)];
  await vi.advanceTimersByTimeAsync(0);
  expect([...seals.conversations.keys()].sort()).toEqual([5, 6]);
  expect(server.asked.conversations).toBe(2);
});

it('promises stand at their messages, in the order of the sentences, and come and go as is told', async () => {
  server.commitments = [
    commitment('9:2'),
    commitment('9:0'),
    commitment('7:0', { status: 'dismissed' }),
    commitment('9:0', { chat_id: 2 }),
  ];
  const promised = new Promised(1);
  ends.push(promised.follow());
  await vi.advanceTimersByTimeAsync(0);
  const shown = () => [...promised.byMessage].map(([id, list]) => [id, list.map((one) => one.id)]);
  expect(shown()).toEqual([[9, ['9:0', '9:2']]]);
  server.commitments = [commitment('9:0'), commitment('10:0')];
  tell({ type: 'commitment_found', scope: 'commitments:2', commitment_id: '10:0' });
  await vi.advanceTimersByTimeAsync(LONG_MS);
  expect(server.asked.commitments).toBe(1);
  tell({ type: 'commitment_found', scope: 'commitments:1', commitment_id: '10:0' });
  await vi.advanceTimersByTimeAsync(LONG_MS);
  expect(shown()).toEqual([
    [9, ['9:0']],
    [10, ['10:0']],
  ]);
});

it('what may have been missed is read', async () => {
  ends.push(goingOn.follow());
  await vi.advanceTimersByTimeAsync(LONG_MS);
  server.now = { open: [4], analysing: [] };
  server.listeners.get('bus/main')?.forEach((one) => one.state?.({ phase: 'live', resumed: false }));
  await vi.advanceTimersByTimeAsync(LONG_MS);
  expect(open()).toEqual([4]);
});
