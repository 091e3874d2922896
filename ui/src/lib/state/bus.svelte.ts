import { getBus } from '$lib/api/bus';
import { Poll } from './poll.svelte';

const POLL_MS = 1000;

/** Whether the event log is away, as far as this page knows. */
class Away {
  /** What is wrong; null while all is well. */
  reason = $state<string | null>(null);
  /** Since when this page knows of it (milliseconds since the epoch). */
  since = $state(0);

  /** A stream, or the state, says that it is away, or back. */
  heard(reason: string | null): void {
    if (reason !== null && this.reason === null) this.since = Date.now();
    this.reason = reason;
  }
}

export const busAway = new Away();

/** How the event bus fares, asked for while a view shows it, or while it is away. */
export const bus = new Poll(async () => {
  const status = await getBus();
  busAway.heard(status.problem);
  return status;
}, POLL_MS);
