import { ENTRY_PAGE, entryPage, streamReach, type EntryAnchor, type EntryFilter } from '$lib/api/bus';
import { busTopic, subscribe, type BusFrame, type StreamEvent, type TopicState } from '$lib/api/live/client';
import type { EntryPage, StreamEntry, StreamError, StreamReach } from '$lib/api/types';
import { compareIds, readFrame, wanted } from '$lib/format/events';
import { busAway } from './bus.svelte';
import { nextFrame } from './collection.svelte';
import { connection } from './connection.svelte';
import { EventWindow, WAITING_MAX, WINDOW_MAX, type Arrival, type EventRow } from './eventWindow';

/** What is shown of the bus. */
export interface EventSelection extends EntryFilter {
  stream: string;
}

/** Entries of a page when catching up, where many may have come. */
const CATCH_UP_PAGE = 1000;
/** Where more has come while nobody listened, the end is read anew. */
const CATCH_UP_PAGES_MAX = WAITING_MAX / CATCH_UP_PAGE;
/** Without a stream of its own (all connections are taken) the view asks this often. */
const ASK_MS = 2000;
/** A filtered list that is shorter looks further back by itself: it has nothing to scroll. */
const ENOUGH = 60;
/** Entries held back while something is read; more than can be shown or wait would be of no use. */
const BUFFER_MAX = 2 * WAITING_MAX;
/** What is said where the log does not reach back to what was seen last. */
const TRIMMED = 'The log has let go of them.';

/** The end of one stream as a list shows it: live, or paused, and as far back as it is scrolled. */
export class EventTail {
  rows = $state.raw<readonly EventRow[]>([]);
  hasBefore = $state(false);
  /** Entries lie behind the last one shown that are not loaded. */
  hasAfter = $state(false);
  loaded = $state(false);
  error = $state.raw<Error | null>(null);
  phase = $state<TopicState['phase']>('connecting');
  paused = $state(false);
  /** How many wait while the view is paused, or shows another part of the log. */
  waiting = $state(0);
  /** More wait than were counted. */
  waitingMore = $state(false);
  /** How many have come since the end was last in sight. */
  unseen = $state(0);
  /** The oldest id that was looked at, while more is looked for; null when not. */
  searching = $state<string | null>(null);
  /** Whether the last change added or removed rows at the start. */
  shift = $state(false);
  /** Set anew whenever the view is to go to the end. */
  toEndNow = $state.raw<object | null>(null);

  #window = new EventWindow();
  #buffer: Arrival[] = [];
  #overflowed = false;
  #pausedAt: string | null;
  #older: string | null = null;
  #generation = 0;
  #reading = 0;
  #paging = false;
  #atEnd = true;
  #joined = false;
  #close: (() => void) | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;

  /** `pausedAt` is the newest entry to show, where the view is paused from the beginning. */
  constructor(
    readonly selection: EventSelection,
    pausedAt: string | null,
  ) {
    this.#pausedAt = pausedAt;
    this.paused = pausedAt !== null;
  }

