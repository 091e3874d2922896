import { conversationPage } from '$lib/api/conversations';
import type { ChatId, ConversationId, Message, SummarisedConversation } from '$lib/api/types';
import { connection } from './connection.svelte';

/** Analysis follows a seal by seconds: what is not known yet is asked for this often. */
const AGAIN_MS = 4000;
/** Pages that are read for one stretch of messages: as many conversations as a window holds messages. */
const PAGES_MAX = 20;

/** The conversations of the stretch of a chat that is shown. */
export class Seals {
  /** By id. Replaced, never changed in place. */
  conversations = $state.raw<ReadonlyMap<ConversationId, SummarisedConversation>>(new Map());
  /** Conversations between these times (milliseconds) have been read. */
  #covered: { from: number; to: number } | null = null;
  #last = '';
  #timer: ReturnType<typeof setInterval> | undefined;
  #reading = false;

  constructor(private readonly chat: ChatId) {}

  /** Asks again for what is not analysed yet, as long as a view shows it; the answer ends it. */
  follow(): () => void {
    this.#timer = setInterval(() => {
      const unknown = [...this.conversations.values()].some(({ summary }) => !summary);
      if (!document.hidden && this.#last && unknown) void this.#read(this.#last, Infinity);
    }, AGAIN_MS);
    return () => clearInterval(this.#timer);
  }

  /** Reads the conversations of these messages, the oldest first, as far as that has not been done. */
  need(messages: readonly Message[]): void {
    const [first, last] = [messages[0], messages.at(-1)];
    if (!first || !last || this.#reading) return;
    const [from, to] = [Date.parse(first.timestamp), Date.parse(last.timestamp)];
    this.#last = last.timestamp;
    if (this.#covered && this.#covered.from <= from && this.#covered.to >= to) return;
    void this.#read(last.timestamp, from);
  }

  /** Reads pages back from the end of a stretch until its beginning, or one page if that is all that is wanted. */
  async #read(end: string, from: number): Promise<void> {
    this.#reading = true;
    const found = new Map(this.conversations);
    // Those that begin with the last message too.
    let before: string | null = new Date(Date.parse(end) + 1).toISOString();
    try {
      for (let pages = 0; before !== null && pages < PAGES_MAX; pages++) {
        const page = await conversationPage(this.chat, before);
        page.conversations.forEach((one) => found.set(one.id, one));
        before = page.next;
        if (before !== null && Date.parse(before) <= from) break;
        if (from === Infinity) break;
      }
      this.conversations = found;
      if (from !== Infinity) this.#cover(before === null ? -Infinity : from, Date.parse(end));
    } catch (error) {
      // Messages are shown without rules; the next change asks again.
      connection.noticed(error);
    } finally {
      this.#reading = false;
    }
  }

  /** Joins what was read to what was known, where they touch. */
  #cover(from: number, to: number): void {
    const known = this.#covered;
    const touches = known && from <= known.to && to >= known.from;
    this.#covered = touches ? { from: Math.min(from, known.from), to: Math.max(to, known.to) } : { from, to };
  }
}
