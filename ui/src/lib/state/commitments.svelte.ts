import { commitmentPages, decide, type Decision } from '$lib/api/commitments';
import {
  busTopic,
  MAIN_STREAM,
  subscribe,
  type BusFrame,
  type StreamEvent,
  type TopicState,
} from '$lib/api/live/client';
import type { ListedCommitment } from '$lib/api/types';
import { field, readFrame } from '$lib/format/events';
import { commitmentKey } from './commitmentGroups';
import { connection } from './connection.svelte';
import { toasts } from './toasts.svelte';
import { Turns } from './turns';

/** In a flood of events the list is read once in this time. */
const AGAIN_MS = 1500;
/** Pages that are read of one's own, and of those of others, at most: more than five thousand nobody goes through. */
const PAGES_MAX = 5;

/** Promises and requests of all chats. */
class Commitments {
  /** By chat and id. Replaced, never changed in place. */
  byKey = $state.raw<ReadonlyMap<string, ListedCommitment>>(new Map());
  loaded = $state(false);
  error = $state.raw<Error | null>(null);
  /** There are more than are read of one's own, and of those of others. */
  hasMore = $state.raw({ mine: false, theirs: false });
  #users = 0;
  #close: (() => void) | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #changes = 0;
  /** Decisions that are shown, and that the program may not know yet. */
  #deciding = 0;
  readonly #turns = new Turns();

  /** Follows what is found for as long as a view shows it; the answer ends it. */
  follow(): () => void {
    this.#users += 1;
    if (this.#users === 1) {
      void this.reload();
      // Each chat has a scope of its own; what is found is told beside what a run does, on the one stream.
      this.#close = subscribe(busTopic({ stream: MAIN_STREAM, scope: '', run: '' }), {
        event: (name, data) => this.#hear(name, data),
        state: (state) => this.#stateChanged(state),
      });
    }
    return () => {
      this.#users -= 1;
      if (this.#users > 0) return;
      this.#close?.();
      clearTimeout(this.#timer);
      this.#timer = undefined;
    };
  }

  reload(): Promise<void> {
    return this.#turns.take(() => this.#readAll());
  }

  async #readAll(): Promise<void> {
    try {
      const isFirst = !this.loaded;
      // A page of each is shown while the rest is read: what is due comes before what is long over.
      await this.#read(isFirst ? 1 : PAGES_MAX);
      if (isFirst && (this.hasMore.mine || this.hasMore.theirs)) await this.#read(PAGES_MAX);
      this.error = null;
    } catch (error) {
      connection.noticed(error);
      this.error = error as Error;
    }
  }

  async #read(pagesMax: number): Promise<void> {
    const changes = this.#changes;
    // Each for itself: many of the ones must not leave out the others.
    const [mine, theirs] = await Promise.all([
      commitmentPages(pagesMax, { mine: true }),
      commitmentPages(pagesMax, { mine: false }),
    ]);
    // What was decided meanwhile may not be in it: it is read again.
    if (changes !== this.#changes || this.#deciding > 0) return this.#soon();
    this.byKey = new Map([...mine.found, ...theirs.found].map((one) => [commitmentKey(one), one]));
    this.hasMore = { mine: mine.hasMore, theirs: theirs.hasMore };
    this.loaded = true;
  }

  /** Says how one stands: at once in the view, and undone if it cannot be kept. */
  async decide(one: ListedCommitment, decision: Decision): Promise<boolean> {
    this.#set({ ...one, status: decision ?? 'open' });
    this.#deciding += 1;
    try {
      this.#set(await decide(one, decision));
      return true;
    } catch (error) {
      this.#set(one);
      connection.noticed(error);
      toasts.fail(error);
      return false;
    } finally {
      this.#deciding -= 1;
    }
  }

  #set(one: ListedCommitment): void {
    this.#changes += 1;
    this.byKey = new Map(this.byKey).set(commitmentKey(one), one);
  }

  #hear(name: StreamEvent, data: unknown): void {
    if (name === 'error') this.#soon();
    if (name !== 'entries') return;
    const told = (data as BusFrame[])
      .map(readFrame)
      .some((entry) => field(entry, 'scope')?.startsWith('commitments:'));
    if (told) this.#soon();
  }

  #stateChanged(state: TopicState): void {
    if ((state.phase === 'live' && !state.resumed) || state.phase === 'waiting') this.#soon();
  }

  #soon(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      void this.reload();
    }, AGAIN_MS);
  }
}

export const commitments = new Commitments();