  /** Begins to read and to listen. Call {@link close} when the view goes. */
  open(): void {
    void this.reload();
    this.#close = subscribe(busTopic(this.selection), {
      event: (name, data) => this.#hear(name, data),
      state: (state) => this.#stateChanged(state),
    });
  }

  close(): void {
    this.#generation += 1;
    this.#close?.();
    clearInterval(this.#timer);
  }

  /** Reads everything again. */
  reload(): Promise<void> {
    return this.#load(this.#pausedAt === null ? 'end' : { upTo: this.#pausedAt });
  }

  /** Holds what is shown; what comes is counted and waits. The answer is the newest id shown or passed over. */
  pause(): string {
    this.#flush();
    this.paused = true;
    this.#pausedAt = this.#window.last?.id ?? this.#window.newest;
    return this.#pausedAt;
  }

  async resume(): Promise<void> {
    this.paused = false;
    this.#pausedAt = null;
    await this.toEnd();
  }

  /** Goes to the newest entry. */
  async toEnd(): Promise<void> {
    if (this.paused && !this.hasAfter) this.toEndNow = {};
    else if (!this.paused && this.#window.release()) this.#arriveAtEnd();
    else await this.reload();
  }

  /** The view tells whether the end is in sight. */
  looking(atEnd: boolean): void {
    this.#atEnd = atEnd;
    if (!atEnd || this.hasAfter) return;
    this.unseen = 0;
    if (!this.paused && this.waiting > 0 && this.#window.release()) this.#sync(false);
  }

  async loadOlder(): Promise<void> {
    if (!this.loaded || this.#paging) return;
    await this.#page(async (current) => {
      while (this.#older && current()) {
        const page = await this.#ask({ before: this.#older });
        if (!current()) return;
        this.#older = page.next;
        this.searching = page.next;
        this.#window.prepend(page.entries.toReversed());
        this.#sync(true);
        if (page.entries.length > 0 && this.rows.length >= ENOUGH) return;
      }
    });
    this.searching = null;
  }

  /** Reads on behind the last entry shown, where that is not the end. */
  async loadNewer(): Promise<void> {
    const { last } = this.#window;
    if (!last || !this.hasAfter || this.#paging) return;
    await this.#page(async (current) => {
      const page = await this.#ask({ after: last.id });
      if (!current()) return;
      this.#window.fill(page.entries.filter(this.#notAfterPause), page.next === null);
      if (!this.paused) this.#window.release();
      this.#sync(false);
      nextFrame(() => this.#trimStart());
    });
  }

  #hear(name: StreamEvent, data: unknown): void {
    if (name === 'entries') this.#receive((data as BusFrame[]).map(readFrame));
    if (name !== 'error') return;
    const { code, message } = data as StreamError;
    if (code === 'gap') this.#receive([{ gap: message }]);
    if (code === 'bus_away') busAway.heard(message);
  }

  #stateChanged(state: TopicState): void {
    this.phase = state.phase;
    clearInterval(this.#timer);
    if (state.phase === 'live' && !this.loaded && this.#reading === 0) void this.reload();
    if (state.phase === 'waiting') this.#timer = setInterval(() => void this.#catchUp(), ASK_MS);
    if (state.phase !== 'live') return;
    // A stream that went on where it was brings what was missed itself.
    const rejoined = this.#joined && state.resumed;
    this.#joined = true;
    if (!rejoined && this.loaded) void this.#catchUp();
  }

  #receive(arrivals: Arrival[]): void {
    const kept = arrivals.filter((one) => 'gap' in one || wanted(one, this.selection));
    if (kept.length === 0) return;
    if (this.#buffer.length === 0) nextFrame(() => this.#flush());
    this.#buffer.push(...kept);
    const over = this.#buffer.length - BUFFER_MAX;
    if (over <= 0) return;
    this.#buffer.splice(0, over);
    this.#overflowed = true;
  }

  /** Takes in what has arrived since the last frame; while something is read, what came meanwhile comes after it. */
  #flush(): void {
    if (!this.loaded || this.#reading > 0 || this.#buffer.length === 0) return;
    const arrivals = this.#buffer;
    this.#buffer = [];
    if (this.#overflowed) this.#lose(this.#window.newest);
    else this.#take(arrivals);
    this.#overflowed = false;
  }

  #take(arrivals: readonly Arrival[]): void {
    // Out of sight of the end rows are added while there is room: letting go at the start would move what is read.
    const room = this.rows.length + arrivals.length <= WINDOW_MAX;
    const show = !this.paused && (this.#atEnd || room);
    const came = this.#window.arrive(arrivals, show);
    if (!this.#atEnd && !this.paused) this.unseen += came;
    this.#sync(false);
  }

  /** Reads a stretch and starts anew at it. */
  async #load(anchor: EntryAnchor): Promise<void> {
    this.#generation += 1;
    const joinedBefore = this.#joined;
    await this.#read(async (current) => {
      // The reach first: what comes between the two is in the page, or is heard of.
      const reach = await streamReach(this.selection.stream);
      const page = await this.#ask(anchor);
      if (!current()) return;
      const end = anchor !== 'end' && 'upTo' in anchor ? anchor.upTo : endOf(page, reach);
      this.#window.reset(page.entries.toReversed(), end);
      this.#older = page.next;
      this.waitingMore = false;
      this.loaded = true;
      this.#arriveAtEnd();
    });
    // What lies between what was read and what is heard.
    if (this.loaded && (this.paused || this.#joined !== joinedBefore)) await this.#catchUp();
    if (this.hasBefore && this.rows.length < ENOUGH) await this.loadOlder();
  }

  /** Reads what came while nobody listened. */
  async #catchUp(): Promise<void> {
    if (!this.loaded) return;
    await this.#read(async (current) => {
      const reach = await streamReach(this.selection.stream);
      if (!current()) return;
      if (isGone(this.#window.newest, reach)) this.#take([{ gap: TRIMMED }]);
      for (let pages = 0; pages < CATCH_UP_PAGES_MAX; pages++) {
        const page = await this.#ask({ after: this.#window.newest }, CATCH_UP_PAGE);
        if (!current()) return;
        this.#take(page.entries);
        if (page.next === null) return;
        this.#window.newest = page.next;
      }
      this.#lose(reach.newest_id);
    });
  }

  /** More went by than is worth reading: the end is read anew, at once or when the view is no longer paused. */
  #lose(newest: string): void {
    this.#window.lose(newest);
    this.waitingMore = this.paused;
    if (this.paused) this.#sync(false);
    else void this.#load('end');
  }

  /** Runs a reading; the stream waits for it. `current` says whether its answer is still wanted. */
  async #read(run: (current: () => boolean) => Promise<void>): Promise<void> {
    const generation = this.#generation;
    this.#reading += 1;
    try {
      await run(() => generation === this.#generation);
    } catch (error) {
      connection.noticed(error);
      if (!this.loaded && generation === this.#generation) this.error = error as Error;
    } finally {
      this.#reading -= 1;
      this.#flush();
    }
  }

  async #page(run: (current: () => boolean) => Promise<void>): Promise<void> {
    this.#paging = true;
    try {
      await this.#read(run);
    } finally {
      this.#paging = false;
    }
  }

  #ask(anchor: EntryAnchor, count = ENTRY_PAGE): Promise<EntryPage> {
    return entryPage(this.selection.stream, this.selection, anchor, count);
  }

  #arriveAtEnd(): void {
    this.#sync(false);
    this.error = null;
    this.unseen = 0;
    this.toEndNow = {};
  }

  #trimStart(): void {
    this.#window.trimStart();
    if (this.#window.trimmed) this.#sync(true);
  }

  #sync(shift: boolean): void {
    const { first, last } = this.#window;
    // What was let go of at the start can be read again.
    if (this.#window.trimmed) this.#older = first?.id ?? null;
    this.#window.trimmed = false;
    this.shift = shift;
    this.rows = this.#window.rows;
    this.hasBefore = this.#older !== null;
    this.hasAfter = this.#window.hole && (!last || this.#isBeforePause(last));
    this.waiting = this.#window.waitingCount;
  }

  #isBeforePause({ id }: StreamEntry): boolean {
    return this.#pausedAt === null || compareIds(id, this.#pausedAt) < 0;
  }

  readonly #notAfterPause = ({ id }: StreamEntry): boolean =>
    this.#pausedAt === null || compareIds(id, this.#pausedAt) <= 0;
}

/** The highest id that a page of the end and the reach before it looked at. */
function endOf(page: EntryPage, reach: StreamReach): string {
  const newest = page.entries[0]?.id ?? '0-0';
  return compareIds(newest, reach.newest_id) > 0 ? newest : reach.newest_id;
}

/** Whether entries behind an id are not kept any more. */
function isGone(newest: string, reach: StreamReach): boolean {
  if (newest === '0-0') return false;
  if (reach.first_id) return compareIds(reach.first_id, newest) > 0 && reach.newest_id !== newest;
  return compareIds(reach.newest_id, newest) > 0;
}
