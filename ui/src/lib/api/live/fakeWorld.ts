import type { World } from './stream';

/** An EventSource that a test plays the server of. */
export class FakeSource extends EventTarget {
  readonly CLOSED = 2;
  readyState = 0;

  constructor(readonly url: string) {
    super();
  }

  close(): void {
    this.readyState = this.CLOSED;
  }

  send(name: string, data: unknown, lastEventId = ''): void {
    this.dispatchEvent(new MessageEvent(name, { data: JSON.stringify(data), lastEventId }));
  }

  /** The server answers. */
  open(): void {
    this.dispatchEvent(new Event('open'));
  }

  /** An entry of the bus: an event without a name. */
  sendEntry(id: string, fields: Record<string, string>): void {
    this.send('message', fields, id);
  }

  /** The connection breaks; with `stopped` as EventSource does it on an HTTP error, for good. */
  fail(stopped = false): void {
    if (stopped) this.readyState = this.CLOSED;
    this.dispatchEvent(new Event('error'));
  }
}

/** A browser whose clock and network a test moves by hand. */
export class FakeWorld implements World {
  sources: FakeSource[] = [];
  /** What probes answer. */
  status = 0;
  time = 0;
  #timers: { at: number; call: () => void }[] = [];

  open = (url: string): EventSource => {
    const source = new FakeSource(url);
    this.sources.push(source);
    return source as unknown as EventSource;
  };
  probe = (): Promise<number> => Promise.resolve(this.status);
  now = (): number => this.time;
  random = (): number => 1;
  setTimeout = (call: () => void, ms: number): unknown => {
    const timer = { at: this.time + ms, call };
    this.#timers.push(timer);
    return timer;
  };
  clearTimeout = (timer: unknown): void => {
    this.#timers = this.#timers.filter((other) => other !== timer);
  };

  /** The newest connection. */
  get last(): FakeSource {
    const source = this.sources.at(-1);
    if (!source) throw new Error('nothing was opened');
    return source;
  }

  get openCount(): number {
    return this.sources.filter(({ readyState }) => readyState !== 2).length;
  }

  /** Lets promises settle, then time pass. */
  async pass(ms: number): Promise<void> {
    await Promise.resolve();
    await Promise.resolve();
    this.time += ms;
    const due = this.#timers.filter(({ at }) => at <= this.time);
    this.#timers = this.#timers.filter(({ at }) => at > this.time);
    due.forEach(({ call }) => call());
  }
}
