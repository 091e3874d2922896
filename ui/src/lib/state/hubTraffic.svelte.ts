import { subscribe } from '$lib/api/live/client';
import type { ChatUpdate } from '$lib/api/types';
import { nextFrame } from './collection.svelte';

/** What the hub told this window: one chat that changed. */
export interface HubEvent {
  key: number;
  /** When it arrived here (milliseconds since the epoch). */
  at: number;
  update: ChatUpdate;
}

/** Kept and shown; older ones are let go, for the hub keeps none either. */
const KEPT_MAX = 500;
/** Kept while paused; of more only the number is. */
const WAITING_MAX = 500;

/** What passes through the hub, as far as a window hears of it: the updates of the chats stream. */
export class HubTraffic {
  /** The newest first. */
  events = $state.raw<readonly HubEvent[]>([]);
  paused = $state(false);
  waiting = $state(0);
  #held: HubEvent[] = [];
  #fresh: HubEvent[] = [];
  #nextKey = 1;
  #close: (() => void) | undefined;

  open(): void {
    this.#close = subscribe('chats', {
      event: (name, data) => {
        if (name === 'update') this.#receive(data as ChatUpdate);
      },
    });
  }

  close(): void {
    this.#close?.();
  }

  toggle(): void {
    this.paused = !this.paused;
    if (this.paused) return;
    this.#show(this.#held);
    this.#held = [];
    this.waiting = 0;
  }

  #receive(update: ChatUpdate): void {
    const event = { key: this.#nextKey++, at: Date.now(), update };
    if (this.paused) {
      this.waiting += 1;
      this.#held = [...this.#held.slice(1 - WAITING_MAX), event];
      return;
    }
    if (this.#fresh.length === 0) nextFrame(() => this.#flush());
    this.#fresh.push(event);
  }

  /** Updates come by the thousand during an import: one redraw a frame takes them all. */
  #flush(): void {
    this.#show(this.#fresh);
    this.#fresh = [];
  }

  #show(added: readonly HubEvent[]): void {
    this.events = [...added.toReversed(), ...this.events].slice(0, KEPT_MAX);
  }
}
