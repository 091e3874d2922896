import { request } from './http';
import type { ChatId, MessageId, SearchPage } from './types';

/** What to look for. */
export interface SearchQuery {
  q: string;
  /** Only in this chat. */
  chat?: ChatId;
  /** Only hits older than this one: the last of the page before. */
  before?: MessageId;
  /** Hits in the answer. */
  limit?: number;
  signal?: AbortSignal;
}

/** Finds messages by their words, the newest first. */
export function searchMessages({ q, chat, before, limit = 50, signal }: SearchQuery): Promise<SearchPage> {
  return request('/api/search', { query: { q, chat_id: chat, before, limit }, signal });
}
