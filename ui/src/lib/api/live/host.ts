import { browserWorld } from './browser';
import { StreamPool, type Listener } from './pool';
import type { FromPool, ToPool } from './protocol';

/** The end of a channel to a page: a worker's port, or one of the page's own where there is no SharedWorker. */
export type Port = Pick<MessagePort, 'postMessage' | 'onmessage'>;

/** Serves the pages that connect. */
export function host(): (port: Port) => void {
  const pool = new StreamPool(browserWorld);
  return (port) => {
    const listener: Listener = (message: FromPool) => port.postMessage(message);
    port.onmessage = (event: MessageEvent<ToPool>) => {
      const message = event.data;
      if (message.do === 'hello') dropWhenGone(message.lock, () => pool.drop(listener));
      else pool.handle(listener, message);
    };
  };
}

/** A page that crashes says no goodbye; its lock comes free all the same. */
function dropWhenGone(lock: string, drop: () => void): void {
  if ('locks' in navigator) void navigator.locks.request(lock, drop);
}
