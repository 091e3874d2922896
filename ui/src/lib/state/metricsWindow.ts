import type { Metrics } from '$lib/api/types';

/** Minutes that are kept: as many as the view can show at most. */
export const KEPT_MINUTES = 10;
/** Samples in memory: one a second, and a few more where the clock was slowed down. About a megabyte. */
export const SAMPLES_MAX = KEPT_MINUTES * 60 + 30;
/** A longer time between two snapshots is a hole: nobody looked, or the program was away. */
export const HOLE_MS = 5000;

/** A snapshot, and what it is to be compared with. */
export interface Sample {
  /** When it was taken (milliseconds since the epoch), by the program's clock. */
  at: number;
  now: Metrics;
  /** The snapshot before, of the same life of the program and the same connection; null where there is none. */
  before: { at: number; metrics: Metrics } | null;
  /** Whether time is missing before it, so that no line may lead there. */
  hole: boolean;
  /** Whether the program started since the sample before. */
  restarted: boolean;
}

/** The samples of the last minutes, the oldest first. Replaced, never changed in place. */
export class MetricsWindow {
  samples: readonly Sample[] = [];
  #joined = false;

  /** A connection begins: what came over another one is no neighbour of its first snapshot. */
  join(): void {
    this.#joined = false;
  }

  add(now: Metrics): void {
    const at = Date.parse(now.ts);
    // The clock was set back: what is kept would lie in the future.
    if (at <= (this.samples.at(-1)?.at ?? -Infinity)) this.samples = [];
    const last = this.samples.at(-1);
    const restarted = last !== undefined && isAnotherLife(last.now, now);
    const hole = last !== undefined && at - last.at > HOLE_MS;
    const neighbour = this.#joined && !restarted && !hole && last;
    const before = neighbour ? { at: neighbour.at, metrics: neighbour.now } : null;
    this.#joined = true;
    const kept = this.samples.filter((sample) => sample.at >= at - KEPT_MINUTES * 60_000);
    this.samples = [...kept.slice(1 - SAMPLES_MAX), { at, now, before, hole, restarted }];
  }
}

/** How much a counter grew a second up to a sample; null where there is nothing to compare with. */
export function growth({ at, now, before }: Sample, counter: (metrics: Metrics) => number): number | null {
  if (!before) return null;
  return (Math.max(0, counter(now) - counter(before.metrics)) * 1000) / (at - before.at);
}

/** The sample nearest to a time; undefined if there is none. */
export function nearest(samples: readonly Sample[], at: number): Sample | undefined {
  const after = samples.findIndex((sample) => sample.at >= at);
  if (after < 0) return samples.at(-1);
  const [left, right] = [samples[after - 1], samples[after]];
  return left && right && at - left.at < right.at - at ? left : right;
}

/** The program started anew between the two: it has run for less time, or counts from nothing again. */
function isAnotherLife(before: Metrics, now: Metrics): boolean {
  return now.uptime_s < before.uptime_s || now.sse.bytes_sent < before.sse.bytes_sent;
}
