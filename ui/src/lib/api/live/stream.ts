import { streamUrl, type StreamEvent, type Topic, type TopicState } from './protocol';

/** The parts of the browser that a stream needs, so that tests can stand in for them. */
export interface World {
  open(url: string): EventSource;
  /** The HTTP status that a URL answers with; 0 if there is no answer. */
  probe(url: string): Promise<number>;
  now(): number;
  /** Between 0 and 1. */
  random(): number;
  setTimeout(call: () => void, ms: number): unknown;
  clearTimeout(timer: unknown): void;
}

/** What a stream tells its owner. */
export interface StreamOwner {
  state(state: TopicState): void;
  event(event: StreamEvent, data: unknown): void;
}

/** The first wait: a restart of the program takes about this long. */
const BACKOFF_MIN_MS = 500;
/** The longest wait: a person who started the program again should not have to look for a button. */
const BACKOFF_MAX_MS = 15_000;

/**
 * One topic's connection: reconnects by itself and resumes where it was.
 *
 * EventSource's own reconnection is not relied upon: it says nothing of when it tries again, and it stops for good on any
 * HTTP error, such as the 503 of a program that is starting.
 */
export class Stream {
  #source: EventSource | undefined;
  #timer: unknown;
  #lastEventId = '';
  #failures = 0;
  #state: TopicState = { phase: 'connecting' };

  constructor(
    private readonly topic: Topic,
    private readonly world: World,
    private readonly owner: StreamOwner,
  ) {
    this.#connect();
  }

  get state(): TopicState {
    return this.#state;
  }

  /** Tries again at once if it is cut off. */
  retry(): void {
    if (this.#state.phase !== 'lost' && this.#state.phase !== 'refused') return;
    this.world.clearTimeout(this.#timer);
    this.#connect();
  }

  close(): void {
    this.world.clearTimeout(this.#timer);
    this.#source?.close();
    this.#source = undefined;
  }

  #connect(): void {
    const source = this.world.open(streamUrl(this.topic, this.#lastEventId));
    this.#source = source;
    // While attempts fail the state stays "lost": a bar that flickers with each attempt would be noise.
    if (this.#failures === 0) this.#become({ phase: 'connecting' });
    for (const name of ['initial', 'update', 'ready'] as const) {
      source.addEventListener(name, (event) => {
        if (this.#source === source) this.#receive(name, event as MessageEvent<string>);
      });
    }
    source.addEventListener('error', (event) => {
      if (this.#source !== source) return;
      // The server's own `error` event carries data and leaves the stream open; the browser's does not.
      const { data } = event as MessageEvent<string | undefined>;
      if (data) this.owner.event('error', JSON.parse(data));
      else void this.#failed(source);
    });
  }

  #receive(name: StreamEvent, event: MessageEvent<string>): void {
    if (event.lastEventId) this.#lastEventId = event.lastEventId;
    this.owner.event(name, JSON.parse(event.data));
    if (name !== 'ready') return;
    this.#failures = 0;
    this.#become({ phase: 'live' });
  }

  async #failed(source: EventSource): Promise<void> {
    const stopped = source.readyState === source.CLOSED;
    source.close();
    // Stopped for good means an HTTP error, and EventSource does not tell which: ask.
    const status = stopped ? await this.world.probe(streamUrl(this.topic, this.#lastEventId)) : 0;
    if (this.#source !== source) return;
    this.#source = undefined;
    this.#failures += 1;
    if (status === 401 || status === 404) {
      this.#become({ phase: 'refused', status });
      return;
    }
    const wait = backoffMs(this.#failures, this.world.random());
    this.#become({ phase: 'lost', retryAt: this.world.now() + wait });
    this.#timer = this.world.setTimeout(() => this.#connect(), wait);
  }

  #become(state: TopicState): void {
    this.#state = state;
    this.owner.state(state);
  }
}

/** The wait before the next attempt, doubling with each failure; a fifth of it random, so that tabs do not march in step. */
export function backoffMs(failures: number, random: number): number {
  const full = Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** (failures - 1));
  return Math.round(full * (0.8 + 0.2 * random));
}
