import { ApiError } from '$lib/api/http';
import { retryNow, states, watch, type TopicState } from '$lib/api/live/client';

/** How the page stands with the program: all its streams taken together. */
class Connection {
  /** When the next attempt comes (milliseconds since the epoch), while the connection is lost. */
  retryAt = $state<number | null>(null);
  /** The token was refused: nothing helps but loading the page anew. */
  denied = $state(false);
  /** Whether everything the view listens to is up to date. */
  live = $state(false);

  constructor() {
    watch(() => this.#update(states()));
  }

  retry(): void {
    retryNow();
  }

  /** Takes note of a failed request. */
  noticed(error: unknown): void {
    if (error instanceof ApiError && error.denied) this.denied = true;
  }

  #update(all: TopicState[]): void {
    const lost = all.filter((state) => state.phase === 'lost');
    this.retryAt = lost.length > 0 ? Math.min(...lost.map(({ retryAt }) => retryAt)) : null;
    if (all.some((state) => state.phase === 'refused' && state.status === 401)) this.denied = true;
    this.live = all.length > 0 && all.every(({ phase }) => phase === 'live' || phase === 'waiting');
  }
}

export const connection = new Connection();
