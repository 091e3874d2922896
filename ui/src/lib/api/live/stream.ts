import { streamUrl, type BusFrame, type StreamEvent, type Topic, type TopicState } from './protocol';

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
/** Entries of the bus go to the pages together: in a flood a message to a page costs more than what it carries. */
const GATHER_MS = 40;
/** Gathered entries that are handed on without waiting for more. */
const GATHER_MAX = 500;
/** Answers that trying again would not change. */
const REFUSALS: readonly number[] = [400, 401, 404];

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
  #gathered: BusFrame[] = [];
  #gathering: unknown;

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
    if (!['lost', 'away', 'refused'].includes(this.#state.phase)) return;
    this.world.clearTimeout(this.#timer);
    this.#connect();
  }

  close(): void {
    this.world.clearTimeout(this.#timer);
    this.world.clearTimeout(this.#gathering);
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
    if (this.#isBus) this.#listenToBus(source);
    if (this.topic === 'metrics') this.#listenToMetrics(source);
    source.addEventListener('error', (event) => {
      if (this.#source !== source) return;
      this.#handOn();
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

  get #isBus(): boolean {
    return this.topic.startsWith('bus/');
  }

  /** The bus says no `ready`: it counts from the moment it answers. Its events have no name. */
  #listenToBus(source: EventSource): void {
    this.#liveOnceAnswered(source);
    source.addEventListener('message', ({ lastEventId, data }: MessageEvent<string>) => {
      if (this.#source !== source) return;
      this.#lastEventId = lastEventId;
      if (this.#gathered.length === 0) {
        this.#gathering = this.world.setTimeout(() => this.#handOn(), GATHER_MS);
      }
      this.#gathered.push({ id: lastEventId, data });
      if (this.#gathered.length >= GATHER_MAX) this.#handOn();
    });
  }

  /** Snapshots have neither a `ready` before them nor a name, and each is complete. */
  #listenToMetrics(source: EventSource): void {
    this.#liveOnceAnswered(source);
    source.addEventListener('message', ({ data }: MessageEvent<string>) => {
      if (this.#source === source) this.owner.event('snapshot', JSON.parse(data));
    });
  }

  #liveOnceAnswered(source: EventSource): void {
    source.addEventListener('open', () => {
      if (this.#source !== source) return;
      this.#failures = 0;
      this.#become({ phase: 'live', resumed: this.#lastEventId !== '' });
    });
  }

  /** Hands on what was gathered, before anything else is said. */
  #handOn(): void {
    if (this.#gathered.length === 0) return;
    this.world.clearTimeout(this.#gathering);
    const frames = this.#gathered;
    this.#gathered = [];
    this.owner.event('entries', frames);
  }

  async #failed(source: EventSource): Promise<void> {
    const stopped = source.readyState === source.CLOSED;
    source.close();
    // Stopped for good means an HTTP error, and EventSource does not tell which: ask.
    const status = stopped ? await this.world.probe(streamUrl(this.topic, this.#lastEventId)) : 0;
    if (this.#source !== source) return;
    this.#source = undefined;
    this.#failures += 1;
    if (REFUSALS.includes(status)) {
      this.#become({ phase: 'refused', status });
      return;
    }
    const wait = backoffMs(this.#failures, this.world.random());
    const phase = this.#isBus && status === 503 ? 'away' : 'lost';
    this.#become({ phase, retryAt: this.world.now() + wait });
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
