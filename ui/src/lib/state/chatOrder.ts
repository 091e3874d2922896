import type { Chat, ChatId } from '$lib/api/types';
import { LOCALE } from '$lib/format/locale';
import type { ChatSort } from './chats.svelte';

/** What a chat list shows. */
export interface ChatFilter {
  /** Part of a title or of a person's name. */
  query: string;
  /** Only this source; all if empty. */
  source: string;
  sort: ChatSort;
  pinned: readonly ChatId[];
}

const collator = new Intl.Collator(LOCALE, { sensitivity: 'base', numeric: true });

/** The chats to show, in order: the pinned first. */
export function arrange(chats: Iterable<Chat>, { query, source, sort, pinned }: ChatFilter): Chat[] {
  const wanted = fold(query.trim());
  const shown = [...chats].filter((chat) => (!source || chat.source === source) && matches(chat, wanted));
  const pins = new Set(pinned);
  const order = ORDERS[sort];
  return shown.sort((a, b) => Number(pins.has(b.id)) - Number(pins.has(a.id)) || order(a, b));
}

/** The sources that occur, by name. */
export function sourcesOf(chats: Iterable<Chat>): string[] {
  return [...new Set([...chats].map(({ source }) => source))].sort();
}

const ORDERS: Record<ChatSort, (a: Chat, b: Chat) => number> = {
  recent: (a, b) => instant(b) - instant(a) || b.id - a.id,
  name: (a, b) => collator.compare(a.title, b.title) || a.id - b.id,
  size: (a, b) => b.message_count - a.message_count || a.id - b.id,
};

function instant({ last_message_time }: Chat): number {
  return last_message_time ? Date.parse(last_message_time) : -Infinity;
}

function matches({ title, participants }: Chat, wanted: string): boolean {
  if (!wanted) return true;
  return fold(title).includes(wanted) || participants.some(({ name }) => fold(name).includes(wanted));
}

/** Without case and accents: "jose" finds "José". */
export function fold(text: string): string {
  return text.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase();
}
