import { setTimeout as sleep } from 'node:timers/promises';

/** What takes longer than this never comes: much longer than anything takes on a machine that stalls. */
export const PATIENCE_MS = 60_000;

/** Between two questions: without it, asking would take the processor from what is asked for. */
const PAUSE_MS = 50;

/** Asks until the answer is true, and gives it. */
export async function until(what, ask, mostMs = PATIENCE_MS) {
  for (const end = Date.now() + mostMs; ;) {
    const answer = await ask();
    if (answer) return answer;
    if (Date.now() > end) throw new Error(`never: ${what}`);
    await sleep(PAUSE_MS);
  }
}
