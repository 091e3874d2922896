import { conversationPage } from '$lib/api/conversations';
import type { ChatId, ConversationId, Message, StreamEntry, SummarisedConversation } from '$lib/api/types';
import { field } from '$lib/format/events';
import { Again } from './again';
import { connection } from './connection.svelte';
import { chatOf, isOfAnalysis, listen } from './told';
import { Turns } from './turns';

/** In a flood what is shown is read once in this time. */
const AGAIN_MS = 700;
/** A sealed conversation is queued a moment after its seal is told; it is looked for once more after this time. */
const QUEUED_MS = 3000;
/** Pages that are read for one stretch of messages: as many conversations as a window holds messages. */
const PAGES_MAX = 20;

/** Between two times, in milliseconds. */
interface Stretch {
  from: number;
  to: number;
}

/** The conversations of the stretch of a chat that is shown. */
export class Seals {
  /** By id. Replaced, never changed in place. */
  conversations = $state.raw<ReadonlyMap<ConversationId, SummarisedConversation>>(new Map());
  /** Those that are opened up. Replaced, never changed in place. */
  unfolded = $state.raw<ReadonlySet<ConversationId>>(new Set());
  /** Conversations of this stretch have been read. */
  #covered: Stretch | null = null;
  #shown: Stretch | null = null;
  #reading = false;
  readonly #turns = new Turns();
  readonly #again = new Again(() => this.#readShown(), AGAIN_MS);
  readonly #later = new Again(() => this.#readShown(), QUEUED_MS);

  constructor(private readonly chat: ChatId) {}

  /** Reads what is shown again when the bus tells of it, as long as a view shows it; the answer ends it. */
  follow(): () => void {
    const close = listen({
      told: (entries) => this.#told(entries),
      missed: () => this.#again.soon(),
    });
    return () => {
      close();
      this.#again.stop();
      this.#later.stop();
    };
  }

  /** Reads the conversations of these messages, the oldest first, as far as that has not been done. */
  need(messages: readonly Message[]): void {
    const [first, last] = [messages[0], messages.at(-1)];
    if (!first || !last) return;
    this.#shown = { from: Date.parse(first.timestamp), to: Date.parse(last.timestamp) };
    if (!this.#reading) void this.#readNeeded();
  }

  /** Opens up what is known of a conversation, or folds it. */
  toggle(id: ConversationId): void {
    const unfolded = new Set(this.unfolded);
    if (!unfolded.delete(id)) unfolded.add(id);
    this.unfolded = unfolded;
  }

  #told(entries: readonly StreamEntry[]): void {
    const ours = entries.filter((entry) => (chatOf(entry) ?? this.chat) === this.chat);
    const sealed = ours.some((entry) => field(entry, 'type') === 'conversation_sealed');
    if (sealed) this.#later.soon();
    if (sealed || ours.some(isOfAnalysis)) this.#again.soon();
  }

  /** What is shown may have become another stretch meanwhile. */
  async #readNeeded(): Promise<void> {
    this.#reading = true;
    for (;;) {
      const { from, to } = this.#shown ?? { from: Infinity, to: -Infinity };
      const covered = this.#covered;
      if (from > to || (covered && covered.from <= from && covered.to >= to)) break;
      if (!(await this.#read({ from, to }))) break;
    }
    this.#reading = false;
  }

  async #readShown(): Promise<void> {
    if (this.#shown) await this.#read(this.#shown);
  }

  /** Reads pages back from the end of a stretch until its beginning. Whether that could be done. */
  #read(stretch: Stretch): Promise<boolean> {
    return this.#turns.take(() => this.#readPages(stretch));
  }

  async #readPages(stretch: Stretch): Promise<boolean> {
    const read = new Map<ConversationId, SummarisedConversation>();
    // Those that begin with the last message too.
    let before: string | null = new Date(stretch.to + 1).toISOString();
    try {
      for (let pages = 0; before !== null && pages < PAGES_MAX; pages++) {
        const page = await conversationPage(this.chat, before);
        page.conversations.forEach((one) => read.set(one.id, one));
        before = page.next;
        if (before !== null && Date.parse(before) <= stretch.from) break;
      }
    } catch (error) {
      // Messages are shown without rules; the next change asks again.
      connection.noticed(error);
      return false;
    }
    // One that was not among them any more has become part of another.
    const floor = before === null ? -Infinity : Date.parse(before);
    const kept = [...this.conversations].filter(([, { first_message_time }]) => {
      const from = Date.parse(first_message_time);
      return from < floor || from > stretch.to;
    });
    this.conversations = new Map([...kept, ...read]);
    this.#cover({ from: before === null ? -Infinity : stretch.from, to: stretch.to });
    return true;
  }

  /** Joins what was read to what was known, where they touch. */
  #cover({ from, to }: Stretch): void {
    const known = this.#covered;
    const touches = known && from <= known.to && to >= known.from;
    this.#covered = touches ? { from: Math.min(from, known.from), to: Math.max(to, known.to) } : { from, to };
  }
}
