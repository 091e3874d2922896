import { subscribe, type Topic } from '$lib/api/live/client';
import { connection } from './connection.svelte';

/** What a list needs to know of its stream. */
export interface CollectionSource<T, U> {
  topic: Topic;
  /** Reads the whole list over REST: for a page that joins a stream whose `initial` has gone by. */
  load(): Promise<T[]>;
  /** The list in an `initial`. */
  initial(data: unknown): T[];
  /** What an `update` changes: the id, and the fields to set. */
  update(data: U): T;
}

/** A list that a stream keeps current: chats, or people. */
export class Collection<T extends { id: number }, U> {
  /** By id. Replaced, never changed in place. */
  items = $state.raw<ReadonlyMap<number, T>>(new Map());
  loaded = $state(false);
  error = $state.raw<Error | null>(null);
  #users = 0;
  #unsubscribe: (() => void) | undefined;
  #pending = new Map<number, T>();
  /** What came while the list is being read: it may or may not be in it, and is the newer. None while it is not read. */
  #meanwhile: Map<number, T> | undefined;

  constructor(private readonly source: CollectionSource<T, U>) {}

  /** Follows the stream for as long as at least one view asks for it; the answer ends it. */
  follow(): () => void {
    this.#users += 1;
    if (this.#users === 1) this.#start();
    return () => {
      this.#users -= 1;
      if (this.#users === 0) this.#stop();
    };
  }

  /** Reads the list again. */
  async reload(): Promise<void> {
    const meanwhile = new Map<number, T>();
    this.#meanwhile = meanwhile;
    try {
      const list = await this.source.load();
      // A whole list came meanwhile, or it is being read once more.
      if (this.#meanwhile !== meanwhile) return;
      this.#replace([...list, ...meanwhile.values()]);
    } catch (error) {
      connection.noticed(error);
      if (!this.loaded) this.error = error as Error;
    }
  }

  /** Sets one item at once, without waiting for the stream. */
  set(item: T): void {
    this.#meanwhile?.set(item.id, item);
    this.items = new Map(this.items).set(item.id, item);
  }

  #start(): void {
    let current = false;
    this.#unsubscribe = subscribe(this.source.topic, {
      event: (name, data) => {
        if (name === 'initial') {
          current = true;
          this.#replace(this.source.initial(data));
        }
        if (name === 'update') this.#enqueue(this.source.update(data as U));
      },
      state: ({ phase }) => {
        if (phase === 'lost' || phase === 'connecting') current = false;
        // Live without having seen the list, or no stream to see it from.
        if ((phase === 'live' || phase === 'waiting') && !current) {
          current = true;
          void this.reload();
        }
      },
    });
  }

  #stop(): void {
    this.#unsubscribe?.();
    // Out of date from now on: the next view reads it anew, and may show this until then.
    this.#unsubscribe = undefined;
  }

  #replace(list: T[]): void {
    this.#pending.clear();
    this.#meanwhile = undefined;
    this.items = new Map(list.map((item) => [item.id, item]));
    this.loaded = true;
    this.error = null;
  }

  /** Updates come by the thousand during an import: one redraw a frame takes them all. */
  #enqueue(item: T): void {
    if (this.#pending.size === 0) nextFrame(() => this.#apply());
    this.#pending.set(item.id, item);
    this.#meanwhile?.set(item.id, item);
  }

  #apply(): void {
    if (this.#pending.size === 0) return;
    const items = new Map(this.items);
    for (const [id, item] of this.#pending) items.set(id, item);
    this.#pending.clear();
    this.items = items;
  }
}

/** The next frame, or soon in a hidden tab, where no frames come. */
export function nextFrame(call: () => void): void {
  if (document.hidden) setTimeout(call, 100);
  else requestAnimationFrame(call);
}
