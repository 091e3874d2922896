import { getRun, listRuns, RUN_PAGE } from '$lib/api/analysis';
import {
  busTopic,
  MAIN_STREAM,
  subscribe,
  type BusFrame,
  type StreamEvent,
  type TopicState,
} from '$lib/api/live/client';
import type { Run, RunId } from '$lib/api/types';
import { field, readFrame } from '$lib/format/events';
import { connection } from './connection.svelte';
import { applyEvent, done, further, isActive, RateMeter } from './runProgress';

/** Where runs are told of. */
const SCOPES = ['global', 'historic'];
/** Pauses are told by rows alone, and a stream may be away: while a run is active it is asked for this often. */
const ASK_MS = 2000;

/** Runs, kept current by their events; the rows are the truth that every gap is filled from. */
class Runs {
  /** By id. Replaced, never changed in place. */
  byId = $state.raw<ReadonlyMap<RunId, Run>>(new Map());
  loaded = $state(false);
  error = $state.raw<Error | null>(null);
  /** Older runs than those in the list exist. */
  hasMore = $state(false);
  /** Tasks a second of each active run; none where it cannot be told yet. */
  rates = $state.raw<ReadonlyMap<RunId, number>>(new Map());
  readonly list = $derived([...this.byId.values()].sort((a, b) => b.id - a.id));
  readonly active = $derived(this.list.filter(isActive));

  #meters = new Map<RunId, RateMeter>();
  #users = 0;
  #close: (() => void)[] = [];
  #timer: ReturnType<typeof setInterval> | undefined;

  /** Follows runs for as long as at least one view asks for it; the answer ends it. */
  follow(): () => void {
    this.#users += 1;
    if (this.#users === 1) this.#start();
    return () => {
      this.#users -= 1;
      if (this.#users === 0) this.#stop();
    };
  }

  /** Reads the newest runs. */
  async reload(): Promise<void> {
    await this.#read(async () => {
      const newest = await listRuns();
      if (!this.loaded) this.hasMore = newest.length === RUN_PAGE;
      this.loaded = true;
      this.take(...newest);
    });
  }

  /** Reads a page of those before the oldest one known. */
  async loadOlder(): Promise<void> {
    await this.#read(async () => {
      const older = await listRuns(this.list.at(-1)?.id);
      this.hasMore = older.length === RUN_PAGE;
      this.take(...older);
    });
  }

  /** Reads one run; throws if that cannot be. */
  async need(id: RunId): Promise<void> {
    this.take(await getRun(id));
  }

  /** Takes in what an answer says of runs. */
  take(...runs: Run[]): void {
    const byId = new Map(this.byId);
    for (const run of runs) {
      const known = byId.get(run.id);
      byId.set(run.id, known ? further(known, run) : run);
    }
    this.byId = byId;
    this.#measure();
  }

  #start(): void {
    void this.reload();
    this.#close = SCOPES.map((scope) =>
      subscribe(busTopic({ stream: MAIN_STREAM, scope, run: '' }), {
        event: (name, data) => this.#hear(name, data),
        state: (state) => this.#stateChanged(state),
      }),
    );
    this.#timer = setInterval(() => {
      if (!document.hidden && this.active.length > 0) void this.reload();
    }, ASK_MS);
  }

  #stop(): void {
    this.#close.forEach((close) => close());
    clearInterval(this.#timer);
    this.#meters.clear();
    this.rates = new Map();
  }

  #stateChanged(state: TopicState): void {
    // Joined anew, or a stream there is no room for: what was told meanwhile is in the rows.
    if ((state.phase === 'live' && !state.resumed) || state.phase === 'waiting') void this.reload();
  }

  #hear(name: StreamEvent, data: unknown): void {
    if (name === 'error') void this.reload();
    if (name !== 'entries') return;
    const byId = new Map(this.byId);
    let unknown = false;
    for (const entry of (data as BusFrame[]).map(readFrame)) {
      const run = byId.get(Number(field(entry, 'run_id')));
      const changed = run && applyEvent(run, entry);
      if (changed) byId.set(changed.id, changed);
      unknown ||= !run;
    }
    this.byId = byId;
    this.#measure();
    if (unknown) void this.reload();
  }

  #measure(): void {
    const rates = new Map<RunId, number>();
    for (const run of this.active) {
      const meter = this.#meters.get(run.id) ?? new RateMeter();
      this.#meters.set(run.id, meter);
      if (run.state === 'running') meter.add(performance.now(), done(run));
      else meter.reset();
      if (meter.perSecond !== null) rates.set(run.id, meter.perSecond);
    }
    this.rates = rates;
  }

  async #read(run: () => Promise<void>): Promise<void> {
    try {
      await run();
      this.error = null;
    } catch (error) {
      connection.noticed(error);
      this.error = error as Error;
    }
  }
}

export const runs = new Runs();
