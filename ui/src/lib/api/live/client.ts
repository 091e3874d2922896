import { host, type Port } from './host';
import { busTopic, MAIN_STREAM } from './protocol';
import type { BusFrame, FromPool, StreamEvent, ToPool, Topic, TopicState } from './protocol';

export { busTopic, MAIN_STREAM };
export type { BusFrame, StreamEvent, Topic, TopicState };

/** What a subscriber hears. */
export interface Subscriber {
  event?(event: StreamEvent, data: unknown): void;
  /** Called with the present state on subscribing too. A late subscriber is `live` without having seen `initial`. */
  state?(state: TopicState): void;
}

interface Subscription {
  subscribers: Set<Subscriber>;
  state: TopicState;
}

const subscriptions = new Map<Topic, Subscription>();
const watchers = new Set<() => void>();
let port: Port | undefined;

/** Listens to a topic for as long as the view shows it; the answer ends it. */
export function subscribe(topic: Topic, subscriber: Subscriber): () => void {
  let subscription = subscriptions.get(topic);
  if (subscription) {
    subscription.subscribers.add(subscriber);
    subscriber.state?.(subscription.state);
  } else {
    subscription = { subscribers: new Set([subscriber]), state: { phase: 'connecting' } };
    subscriptions.set(topic, subscription);
    tell({ do: 'open', topic });
  }
  const { subscribers } = subscription;
  return () => {
    if (!subscribers.delete(subscriber) || subscribers.size > 0) return;
    subscriptions.delete(topic);
    tell({ do: 'close', topic });
    watchers.forEach((changed) => changed());
  };
}

/** Calls whenever the state of any topic changes. */
export function watch(changed: () => void): void {
  watchers.add(changed);
}

/** The states of all topics this page listens to. */
export function states(): TopicState[] {
  return [...subscriptions.values()].map(({ state }) => state);
}

/** Tries what is cut off again at once. */
export function retryNow(): void {
  tell({ do: 'retry' });
}

function tell(message: ToPool): void {
  port ??= connect();
  port.postMessage(message);
}

function receive(message: FromPool): void {
  const subscription = subscriptions.get(message.topic);
  if (!subscription) return;
  if ('state' in message) {
    subscription.state = message.state;
    subscription.subscribers.forEach((subscriber) => subscriber.state?.(message.state));
    watchers.forEach((changed) => changed());
  } else {
    subscription.subscribers.forEach((subscriber) => subscriber.event?.(message.event, message.data));
  }
}

function connect(): Port {
  const end = openPort();
  end.onmessage = (event: MessageEvent<FromPool>) => receive(event.data);
  // Only once the lock is held: the worker queues for it, and whoever comes first must be this page.
  holdLock((lock) => end.postMessage({ do: 'hello', lock } satisfies ToPool));
  addEventListener('pagehide', () => end.postMessage({ do: 'bye' } satisfies ToPool));
  addEventListener('pageshow', (event) => {
    // Back from the back-forward cache: the goodbye was premature.
    if (event.persisted) for (const topic of subscriptions.keys()) tell({ do: 'open', topic });
  });
  addEventListener('online', retryNow);
  return end;
}

function openPort(): Port {
  if (typeof SharedWorker !== 'undefined') {
    const worker = new SharedWorker(new URL('./worker.ts', import.meta.url), {
      type: 'module',
      name: 'chatstats',
    });
    return worker.port;
  }
  const channel = new MessageChannel();
  host()(channel.port2);
  return channel.port1;
}

/** Takes a lock that comes free when the page is gone, however it goes. */
function holdLock(held: (name: string) => void): void {
  if (!('locks' in navigator)) return;
  const name = `chatstats:page:${crypto.randomUUID()}`;
  void navigator.locks.request(name, () => {
    held(name);
    return new Promise<never>(() => undefined);
  });
}
