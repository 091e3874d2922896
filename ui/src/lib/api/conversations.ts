import { request } from './http';
import type { ChatId, ConversationsNow, SummarisedPage } from './types';

/** Conversations in one page. */
export const CONVERSATION_PAGE = 100;

/** A chat's conversations that begin before a time, the newest first, and what was found in them. */
export function conversationPage(chat: ChatId, before: string): Promise<SummarisedPage> {
  return request(`/api/chats/${chat}/conversations`, { query: { before, limit: CONVERSATION_PAGE } });
}

/** The chats in which something goes on. */
export function conversationsNow(): Promise<ConversationsNow> {
  return request('/api/conversations/now');
}

/** Tells that the user looks at a chat: what waits for analysis in it goes first. */
export function lookAt(chat: ChatId): Promise<void> {
  return request(`/api/chats/${chat}/look`, { method: 'POST' });
}
