import { searchMessages } from '$lib/api/search';
import type { ChatId, SearchHit } from '$lib/api/types';
import { connection } from './connection.svelte';

/** Between the last key and the question: below what a person notices, above the pace of typing. */
const PAUSE_MS = 120;

/** A search as it is typed: the newest question wins. */
export class Search {
  hits = $state.raw<SearchHit[]>([]);
  more = $state(false);
  busy = $state(false);
  error = $state.raw<Error | null>(null);
  /** The query that `hits` answers. */
  answered = $state('');
  #query = '';
  #timer: ReturnType<typeof setTimeout> | undefined;
  #abort: AbortController | undefined;

  /** `chat` limits the search to one chat. */
  constructor(private readonly chat?: ChatId) {}

  /** Asks after a short pause; an empty query clears at once. */
  ask(query: string): void {
    const trimmed = query.trim();
    if (trimmed === this.#query) return;
    this.#query = trimmed;
    this.close();
    if (!trimmed) {
      this.#take(trimmed, [], false);
      return;
    }
    this.busy = true;
    this.#timer = setTimeout(() => void this.#run(), PAUSE_MS);
  }

  /** Reads the next page of older hits. */
  async loadMore(): Promise<void> {
    const last = this.hits.at(-1);
    if (last && this.more && !this.busy) await this.#run(last.message.id);
  }

  /** Drops a question that is on its way. */
  close(): void {
    clearTimeout(this.#timer);
    this.#abort?.abort();
    this.busy = false;
  }

  async #run(before?: number): Promise<void> {
    const q = this.#query;
    const { signal } = (this.#abort = new AbortController());
    this.busy = true;
    try {
      const page = await searchMessages({ q, chat: this.chat, before, signal });
      this.#take(q, before === undefined ? page.hits : [...this.hits, ...page.hits], page.more);
    } catch (error) {
      if (signal.aborted) return;
      connection.noticed(error);
      this.error = error as Error;
    }
    this.busy = false;
  }

  #take(q: string, hits: SearchHit[], more: boolean): void {
    this.answered = q;
    this.hits = hits;
    this.more = more;
    this.error = null;
  }
}
