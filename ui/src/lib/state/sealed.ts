import type { Message, MessageId, SummarisedConversation } from '$lib/api/types';
import { moodTitle } from '$lib/format/analysis';
import { duration, plural } from '$lib/format/numbers';

/**
 * The messages that are the last of a sealed conversation, with it. A conversation whose end is not loaded has none.
 *
 * `messages` are the oldest first; `hasAfter` tells that more follow that are not loaded.
 */
export function sealedAfter(
  messages: readonly Message[],
  conversations: Iterable<SummarisedConversation>,
  hasAfter: boolean,
): Map<MessageId, SummarisedConversation> {
  const sorted = [...conversations]
    .map((one) => ({ one, from: Date.parse(one.first_message_time), to: Date.parse(one.last_message_time) }))
    .sort((a, b) => a.from - b.from);
  const found = new Map<MessageId, SummarisedConversation>();
  let at = 0;
  messages.forEach((message, i) => {
    const time = Date.parse(message.timestamp);
    while (at < sorted.length && (sorted[at]?.to ?? time) < time) at += 1;
    const here = sorted[at];
    if (!here || here.from > time || !here.one.sealed) return;
    const next = messages[i + 1];
    const isLast = next ? Date.parse(next.timestamp) > here.to : !hasAfter;
    if (isLast) found.set(message.id, here.one);
  });
  return found;
}

/** What is said of a sealed conversation: how long it was, how it felt and what it was about, as far as known. */
export function sealFacts(one: SummarisedConversation): string[] {
  const seconds = (Date.parse(one.last_message_time) - Date.parse(one.first_message_time)) / 1000;
  const facts = [plural(one.message_count, 'message')];
  if (seconds >= 60) facts.push(seconds < 3600 ? `${Math.round(seconds / 60)} min` : duration(seconds));
  if (!one.summary) return facts;
  const { mood, topics, commitments } = one.summary;
  if (mood !== null) facts.push(moodTitle(mood));
  if (commitments > 0) facts.push(plural(commitments, 'promise'));
  return topics.length > 0 ? [...facts, topics.join(', ')] : facts;
}
