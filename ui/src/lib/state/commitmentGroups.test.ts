import { expect, test } from 'vitest';
import type { ListedCommitment } from '$lib/api/types';
import { dueLabel, grouped, groupOf } from './commitmentGroups';

const now = new Date(2024, 0, 31, 12);
const inDays = (days: number) => new Date(2024, 0, 31 + days, 12).toISOString();

function commitment(id: string, fields: Partial<ListedCommitment> = {}): ListedCommitment {
  return {
    id,
    chat_id: 1,
    conversation_id: 1,
    message_id: 1,
    kind: 'promise',
    who: 'Anna',
    mine: false,
    text: 'I will send it',
    due: null,
    said_at: inDays(-1),
    status: 'open',
    done_by: null,
    ...fields,
  };
}

test('a commitment stands where its date and the user put it', () => {
  const due = (days: number) => groupOf(commitment('1', { due: inDays(days) }), now);
  expect([due(-1), due(1), due(8)]).toEqual(['overdue', 'soon', 'later']);
  expect([due(-60), due(-61)]).toEqual(['overdue', 'old']);
  const said = (days: number) => groupOf(commitment('1', { said_at: inDays(days) }), now);
  expect([said(-60), said(-61)]).toEqual(['undated', 'old']);
  expect(groupOf(commitment('1'), now)).toBe('undated');
  expect(groupOf(commitment('1', { status: 'done', due: inDays(-3) }), now)).toBe('done');
  expect(groupOf(commitment('1', { status: 'dismissed' }), now)).toBe('dismissed');
});

test('groups come in the order of their urgency, without the empty ones', () => {
  const list = [
    commitment('a', { status: 'done' }),
    commitment('b', { said_at: inDays(-3) }),
    commitment('c', { due: inDays(3) }),
    commitment('d', { due: inDays(1) }),
    commitment('e', { said_at: inDays(-2) }),
    commitment('f', { due: inDays(-4) }),
    commitment('g', { due: inDays(-6) }),
    commitment('h', { due: inDays(-300) }),
    commitment('i', { said_at: inDays(-400), due: inDays(-200) }),
    commitment('j', { said_at: inDays(-250) }),
  ];
  expect(grouped(list, now).map(({ name, list }) => [name, list.map(({ id }) => id)])).toEqual([
    ['overdue', ['g', 'f']],
    ['soon', ['d', 'c']],
    ['undated', ['e', 'b']],
    ['old', ['i', 'j', 'h']],
    ['done', ['a']],
  ]);
});

test('a date is told by the days from now', () => {
  const labels = [-800, -90, -2, -1, 1, 5, 90].map((days) => dueLabel(inDays(days), now));
  expect(labels).toEqual([
    '2 years late',
    '3 months late',
    '2 days late',
    'Yesterday',
    'Tomorrow',
    'In 5 days',
    'In 3 months',
  ]);
  expect(dueLabel(new Date(2024, 0, 31, 23).toISOString(), now)).toBe('Today');
  expect(dueLabel(new Date(2024, 0, 31, 9).toISOString(), now)).toBe('Earlier today');
});
