import type { ChatId } from '../types';

/** What can be listened to: one SSE endpoint each. */
export type Topic = 'chats' | 'contacts' | 'metrics' | `chat/${ChatId}` | BusTopic;

/** A stream of the event bus, with what it is filtered by: made by {@link busTopic}. */
export type BusTopic = `bus/${string}`;

/** How a topic is doing. */
export type TopicState =
  | { phase: 'connecting' }
  /**
   * From here on nothing is missed: the server has said `ready`, or has answered, on the bus and for metrics. `resumed`
   * is true where it goes on after the last event that was seen, so that nothing is missing before either.
   */
  | { phase: 'live'; resumed?: boolean }
  /** All connections are taken; a chat follows through the chats stream until one is free. */
  | { phase: 'waiting' }
  /** Cut off; the next attempt comes at this time (milliseconds since the epoch). */
  | { phase: 'lost'; retryAt: number }
  /** The program is there and the event log is not; the next attempt comes at this time. */
  | { phase: 'away'; retryAt: number }
  /** The server will not serve it: 400 the filter, 401 the token, 404 an unknown chat. Only `retry` tries again. */
  | { phase: 'refused'; status: number };

/** What a page asks of the pool. */
export type ToPool =
  /** The name of a Web Lock that the page holds as long as it lives. */
  | { do: 'hello'; lock: string }
  | { do: 'open' | 'close'; topic: Topic }
  /** Try what is lost or refused again at once. */
  | { do: 'retry' }
  | { do: 'bye' };

/**
 * The named events of the three live-sync streams, heartbeats aside; `entries`, {@link BusFrame}s of the bus; and
 * `snapshot`, of the metrics.
 */
export type StreamEvent = 'initial' | 'ready' | 'update' | 'entries' | 'snapshot' | 'error';

/** An entry of the bus as it came: its id, and its fields as a JSON object of strings. */
export interface BusFrame {
  id: string;
  data: string;
}

/** What the pool tells a page. */
export type FromPool =
  { topic: Topic; state: TopicState } | { topic: Topic; event: StreamEvent; data: unknown };

/** The messages that a fresh `initial` of a chat holds: a page, enough to paint it at its end. */
export const INITIAL_LIMIT = 200;

/** The stream that the program's own events go to, and the only one that the server filters. */
export const MAIN_STREAM = 'task_events:analysis';

/** What to hear of a stream. The server filters {@link MAIN_STREAM} only; others come whole. */
export interface BusSelection {
  stream: string;
  /** Only this scope; all if empty. */
  scope: string;
  /** Only this run; all if empty. */
  run: string;
}

/** The topic of a selection. The same selection gives the same topic, so that pages share its connection. */
export function busTopic({ stream, scope, run }: BusSelection): BusTopic {
  const path = `bus/${encodeURIComponent(stream)}` as const;
  // Without a filter also what lacks a type or a scope is wanted, which the filtering endpoint passes over.
  if (stream !== MAIN_STREAM || (!scope && !run)) return path;
  return `${path}?${new URLSearchParams({ scope, run_id: run })}`;
}

/** The address of a topic's stream, resuming after an event if one is given. Snapshots are of their moment: none is resumed. */
export function streamUrl(topic: Topic, lastEventId: string): string {
  if (topic === 'metrics') return '/api/metrics/stream';
  const path = topic.startsWith('bus/') ? busUrl(topic) : liveUrl(topic);
  if (!lastEventId) return path;
  return `${path}${path.includes('?') ? '&' : '?'}last_event_id=${encodeURIComponent(lastEventId)}`;
}

function liveUrl(topic: Topic): string {
  if (!topic.startsWith('chat/')) return `/api/live-sync/stream/${topic}`;
  return `/api/live-sync/stream/${topic}/messages?limit=${INITIAL_LIMIT}`;
}

/** From the end on: what came before is read page by page. */
function busUrl(topic: Topic): string {
  const [stream, filter] = topic.slice('bus/'.length).split('?');
  if (filter) return `/api/analysis/streaming/queue/stream?start_id=%24&${filter}`;
  return `/api/analysis/streaming/redis_stream/${stream}?start_id=%24`;
}
