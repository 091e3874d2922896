import type { Message } from './api/types';

/** A message for tests: minute `id` of one afternoon, unless told otherwise. */
export function message(id: number, fields: Partial<Message> = {}): Message {
  return {
    id,
    chat_id: 1,
    sender_id: 1,
    sender: 'Anna',
    is_from_me: false,
    content: `message ${id}`,
    timestamp: new Date(Date.UTC(2024, 0, 31, 12, id)).toISOString().replace('.000Z', 'Z'),
    kind: 'text',
    reply_to: null,
    edited_at: null,
    reactions: [],
    attachments: [],
    ...fields,
  };
}

/** Numbers between 0 and 1 that a seed decides (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}
