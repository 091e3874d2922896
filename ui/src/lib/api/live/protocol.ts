import type { ChatId } from '../types';

/** What can be listened to: one SSE endpoint each. */
export type Topic = 'chats' | 'contacts' | `chat/${ChatId}`;

/** How a topic is doing. */
export type TopicState =
  | { phase: 'connecting' }
  /** The server has said `ready`: from here on nothing is missed. */
  | { phase: 'live' }
  /** All connections are taken; a chat follows through the chats stream until one is free. */
  | { phase: 'waiting' }
  /** Cut off; the next attempt comes at this time (milliseconds since the epoch). */
  | { phase: 'lost'; retryAt: number }
  /** The server will not serve it: 401 the token, 404 an unknown chat. Only `retry` tries again. */
  | { phase: 'refused'; status: number };

/** What a page asks of the pool. */
export type ToPool =
  /** The name of a Web Lock that the page holds as long as it lives. */
  | { do: 'hello'; lock: string }
  | { do: 'open' | 'close'; topic: Topic }
  /** Try what is lost or refused again at once. */
  | { do: 'retry' }
  | { do: 'bye' };

/** The named events of the three live-sync streams, heartbeats aside. */
export type StreamEvent = 'initial' | 'ready' | 'update' | 'error';

/** What the pool tells a page. */
export type FromPool =
  { topic: Topic; state: TopicState } | { topic: Topic; event: StreamEvent; data: unknown };

/** The messages that a fresh `initial` of a chat holds: a page, enough to paint it at its end. */
export const INITIAL_LIMIT = 200;

/** The address of a topic's stream, resuming after an event if one is given. */
export function streamUrl(topic: Topic, lastEventId: string): string {
  const path = topic.startsWith('chat/')
    ? `/api/live-sync/stream/${topic}/messages?limit=${INITIAL_LIMIT}`
    : `/api/live-sync/stream/${topic}`;
  if (!lastEventId) return path;
  return `${path}${path.includes('?') ? '&' : '?'}last_event_id=${encodeURIComponent(lastEventId)}`;
}
