import { request, send } from './http';
import type { ChatId, CommitmentPage, ListedCommitment } from './types';

/** Commitments in one page: the most the server gives. */
const PAGE = 1000;

/** What a user says of a commitment; null takes it back. */
export type Decision = 'done' | 'dismissed' | null;

/** Which commitments: of one chat, one's own or those of others. */
export interface Whose {
  chat_id?: ChatId;
  mine?: boolean;
}

/** The latest first, by when they are due or else were said: so many pages at most, and whether there are more. */
export async function commitmentPages(pagesMax: number, whose: Whose) {
  const found: ListedCommitment[] = [];
  let next: number | null = 0;
  for (let pages = 0; next !== null && pages < pagesMax; pages++) {
    const query = { ...whose, offset: next, limit: PAGE };
    const page: CommitmentPage = await request('/api/commitments', { query });
    found.push(...page.commitments);
    next = page.next;
  }
  return { found, hasMore: next !== null };
}

export function decide({ chat_id, id }: ListedCommitment, decision: Decision): Promise<ListedCommitment> {
  return send('POST', `/api/commitments/${chat_id}/${encodeURIComponent(id)}/decision`, { decision });
}
