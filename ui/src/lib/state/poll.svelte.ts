import { connection } from './connection.svelte';
import { Turns } from './turns';

/** Something the program is asked for again and again while somebody looks. */
export class Poll<T> {
  value = $state.raw<T | null>(null);
  /** The answer before, and when it came (milliseconds since the epoch): for rates. */
  before = $state.raw<{ value: T; at: number } | null>(null);
  at = $state(0);
  error = $state.raw<Error | null>(null);
  #users = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #turns = new Turns();

  constructor(
    private readonly ask: () => Promise<T>,
    private readonly everyMs: number,
  ) {}

  /** Asks for as long as at least one view wants it; the answer ends it. */
  follow(): () => void {
    this.#users += 1;
    if (this.#users === 1) void this.#run();
    return () => {
      this.#users -= 1;
      if (this.#users === 0) clearTimeout(this.#timer);
    };
  }

  /** Asks now, out of turn. */
  reload(): Promise<void> {
    return this.#turns.take(() => this.#ask());
  }

  async #ask(): Promise<void> {
    try {
      const value = await this.ask();
      if (this.value) this.before = { value: this.value, at: this.at };
      this.value = value;
      this.at = Date.now();
      this.error = null;
    } catch (error) {
      connection.noticed(error);
      this.error = error as Error;
    }
  }

  async #run(): Promise<void> {
    clearTimeout(this.#timer);
    // Nobody sees a hidden tab, and many of them would ask for nothing.
    if (!document.hidden) await this.reload();
    if (this.#users > 0) this.#timer = setTimeout(() => void this.#run(), this.everyMs);
  }
}

/** How much a counter grew a second between two answers; null as long as there is one only, or after a restart. */
export function perSecond<T>(poll: Poll<T>, counter: (value: T) => number): number | null {
  if (!poll.value || !poll.before || poll.at <= poll.before.at) return null;
  const grown = counter(poll.value) - counter(poll.before.value);
  return grown < 0 ? null : (grown * 1000) / (poll.at - poll.before.at);
}
