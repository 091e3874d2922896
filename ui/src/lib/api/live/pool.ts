import type { FromPool, ToPool, Topic } from './protocol';
import { Stream, type World } from './stream';

/**
 * Connections that may be open at once. Browsers open six to a host over HTTP/1.1, all tabs together; when streams hold
 * them all, even `fetch` waits.
 */
export const MAX_STREAMS = 4;

/** One page's ear. */
export type Listener = (message: FromPool) => void;

/**
 * The streams of all pages of a browser: one connection a topic, however many pages listen, and few of them.
 *
 * The chats stream always gets a connection, for pages that find none free follow their chat through it.
 */
export class StreamPool {
  /** In the order in which they were asked for; a topic without a stream waits for a free connection. */
  readonly #topics = new Map<Topic, { listeners: Set<Listener>; stream?: Stream }>();

  constructor(private readonly world: World) {}

  /** Does what a page asks. `hello` is for whoever holds the ports. */
  handle(listener: Listener, message: ToPool): void {
    if (message.do === 'open') this.#open(listener, message.topic);
    if (message.do === 'close') this.#close(listener, message.topic);
    if (message.do === 'retry') for (const { stream } of this.#topics.values()) stream?.retry();
    if (message.do === 'bye') this.drop(listener);
  }

  /** Forgets a page. */
  drop(listener: Listener): void {
    for (const topic of [...this.#topics.keys()]) this.#close(listener, topic);
  }

  #open(listener: Listener, topic: Topic): void {
    const entry = this.#topics.get(topic);
    if (entry) {
      entry.listeners.add(listener);
      listener({ topic, state: entry.stream?.state ?? { phase: 'waiting' } });
      return;
    }
    this.#topics.set(topic, { listeners: new Set([listener]) });
    this.#admit();
    if (!this.#topics.get(topic)?.stream) listener({ topic, state: { phase: 'waiting' } });
  }

  #close(listener: Listener, topic: Topic): void {
    const entry = this.#topics.get(topic);
    if (!entry?.listeners.delete(listener) || entry.listeners.size > 0) return;
    entry.stream?.close();
    this.#topics.delete(topic);
    this.#admit();
  }

  /** Gives free connections to those who wait, first come, first served. */
  #admit(): void {
    let free = MAX_STREAMS - 1;
    for (const [topic, { stream }] of this.#topics) if (stream && topic !== 'chats') free -= 1;
    for (const [topic, entry] of this.#topics) {
      if (entry.stream || (topic !== 'chats' && free <= 0)) continue;
      if (topic !== 'chats') free -= 1;
      const tell = (message: FromPool) => entry.listeners.forEach((listener) => listener(message));
      entry.stream = new Stream(topic, this.world, {
        state: (state) => tell({ topic, state }),
        event: (event, data) => tell({ topic, event, data }),
      });
    }
  }
}
