import { request } from './http';
import type { Chat, ChatId, ChatsInitial, MessageId, MessagePage } from './types';

/** Messages in one page: some ten screens, below 100 KB. */
export const PAGE_SIZE = 200;

/** Where a page of messages lies. Without any, it is the newest page. */
export type PageAnchor =
  | { before: MessageId }
  | { after: MessageId }
  | { around: MessageId }
  /** The first message at or after this time (ISO 8601) stands in its middle. */
  | { at: string }
  | Record<never, never>;

/** All chats, the most recent first. */
export async function listChats(): Promise<Chat[]> {
  return (await request<ChatsInitial>('/api/chats')).chats;
}

/** One page of a chat's messages, the oldest first. */
export function messagePage(chat: ChatId, anchor: PageAnchor = {}, limit = PAGE_SIZE): Promise<MessagePage> {
  return request(`/api/chats/${chat}/messages`, { query: { limit, ...anchor } });
}
