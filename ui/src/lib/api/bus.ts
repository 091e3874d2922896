import { request, type Query } from './http';
import type { BusStatus, EntryPage, StreamReach } from './types';

/** Entries in one page: some ten screens. */
export const ENTRY_PAGE = 200;

/** Which entries of a stream are wanted; all where a field is empty. */
export interface EntryFilter {
  scope: string;
  type: string;
  run: string;
}

/** A page's place: the newest entries of all, those before an id or up to it, or the oldest after one. */
export type EntryAnchor = 'end' | { before: string } | { upTo: string } | { after: string };

/** How the event bus fares. */
export function getBus(): Promise<BusStatus> {
  return request('/api/bus');
}

/** How long a stream is, and how far back it reaches. */
export function streamReach(stream: string): Promise<StreamReach> {
  return request(streamPath(stream));
}

/**
 * One page of a stream, the newest first but after an id the oldest first.
 *
 * The server looks at a bounded number of entries for one answer: under a filter a page may be short, or empty, and its
 * `next` still says where to go on.
 */
export function entryPage(
  stream: string,
  filter: EntryFilter,
  anchor: EntryAnchor,
  count = ENTRY_PAGE,
): Promise<EntryPage> {
  const { scope, type, run: run_id } = filter;
  return request(`${streamPath(stream)}/entries`, {
    query: { count, scope, type, run_id, ...range(anchor) },
  });
}

function range(anchor: EntryAnchor): Query {
  if (anchor === 'end') return { reverse: 'true' };
  if ('before' in anchor) return { reverse: 'true', to: `(${anchor.before}` };
  if ('upTo' in anchor) return { reverse: 'true', to: anchor.upTo };
  return { from: `(${anchor.after}` };
}

function streamPath(stream: string): string {
  return `/api/bus/streams/${encodeURIComponent(stream)}`;
}
