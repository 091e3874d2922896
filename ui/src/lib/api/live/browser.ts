import type { World } from './stream';

/** The real browser, in a page or a worker. */
export const browserWorld: World = {
  open: (url) => new EventSource(url),
  probe,
  now: () => Date.now(),
  random: () => Math.random(),
  setTimeout: (call, ms) => setTimeout(call, ms),
  clearTimeout: (timer) => clearTimeout(timer as number),
};

async function probe(url: string): Promise<number> {
  const abort = new AbortController();
  try {
    return (await fetch(url, { signal: abort.signal })).status;
  } catch {
    return 0;
  } finally {
    // Only the status was wanted: a stream left open would cost a connection.
    abort.abort();
  }
}
