import { expect, test } from 'vitest';
import type { Run } from '$lib/api/types';
import { moodTitle, passTitle, percent, runTitle } from './analysis';

const run: Run = {
  id: 1,
  kind: 'global',
  state: 'running',
  chats: [],
  passes: ['activity', 'topics'],
  created_at: '2024-01-31T12:00:00Z',
  finished_at: null,
  total: 0,
  success: 0,
  failed: 0,
  cancelled: 0,
  processing: 0,
};
const titleOf = (chat: number) => `Chat ${chat}`;

test('a run is called by what it covers', () => {
  expect(runTitle(run, titleOf)).toBe('What is missing');
  expect(runTitle({ ...run, chats: [3] }, titleOf)).toBe('Chat 3');
  expect(runTitle({ ...run, chats: [3, 1, 2] }, titleOf)).toBe('Chat 3 and 2 other chats');
  expect(runTitle({ ...run, kind: 'historic', passes: ['topics'] }, titleOf)).toBe('Topics anew');
  expect(runTitle({ ...run, kind: 'retry', chats: [3] }, titleOf)).toBe('Failed ones again');
});

test('a percentage is 100 at the end only', () => {
  expect(percent(0.99999)).toBe('99.9 %');
  expect(percent(1)).toBe('100 %');
  expect(percent(0)).toBe('0.0 %');
});

test('moods go from warm to tense, with the even in the middle', () => {
  expect([0.9, 0.2, 0, -0.2, -0.9].map(moodTitle)).toEqual(['very warm', 'warm', 'even', 'cool', 'tense']);
});

test('passes are called by their names', () => {
  expect(passTitle('activity')).toBe('Activity');
  expect(passTitle('llm')).toBe('Language model');
});
