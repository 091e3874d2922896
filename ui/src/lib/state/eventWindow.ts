import type { StreamEntry } from '$lib/api/types';
import { compareIds } from '$lib/format/events';

/** Rows in memory: half an hour of a busy run. Beyond it the far end is let go, and read again when it is scrolled to. */
export const WINDOW_MAX = 5000;
/** Entries that wait to be shown, while the view is paused or elsewhere. Of more only the number is kept. */
export const WAITING_MAX = 5000;

/** A row of the list: an entry, or a place where some are missing. */
export type EventRow = { key: number; entry: StreamEntry } | { key: number; gap: string };

/** What arrives: an entry, or word that some before the next one are missing. */
export type Arrival = StreamEntry | { gap: string };

/**
 * A stretch of a stream without holes, the oldest first, and behind it what waits to be shown.
 *
 * Where `hole` is set, entries lie between the two that are in neither.
 */
export class EventWindow {
  /** Replaced, never changed in place. */
  rows: readonly EventRow[] = [];
  /** How many have arrived and are not shown. */
  waitingCount = 0;
  hole = false;
  /** The newest id that was shown or waits; nothing up to it is taken again. */
  newest = '0-0';
  /** Set when rows were let go of at the start. */
  trimmed = false;
  #waiting: EventRow[] = [];
  #nextKey = 1;

  /** The oldest entry shown. */
  get first(): StreamEntry | undefined {
    const row = this.rows.find((one) => 'entry' in one);
    return row && 'entry' in row ? row.entry : undefined;
  }

  /** The newest entry shown. */
  get last(): StreamEntry | undefined {
    const row = this.rows.findLast((one) => 'entry' in one);
    return row && 'entry' in row ? row.entry : undefined;
  }

  /** Starts anew at a stretch. `end` is the highest id that was looked at. */
  reset(entries: readonly StreamEntry[], end: string): void {
    this.rows = entries.map((entry) => this.#row(entry));
    this.#waiting = [];
    this.waitingCount = 0;
    this.hole = false;
    this.newest = end;
  }

  /** Takes what has arrived: shows it, or lets it wait. Says how many were new. */
  arrive(arrivals: readonly Arrival[], show: boolean): number {
    const rows: EventRow[] = [];
    for (const arrival of arrivals) this.#take(arrival, rows);
    const count = entriesOf(rows).length;
    if (show && !this.hole && this.#waiting.length === 0) {
      this.#append(rows);
      this.trimStart();
    } else {
      this.waitingCount += count;
      this.#wait(rows);
    }
    return count;
  }

  /** Shows what waits. Not across a hole: there the answer is false, and the end must be read anew. */
  release(): boolean {
    if (this.hole) return false;
    this.#append(this.#waiting);
    this.trimStart();
    this.#waiting = [];
    this.waitingCount = 0;
    return true;
  }

  /** Takes note that entries after those shown went by and were not taken. */
  lose(newest: string): void {
    this.#waiting = [];
    this.hole = true;
    this.newest = newest;
  }

  /** Puts older entries in front, the oldest first; lets go of the end where it becomes too much. */
  prepend(entries: readonly StreamEntry[]): void {
    this.rows = [...entries.map((entry) => this.#row(entry)), ...this.rows];
    if (this.rows.length <= WINDOW_MAX) return;
    this.rows = this.rows.slice(0, WINDOW_MAX);
    this.hole = true;
  }

  /** Lets go of the oldest where there are too many. */
  trimStart(): void {
    if (this.rows.length <= WINDOW_MAX) return;
    this.rows = this.rows.slice(-WINDOW_MAX);
    this.trimmed = true;
  }

  /**
   * Puts entries into the hole, the oldest first. Once they meet what waits, or are the stream's last (`atEnd`), the hole
   * is closed. The start is not trimmed: the view must first be told that rows came at the end.
   */
  fill(entries: readonly StreamEntry[], atEnd: boolean): void {
    const [waiting] = entriesOf(this.#waiting);
    const before = waiting ? entries.filter(({ id }) => compareIds(id, waiting.id) < 0) : entries;
    this.#append(before.map((entry) => this.#row(entry)));
    const last = entries.at(-1);
    if (last && compareIds(last.id, this.newest) > 0) this.newest = last.id;
    const met = before.length < entries.length;
    // While the end was read, as many may have arrived as to push some out unseen.
    const complete = atEnd && this.#waiting.length < WAITING_MAX;
    if (met || complete) this.hole = false;
  }

  #take(arrival: Arrival, rows: EventRow[]): void {
    if ('gap' in arrival) {
      const before = rows.at(-1) ?? this.#waiting.at(-1) ?? this.rows.at(-1);
      // Ids may begin anew behind it, in a stream that was made again.
      this.newest = '0-0';
      if (!before || !('gap' in before)) rows.push({ key: this.#nextKey++, gap: arrival.gap });
    } else if (compareIds(arrival.id, this.newest) > 0) {
      this.newest = arrival.id;
      rows.push(this.#row(arrival));
    }
  }

  #wait(rows: readonly EventRow[]): void {
    this.#waiting.push(...rows);
    const over = this.#waiting.length - WAITING_MAX;
    if (over <= 0) return;
    this.#waiting.splice(0, over);
    this.hole = true;
  }

  #append(rows: readonly EventRow[]): void {
    this.rows = [...this.rows, ...rows];
  }

  #row(entry: StreamEntry): EventRow {
    return { key: this.#nextKey++, entry };
  }
}

/** The entries among rows. */
export function entriesOf(rows: readonly EventRow[]): StreamEntry[] {
  return rows.flatMap((row) => ('entry' in row ? [row.entry] : []));
}
