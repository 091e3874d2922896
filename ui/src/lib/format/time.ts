import { LOCALE } from './locale';

const clockFormat = new Intl.DateTimeFormat(LOCALE, { hour: '2-digit', minute: '2-digit' });
const secondsFormat = new Intl.DateTimeFormat(LOCALE, { timeStyle: 'medium' });
const weekdayShort = new Intl.DateTimeFormat(LOCALE, { weekday: 'short' });
const weekdayLong = new Intl.DateTimeFormat(LOCALE, { weekday: 'long' });
const dayMonth = new Intl.DateTimeFormat(LOCALE, { day: 'numeric', month: 'short' });
const shortDate = new Intl.DateTimeFormat(LOCALE, { day: '2-digit', month: '2-digit', year: 'numeric' });
const longDate = new Intl.DateTimeFormat(LOCALE, { day: 'numeric', month: 'long', year: 'numeric' });
const fullFormat = new Intl.DateTimeFormat(LOCALE, { dateStyle: 'full', timeStyle: 'medium' });
const dateTimeFormat = new Intl.DateTimeFormat(LOCALE, { dateStyle: 'medium', timeStyle: 'short' });

const DAY_MS = 86_400_000;

/** `14:05`, in the machine's time zone. */
export function clock(iso: string): string {
  return clockFormat.format(new Date(iso));
}

/** `14:05:09`, in the machine's time zone. */
export function clockSeconds(at: number): string {
  return secondsFormat.format(at);
}

/** Weekday, date and time in full, for tooltips. */
export function full(iso: string): string {
  return fullFormat.format(new Date(iso));
}

/** `3 Jan 2024, 14:05`. */
export function dateTime(iso: string): string {
  return dateTimeFormat.format(new Date(iso));
}

/** The local day as `2024-01-31`: what a date field holds, and what tells two days apart. */
export function dayKey(iso: string): string {
  const date = new Date(iso);
  const pad = (n: number) => String(n).padStart(2, '0');
  return `${String(date.getFullYear()).padStart(4, '0')}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`;
}

/** The start of a local day given as `2024-01-31`, as an ISO time in UTC; null for what is not a day. */
export function startOfDay(day: string): string | null {
  const parts = /^(\d{4})-(\d{2})-(\d{2})$/.exec(day);
  if (!parts) return null;
  const date = new Date(Number(parts[1]), Number(parts[2]) - 1, Number(parts[3]));
  return Number.isNaN(date.getTime()) ? null : date.toISOString();
}

/** `Today`, `Yesterday`, `Tuesday` within the last week, else `31 January 2024`. */
export function dayLabel(iso: string, now: Date): string {
  const days = daysAgo(iso, now);
  if (days === 0) return 'Today';
  if (days === 1) return 'Yesterday';
  if (days > 1 && days < 7) return weekdayLong.format(new Date(iso));
  return longDate.format(new Date(iso));
}

/** For lists: the time today, the weekday within the last week, the day within this year, else the date. */
export function listTime(iso: string, now: Date): string {
  const date = new Date(iso);
  const days = daysAgo(iso, now);
  if (days === 0) return clockFormat.format(date);
  if (days === 1) return 'Yesterday';
  if (days > 1 && days < 7) return weekdayShort.format(date);
  return date.getFullYear() === now.getFullYear() ? dayMonth.format(date) : shortDate.format(date);
}

/** Midnights between a time and now; negative in the future. */
function daysAgo(iso: string, now: Date): number {
  const midnight = (date: Date) => new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime();
  // Rounded, for a day of a clock change has 23 or 25 hours.
  return Math.round((midnight(now) - midnight(new Date(iso))) / DAY_MS);
}
