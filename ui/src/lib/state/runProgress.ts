import type { Run, StreamEntry } from '$lib/api/types';
import { field } from '$lib/format/events';

/** How fast a run is, is told from what it did in this time: long enough to be calm, short enough to notice a change. */
const RATE_OVER_MS = 15_000;
/** Below this time a rate would be a guess. */
const RATE_AFTER_MS = 1500;

/** Whether a run has not ended. */
export function isActive({ state }: Run): boolean {
  return state === 'seeding' || state === 'running' || state === 'paused';
}

/** Tasks that have ended, well or not. */
export function done({ success, failed }: Run): number {
  return success + failed;
}

/** From 0 to 1; null while the tasks are still counted. */
export function share(run: Run): number | null {
  if (run.total > 0) return Math.min(1, done(run) / run.total);
  return isActive(run) ? null : 1;
}

/** What an event says of a run; null where the event is none of a run's, or says nothing that a row does not say better. */
export function applyEvent(run: Run, entry: StreamEntry): Run | null {
  if (Number(field(entry, 'run_id')) !== run.id) return null;
  const number = (name: keyof Run & string) => numberOf(entry, name) ?? (run[name] as number);
  switch (field(entry, 'type')) {
    case 'run_seeded':
      return further(run, { ...run, total: number('total'), state: 'running' });
    case 'analysis_completed': {
      const counts = {
        success: number('success'),
        failed: number('failed'),
        processing: number('processing'),
        total: number('total'),
      };
      return further(run, { ...run, ...counts, state: run.state === 'seeding' ? 'running' : run.state });
    }
    case 'run_complete':
      return {
        ...run,
        total: number('total'),
        success: number('success'),
        failed: number('failed'),
        processing: 0,
        state: field(entry, 'status') === 'cancelled' ? 'cancelled' : 'complete',
        finished_at: run.finished_at ?? isoTime(field(entry, 'ts')),
      };
    default:
      return null;
  }
}

/**
 * Of two views of a run the one that is further. Answers and events overtake each other; a bar never goes back.
 *
 * The `answer` wins where both are as far: only it knows of pauses.
 */
export function further(known: Run, answer: Run): Run {
  if (!isActive(known) && isActive(answer)) return known;
  if (!isActive(answer)) return answer;
  return done(answer) >= done(known) ? answer : { ...answer, ...countsOf(known) };
}

/** How many tasks a second a run ends, from samples of the recent past. */
export class RateMeter {
  #samples: { at: number; done: number }[] = [];

  /** Takes in how many have ended by `at` (milliseconds). */
  add(at: number, done: number): void {
    const last = this.#samples.at(-1);
    if (last && done < last.done) this.#samples = [];
    this.#samples.push({ at, done });
    // The one before the span is kept: it says where the span began.
    while (this.#samples.length > 2 && (this.#samples[1]?.at ?? at) < at - RATE_OVER_MS) {
      this.#samples.shift();
    }
  }

  /** Forgets the past: after a pause it would slow down the present. */
  reset(): void {
    this.#samples = [];
  }

  /** Null as long as it cannot be told. */
  get perSecond(): number | null {
    const [first] = this.#samples;
    const last = this.#samples.at(-1);
    if (!first || !last || last.at - first.at < RATE_AFTER_MS) return null;
    return ((last.done - first.done) * 1000) / (last.at - first.at);
  }
}

/** How long a run still takes at this rate, in seconds; null where that cannot be told. */
export function secondsLeft(run: Run, perSecond: number | null): number | null {
  if (run.state !== 'running' || !perSecond) return null;
  return (run.total - done(run)) / perSecond;
}

function countsOf({ total, success, failed, cancelled, processing }: Run): Partial<Run> {
  return { total, success, failed, cancelled, processing };
}

/** The number in a field, which is text on the bus; undefined if there is none. */
function numberOf(entry: StreamEntry, name: string): number | undefined {
  const text = field(entry, name);
  const value = Number(text);
  return text === undefined || text === '' || Number.isNaN(value) ? undefined : value;
}

/** The bus writes UTC without saying so. */
function isoTime(ts: string | undefined): string | null {
  return ts ? `${ts}Z` : null;
}
