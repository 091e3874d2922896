import { messagePage } from '$lib/api/chats';
import type { ChatId, Message, MessageId } from '$lib/api/types';

/** Messages that replies quote and that are not loaded themselves, fetched one by one as they come into view. */
export class Quotes {
  #found = $state.raw<ReadonlyMap<MessageId, Message | null>>(new Map());
  #asked = new Set<MessageId>();

  constructor(private readonly chat: ChatId) {}

  /** The message; null if there is none of that id, undefined until that is known. */
  get(id: MessageId): Message | null | undefined {
    return this.#found.get(id);
  }

  /** Fetches a message, once. */
  want(id: MessageId): void {
    if (this.#asked.has(id)) return;
    this.#asked.add(id);
    void messagePage(this.chat, { around: id }, 1)
      .then(({ messages }) => messages.find((message) => message.id === id) ?? null)
      // Unreachable or gone: the quote stays without its text.
      .catch(() => null)
      .then((message) => {
        this.#found = new Map(this.#found).set(id, message);
      });
  }
}
