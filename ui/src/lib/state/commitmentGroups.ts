import type { ListedCommitment } from '$lib/api/types';

/** Due within these days is soon: what one plans for. */
const SOON_DAYS = 7;
/** What was due or said longer ago is hardly what one still means to do: years of chats leave a lot of it behind. */
const OLD_DAYS = 60;
const DAY_MS = 86_400_000;

export type GroupName = 'overdue' | 'soon' | 'later' | 'undated' | 'old' | 'done' | 'dismissed';

export const GROUP_TITLES: Record<GroupName, string> = {
  overdue: 'Overdue',
  soon: 'Due soon',
  later: 'Later',
  undated: 'No date',
  old: 'Long ago',
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
export function groupOf({ status, due, said_at }: ListedCommitment, now: Date): GroupName {
  if (status === 'done' || status === 'dismissed') return status;
  const ahead = Date.parse(due ?? said_at) - now.getTime();
  if (ahead < -OLD_DAYS * DAY_MS) return 'old';
  if (due === null) return 'undated';
  if (status === 'overdue' || ahead < 0) return 'overdue';
  return ahead < SOON_DAYS * DAY_MS ? 'soon' : 'later';
}

/** The groups that are not empty: what is to be done by its date, what is long ago the latest first, the rest the newest. */
export function grouped(list: Iterable<ListedCommitment>, now: Date): Group[] {
  const groups = new Map<GroupName, ListedCommitment[]>(
    (Object.keys(GROUP_TITLES) as GroupName[]).map((name) => [name, []]),
  );
  for (const one of list) groups.get(groupOf(one, now))?.push(one);
  return [...groups]
    .filter(([, members]) => members.length > 0)
    .map(([name, members]) => ({ name, list: members.sort(ORDERS[name] ?? newestFirst) }));
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

const ORDERS: Partial<Record<GroupName, (a: ListedCommitment, b: ListedCommitment) => number>> = {
  overdue: byDue,
  soon: byDue,
  later: byDue,
  old: latestFirst,
};

function byDue(a: ListedCommitment, b: ListedCommitment): number {
  return (a.due ?? '').localeCompare(b.due ?? '') || a.id.localeCompare(b.id);
}

function latestFirst(a: ListedCommitment, b: ListedCommitment): number {
  return (b.due ?? b.said_at).localeCompare(a.due ?? a.said_at) || b.id.localeCompare(a.id);
}

function newestFirst(a: ListedCommitment, b: ListedCommitment): number {
  return b.said_at.localeCompare(a.said_at) || b.id.localeCompare(a.id);
}
