import type { Message, MessageId } from '$lib/api/types';

/** The order of a chat: by time, then by id. */
export function compare(a: Message, b: Message): number {
  // Without the Z, text sorts as time does: a time without decimals is then a prefix of those in the same second.
  const [x, y] = [a.timestamp.slice(0, -1), b.timestamp.slice(0, -1)];
  if (x !== y) return x < y ? -1 : 1;
  return a.id - b.id;
}

/** A stretch of a chat without holes, and whether there is more beyond its ends. */
export interface Stretch {
  messages: readonly Message[];
  hasBefore: boolean;
  hasAfter: boolean;
}

/**
 * Gives people the names that come with messages read later, of which the last count: whoever was renamed was so
 * everywhere, but only what is new or changed comes again.
 */
export function renamed(messages: readonly Message[], later: readonly Message[]): readonly Message[] {
  const names = new Map(later.map(({ sender_id, sender }) => [sender_id, sender]));
  const isOld = ({ sender_id, sender }: Message) =>
    sender_id !== null && names.has(sender_id) && names.get(sender_id) !== sender;
  if (!messages.some(isOld)) return messages;
  return messages.map((message) =>
    isOld(message) ? { ...message, sender: names.get(message.sender_id) ?? null } : message,
  );
}

/**
 * Takes in messages that are new or changed, wherever they belong.
 *
 * What belongs beyond an end behind which there is more is left for when that part is loaded: taking it in would leave a
 * hole before it.
 */
export function merge(stretch: Stretch, incoming: readonly Message[]): readonly Message[] {
  const { hasBefore, hasAfter } = stretch;
  const messages = renamed(stretch.messages, incoming);
  const changed = new Map<MessageId, Message>(incoming.map((message) => [message.id, message]));
  const kept = messages.filter(({ id }) => !changed.has(id));
  const [oldest, newest] = [messages[0], messages.at(-1)];
  const added = [...changed.values()].filter((message) => {
    if (hasBefore && oldest && compare(message, oldest) < 0) return false;
    return !(hasAfter && newest && compare(message, newest) > 0);
  });
  added.sort(compare);
  return mergeSorted(kept, added);
}

function mergeSorted(a: readonly Message[], b: readonly Message[]): Message[] {
  const last = a.at(-1);
  if (!last || !b[0] || compare(last, b[0]) < 0) return [...a, ...b];
  const out: Message[] = [];
  let j = 0;
  for (const message of a) {
    for (let next = b[j]; next && compare(next, message) < 0; next = b[j]) {
      out.push(next);
      j += 1;
    }
    out.push(message);
  }
  return [...out, ...b.slice(j)];
}
