import type { ListedCommitment } from '$lib/api/types';

/** Due within these days is soon: what one plans for. */
const SOON_DAYS = 7;
const DAY_MS = 86_400_000;

export type GroupName = 'overdue' | 'soon' | 'later' | 'undated' | 'done' | 'dismissed';

export const GROUP_TITLES: Record<GroupName, string> = {
  overdue: 'Overdue',
  soon: 'Due soon',
  later: 'Later',
  undated: 'No date',
  done: 'Done',
  dismissed: 'Dismissed',
};

/** Commitments that stand together. */
export interface Group {
  name: GroupName;
  list: ListedCommitment[];
}

/** What tells a commitment from all others. */
export function commitmentKey({ chat_id, id }: Pick<ListedCommitment, 'chat_id' | 'id'>): string {
  return `${chat_id}/${id}`;
}

/** The address at which a commitment is shown among all. */
export function commitmentPath(one: ListedCommitment): string {
  const shown = `show=${encodeURIComponent(commitmentKey(one))}`;
  return `/commitments?${one.mine ? '' : 'whose=theirs&'}${shown}`;
}

/** Where a commitment stands now. */
export function groupOf({ status, due }: ListedCommitment, now: Date): GroupName {
  if (status === 'done' || status === 'dismissed') return status;
  if (due === null) return 'undated';
  const ahead = Date.parse(due) - now.getTime();
  if (status === 'overdue' || ahead < 0) return 'overdue';
  return ahead < SOON_DAYS * DAY_MS ? 'soon' : 'later';
}

/** The groups that are not empty: what has a date by it, the rest the newest first. */
export function grouped(list: Iterable<ListedCommitment>, now: Date): Group[] {
  const groups = new Map<GroupName, ListedCommitment[]>(
    (Object.keys(GROUP_TITLES) as GroupName[]).map((name) => [name, []]),
  );
  for (const one of list) groups.get(groupOf(one, now))?.push(one);
  return [...groups]
    .filter(([, members]) => members.length > 0)
    .map(([name, members]) => ({ name, list: members.sort(isDated(name) ? byDue : newestFirst) }));
}

/** `Today`, `Tomorrow`, `In 3 days`, `5 days late`: a date from now, by the calendar's days. */
export function dueLabel(due: string, now: Date): string {
  const midnight = (date: Date) => new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime();
  const days = Math.round((midnight(new Date(due)) - midnight(now)) / DAY_MS);
  if (days === 0) return Date.parse(due) < now.getTime() ? 'Earlier today' : 'Today';
  if (days === 1) return 'Tomorrow';
  if (days === -1) return 'Yesterday';
  if (days > 1) return days < 60 ? `In ${days} days` : `In ${Math.round(days / 30)} months`;
  if (days > -60) return `${-days} days late`;
  return days > -730 ? `${Math.round(-days / 30)} months late` : `${Math.floor(-days / 365)} years late`;
}

function isDated(name: GroupName): boolean {
  return name === 'overdue' || name === 'soon' || name === 'later';
}

function byDue(a: ListedCommitment, b: ListedCommitment): number {
  return (a.due ?? '').localeCompare(b.due ?? '') || a.id.localeCompare(b.id);
}

function newestFirst(a: ListedCommitment, b: ListedCommitment): number {
  return b.said_at.localeCompare(a.said_at) || b.id.localeCompare(a.id);
}
