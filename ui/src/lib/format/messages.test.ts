import { describe, expect, it } from 'vitest';
import { message } from '$lib/testing';
import { attachmentTitle, rows, summary } from './messages';

const shape = (list: ReturnType<typeof rows>) =>
  list.map(({ newDay, first, last }) => `${newDay ? 'day ' : ''}${first ? '[' : ''}${last ? ']' : ''}`);

describe('rows', () => {
  it('group what one person wrote within minutes', () => {
    const list = [message(1), message(2), message(3, { sender_id: 2 }), message(30, { sender_id: 2 })];
    expect(shape(rows(list, true))).toEqual(['[', ']', '[]', '[]']);
  });

  it('keep lines of the app itself out of groups', () => {
    const list = [message(1), message(2, { kind: 'system' }), message(3)];
    expect(shape(rows(list, true))).toEqual(['[]', '[]', '[]']);
  });

  it('begin a day with a separator, the first of a stretch only where nothing is before it', () => {
    const list = [message(1), message(2 + 24 * 60)];
    expect(shape(rows(list, false))).toEqual(['day []', 'day []']);
    expect(shape(rows(list, true))).toEqual(['[]', 'day []']);
  });
});

it('a message without text is summed up by what it holds', () => {
  const photo = { name: 'IMG.jpg', kind: 'image', media_type: null, size_bytes: null };
  expect(summary(message(1, { content: '', kind: 'media', attachments: [photo] }))).toBe('Photo');
  expect(summary(message(1, { content: '', kind: 'deleted' }))).toBe('Deleted message');
  expect(attachmentTitle({ ...photo, kind: 'hologram' })).toBe('IMG.jpg');
});
