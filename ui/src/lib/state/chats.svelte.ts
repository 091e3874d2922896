import { listChats } from '$lib/api/chats';
import type { Chat, ChatId, ChatUpdate, ChatsInitial } from '$lib/api/types';
import { Collection } from './collection.svelte';
import { Stored } from './stored.svelte';

export type ChatSort = 'recent' | 'name' | 'size';

/** All chats, kept current by the chats stream. */
export const chats = new Collection<Chat, ChatUpdate>({
  topic: 'chats',
  load: listChats,
  initial: (data) => (data as ChatsInitial).chats,
  update: ({ chat_id, ...fields }) => ({ id: chat_id, ...fields }),
});

/** How the list is shown, remembered by this browser. */
export const chatSort = new Stored<ChatSort>('chat-sort', 'recent');
/** Only this source; all if empty. */
export const chatSource = new Stored('chat-source', '');
/** Chats kept at the top. */
export const pinned = new Stored<ChatId[]>('pinned', []);

export function togglePin(id: ChatId): void {
  pinned.value = pinned.value.includes(id)
    ? pinned.value.filter((other) => other !== id)
    : [...pinned.value, id];
}

/** A chat's title; its number while the list is not there yet. */
export function chatTitle(id: ChatId): string {
  return chats.items.get(id)?.title ?? `Chat ${id}`;
}
