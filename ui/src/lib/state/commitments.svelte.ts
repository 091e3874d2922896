import { commitmentPage, decide, type Decision } from '$lib/api/commitments';
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

/** In a flood of events the list is read once in this time. */
const AGAIN_MS = 1500;
/** Pages that are read at most: more than ten thousand commitments nobody goes through. */
const PAGES_MAX = 10;

/** Promises and requests of all chats. */
class Commitments {
  /** By chat and id. Replaced, never changed in place. */
  byKey = $state.raw<ReadonlyMap<string, ListedCommitment>>(new Map());
  loaded = $state(false);
  error = $state.raw<Error | null>(null);
  /** There are more than are read. */
  hasMore = $state(false);
  #users = 0;
  #close: (() => void) | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #changes = 0;

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

  async reload(): Promise<void> {
    const changes = this.#changes;
    try {
      const found = new Map<string, ListedCommitment>();
      let next: number | null = 0;
      for (let pages = 0; next !== null && pages < PAGES_MAX; pages++) {
        const page = await commitmentPage(next);
        page.commitments.forEach((one) => found.set(commitmentKey(one), one));
        next = page.next;
      }
      // What was decided meanwhile may not be in it: it is read again.
      if (changes !== this.#changes) return void this.#soon();
      this.byKey = found;
      this.hasMore = next !== null;
      this.loaded = true;
      this.error = null;
    } catch (error) {
      connection.noticed(error);
      this.error = error as Error;
    }
  }

  /** Says how one stands: at once in the view, and undone if it cannot be kept. */
  async decide(one: ListedCommitment, decision: Decision): Promise<boolean> {
    this.#set({ ...one, status: decision ?? 'open' });
    try {
      this.#set(await decide(one, decision));
      return true;
    } catch (error) {
      this.#set(one);
      connection.noticed(error);
      toasts.fail(error);
      return false;
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
