import { expect, test } from 'vitest';
import type { SummarisedConversation } from '$lib/api/types';
import { message } from '$lib/testing';
import { sealedAfter, sealFacts } from './sealed';

function conversation(id: number, from: number, to: number, sealed = true): SummarisedConversation {
  return {
    id,
    chat_id: 1,
    first_message_time: message(from).timestamp,
    last_message_time: message(to).timestamp,
    message_count: to - from + 1,
    sealed,
    summary: null,
    analysing: false,
  };
}
const messages = [1, 2, 3, 10, 11, 20].map((minute) => message(minute));

test('a rule stands after the last message of each sealed conversation', () => {
  const found = sealedAfter(
    messages,
    [conversation(3, 20, 20, false), conversation(2, 10, 11), conversation(1, 1, 3)],
    false,
  );
  expect([...found].map(([id, { id: of }]) => [id, of])).toEqual([
    [3, 1],
    [11, 2],
  ]);
});

test('where the end of a conversation is not loaded there is no rule', () => {
  expect(sealedAfter(messages.slice(0, 2), [conversation(1, 1, 3)], true).size).toBe(0);
  expect([...sealedAfter(messages.slice(0, 3), [conversation(1, 1, 3)], false).keys()]).toEqual([3]);
});

test('messages outside of the conversations that are known have no rule', () => {
  expect([...sealedAfter(messages, [conversation(2, 10, 11)], false).keys()]).toEqual([11]);
});

test('a rule says the length, and the mood and topics once they are known', () => {
  const one = conversation(1, 1, 3);
  expect(sealFacts(one)).toEqual(['3 messages', '2 min']);
  const summary = { mood: 0.3, language: 'en', topics: ['harbour', 'tram'], commitments: 1, gist: null };
  expect(sealFacts({ ...one, summary })).toEqual([
    '3 messages',
    '2 min',
    'warm',
    '1 promise',
    'harbour, tram',
  ]);
});
