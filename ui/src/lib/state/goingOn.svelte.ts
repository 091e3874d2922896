import { conversationsNow } from '$lib/api/conversations';
import { subscribe, type StreamEvent } from '$lib/api/live/client';
import type { ChatId, ChatUpdate, StreamEntry } from '$lib/api/types';
import { field } from '$lib/format/events';
import { Again } from './again';
import { connection } from './connection.svelte';
import { chatOf, isOfAnalysis, listen } from './told';

/** In a flood it is read once in this time. */
const AGAIN_MS = 700;
/** A sealed conversation is queued a moment after its seal is told; it is looked for once more after this time. */
const QUEUED_MS = 3000;

/** In which chats something goes on: an open conversation, or one that is being analysed. */
class GoingOn {
  /** Chats whose last conversation is open. Replaced, never changed in place. */
  open = $state.raw<ReadonlySet<ChatId>>(new Set());
  /** Chats with a conversation that waits for analysis or is in it. Replaced, never changed in place. */
  analysing = $state.raw<ReadonlySet<ChatId>>(new Set());
  #users = 0;
  #closes: (() => void)[] = [];
  readonly #again = new Again(() => this.#read(), AGAIN_MS);
  readonly #later = new Again(() => this.#again.now(), QUEUED_MS);

  /** Follows it for as long as at least one view shows it; the answer ends it. */
  follow(): () => void {
    this.#users += 1;
    if (this.#users === 1) this.#start();
    return () => {
      this.#users -= 1;
      if (this.#users === 0) this.#stop();
    };
  }

  #start(): void {
    void this.#again.now();
    this.#closes = [
      listen({
        told: (entries) => this.#told(entries),
        missed: () => this.#again.soon(),
      }),
      subscribe('chats', { event: (name, data) => this.#hearChats(name, data) }),
    ];
  }

  #stop(): void {
    this.#closes.forEach((close) => close());
    this.#again.stop();
    this.#later.stop();
  }

  #told(entries: readonly StreamEntry[]): void {
    const sealed = entries.filter((entry) => field(entry, 'type') === 'conversation_sealed');
    if (sealed.length > 0) {
      const chats = new Set(sealed.map(chatOf));
      if ([...this.open].some((chat) => chats.has(chat))) {
        this.open = new Set([...this.open].filter((chat) => !chats.has(chat)));
      }
      // The same message may have sealed one and opened the next.
      this.#again.soon();
      this.#later.soon();
    }
    if (entries.some(isOfAnalysis)) this.#again.soon();
  }

  /** What arrives in a chat opens a conversation, if it is not an old message. */
  #hearChats(name: StreamEvent, data: unknown): void {
    if (name === 'update' && !this.open.has((data as ChatUpdate).chat_id)) this.#again.soon();
  }

  async #read(): Promise<void> {
    try {
      const { open, analysing } = await conversationsNow();
      this.open = new Set(open);
      this.analysing = new Set(analysing);
    } catch (error) {
      // The marks stay as they are; the next event asks again.
      connection.noticed(error);
    }
  }
}

export const goingOn = new GoingOn();
