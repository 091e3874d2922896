import type { Message, Metrics } from './api/types';

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

/** A snapshot of the metrics for tests: second `n` of a program at rest, unless told otherwise. */
export function snapshot(n: number, fields: Partial<Metrics> = {}): Metrics {
  return {
    ts: new Date(n * 1000).toISOString(),
    uptime_s: n,
    process: { cpu_percent: 0.5, rss_bytes: 50_000_000, threads: 12 },
    hub: { subscribers: 1, published: 0, delivered: 0, dropped: 0, refilled: 0 },
    bus: { backend: 'embedded', published: 0, read: 0, subscribers: 0, length: 0, lag_ms: 0 },
    sse: {
      open: 2,
      by_endpoint: { messages: 0, chats: 1, contacts: 0, queue_stream: 0, redis_stream: 0, metrics: 1 },
      bytes_sent: 0,
    },
    analysis: { queued: 0, running: 0, completed: 0, failed: 0, dead: 0, per_second: 0 },
    latency_ms: { publish_to_send: null },
    store: { chats: 1, messages: 10, db_bytes: 4_000_000 },
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

/**
 * The frames of a page, which come when a test says so and not before: `requestAnimationFrame` waits for `next`.
 *
 * Where frames come by themselves, what a frame asks for may come before or after what a test waits for, as the load
 * of the machine has it.
 */
export function framesByHand() {
  let asked: FrameRequestCallback[] = [];
  globalThis.requestAnimationFrame = (call) => asked.push(call);
  return {
    /** One frame. What it asks for comes with the next one. */
    async next(): Promise<void> {
      const now = asked;
      asked = [];
      now.forEach((call) => call(0));
      await settled();
    },
  };
}

/** When all that needs no time has happened: promises that are kept already, and what follows of them. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
