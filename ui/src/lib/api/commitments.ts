import { request, send } from './http';
import type { ChatId, CommitmentPage, ListedCommitment } from './types';

/** Commitments in one page: the most the server gives. */
const PAGE = 1000;

/** What a user says of a commitment; null takes it back. */
export type Decision = 'done' | 'dismissed' | null;

/** A page of commitments: what is due first, then what has no date; of one chat, if one is given. */
export function commitmentPage(offset = 0, chat?: ChatId): Promise<CommitmentPage> {
  return request('/api/commitments', { query: { offset, limit: PAGE, chat_id: chat } });
}

export function decide({ chat_id, id }: ListedCommitment, decision: Decision): Promise<ListedCommitment> {
  return send('POST', `/api/commitments/${chat_id}/${encodeURIComponent(id)}/decision`, { decision });
}
