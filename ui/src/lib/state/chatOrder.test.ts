import { expect, it } from 'vitest';
import type { Chat } from '$lib/api/types';
import { arrange, sourcesOf } from './chatOrder';

function chat(id: number, title: string, fields: Partial<Chat> = {}): Chat {
  return {
    id,
    title,
    source: 'whatsapp',
    participants: [],
    participant_count: 0,
    message_count: id,
    last_message_time: `2024-01-0${id}T00:00:00Z`,
    last_message: null,
    ...fields,
  };
}

const all = [
  chat(1, 'José'),
  chat(2, 'anna', { source: 'telegram' }),
  chat(3, 'Book club', { participants: [{ id: 7, name: 'Zoë', is_me: false }] }),
  chat(4, 'Empty', { last_message_time: null, message_count: 0 }),
];
const plain = { query: '', source: '', sort: 'recent' as const, pinned: [] };
const titles = (filter: Partial<Parameters<typeof arrange>[1]>) =>
  arrange(all, { ...plain, ...filter }).map(({ title }) => title);

it('the most recent come first, the empty last', () => {
  expect(titles({})).toEqual(['Book club', 'anna', 'José', 'Empty']);
});

it('names sort as people sort them', () => {
  expect(titles({ sort: 'name' })).toEqual(['anna', 'Book club', 'Empty', 'José']);
});

it('the pinned come first in every order', () => {
  expect(titles({ sort: 'size', pinned: [4] })[0]).toBe('Empty');
});

it('are found by title or by person, without minding case and accents', () => {
  expect(titles({ query: 'jose' })).toEqual(['José']);
  expect(titles({ query: 'zoe' })).toEqual(['Book club']);
  expect(titles({ query: 'nobody' })).toEqual([]);
});

it('a source shows only its own', () => {
  expect(titles({ source: 'telegram' })).toEqual(['anna']);
  expect(sourcesOf(all)).toEqual(['telegram', 'whatsapp']);
});
