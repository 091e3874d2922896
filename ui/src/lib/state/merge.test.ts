import { describe, expect, it } from 'vitest';
import { message, seeded } from '$lib/testing';
import { compare, merge, renamed } from './merge';

const ids = (list: readonly { id: number }[]) => list.map(({ id }) => id);
const whole = { hasBefore: false, hasAfter: false };

describe('the order of a chat', () => {
  it('counts fractions of a second, however many decimals there are', () => {
    const times = ['12:00:00Z', '12:00:00.001Z', '12:00:00.001500Z', '12:00:00.5Z', '12:00:01Z'];
    const list = times.map((time, i) => message(9 - i, { timestamp: `2024-01-31T${time}` }));
    expect(ids([...list].reverse().sort(compare))).toEqual(ids(list));
  });

  it('is by id within one instant', () => {
    const timestamp = '2024-01-31T12:00:00Z';
    expect(compare(message(2, { timestamp }), message(1, { timestamp }))).toBeGreaterThan(0);
  });
});

describe('renamed', () => {
  it('leaves messages as they are where nobody has another name', () => {
    const messages = [message(1), message(2, { sender_id: 2, sender: 'Ben' })];
    expect(renamed(messages, [message(3), message(4, { sender_id: 3, sender: 'Cleo' })])).toBe(messages);
    expect(renamed(messages, [])).toBe(messages);
  });
});

describe('merge', () => {
  it('puts a late message where its time belongs', () => {
    const late = message(9, { timestamp: message(2).timestamp });
    expect(ids(merge({ messages: [message(1), message(2), message(3)], ...whole }, [late]))).toEqual([
      1, 2, 9, 3,
    ]);
  });

  it('replaces what is there, and moves it if its time changed', () => {
    const messages = [message(1), message(2), message(3)];
    const edited = message(1, { content: 'edited', timestamp: message(5).timestamp });
    const merged = merge({ messages, ...whole }, [edited]);
    expect(ids(merged)).toEqual([2, 3, 1]);
    expect(merged.at(-1)?.content).toBe('edited');
  });

  it('gives what is there the name under which somebody writes now', () => {
    const notice = message(3, { sender_id: null, sender: null });
    const messages = [message(1), message(2, { sender_id: 2, sender: 'Ben' }), notice];
    const merged = merge({ messages, ...whole }, [
      message(4, { sender: 'Anna Berg' }),
      message(5, { sender_id: null, sender: null }),
    ]);
    expect(merged.map(({ sender }) => sender)).toEqual(['Anna Berg', 'Ben', null, 'Anna Berg', null]);
    expect(messages[0]?.sender, 'never changed in place').toBe('Anna');
  });

  it('leaves out what lies beyond an end that has more behind it', () => {
    const stretch = { messages: [message(5), message(6)], hasBefore: true, hasAfter: true };
    expect(ids(merge(stretch, [message(1), message(9)]))).toEqual([5, 6]);
  });

  it('gives the same, sorted and once each, in whatever portions things arrive', () => {
    for (let seed = 1; seed <= 50; seed++) {
      const random = seeded(seed);
      const all = Array.from({ length: 60 }, (_, i) =>
        message(i + 1, { timestamp: message(Math.floor(random() * 40)).timestamp }),
      );
      let messages: readonly ReturnType<typeof message>[] = [];
      let from = 0;
      while (from < all.length) {
        const size = 1 + Math.floor(random() * 9);
        // Some come twice.
        messages = merge({ messages, ...whole }, all.slice(Math.max(0, from - 2), from + size));
        from += size;
      }
      expect(ids(messages), `seed ${seed}`).toEqual(ids([...all].sort(compare)));
    }
  });
});
