import { commitmentPages } from '$lib/api/commitments';
import type { ChatId, ListedCommitment, MessageId } from '$lib/api/types';
import { field } from '$lib/format/events';
import { Again } from './again';
import { connection } from './connection.svelte';
import { chatOf, listen } from './told';

/** In a flood they are read once in this time. */
const AGAIN_MS = 700;
/** Pages that are read at most: ten thousand commitments of one chat. */
const PAGES_MAX = 10;

/** Promises and requests of one chat, by the messages that say them. */
export class Promised {
  /** In the order of the sentences. Without those the user does not want to see. Replaced, never changed in place. */
  byMessage = $state.raw<ReadonlyMap<MessageId, readonly ListedCommitment[]>>(new Map());
  readonly #again = new Again(() => this.#read(), AGAIN_MS);

  constructor(private readonly chat: ChatId) {}

  /** Reads them, and again whenever one is found or changes, for as long as a view shows them; the answer ends it. */
  follow(): () => void {
    void this.#again.now();
    const close = listen({
      told: (entries) => {
        const ours = entries.filter((entry) => chatOf(entry) === this.chat);
        if (ours.some((entry) => field(entry, 'type')?.startsWith('commitment_'))) this.#again.soon();
      },
      missed: () => this.#again.soon(),
    });
    return () => {
      close();
      this.#again.stop();
    };
  }

  async #read(): Promise<void> {
    try {
      const { found } = await commitmentPages(PAGES_MAX, { chat_id: this.chat });
      this.byMessage = byMessage(found);
    } catch (error) {
      // Messages are shown without marks; the next event asks again.
      connection.noticed(error);
    }
  }
}

function byMessage(list: readonly ListedCommitment[]): Map<MessageId, ListedCommitment[]> {
  const found = new Map<MessageId, ListedCommitment[]>();
  for (const one of list) {
    if (one.status === 'dismissed') continue;
    const others = found.get(one.message_id);
    if (others) others.push(one);
    else found.set(one.message_id, [one]);
  }
  for (const members of found.values()) members.sort((a, b) => sentence(a) - sentence(b));
  return found;
}

/** An id is the message's, and the number of the sentence in it. */
function sentence({ id }: ListedCommitment): number {
  return Number(id.split(':').at(-1));
}
