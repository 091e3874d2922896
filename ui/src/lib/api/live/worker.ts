/** The SharedWorker that holds the streams of all tabs. */
import { host } from './host';

const accept = host();

(self as unknown as { onconnect: (event: MessageEvent) => void }).onconnect = (event) => {
  const port = event.ports[0];
  if (port) accept(port);
};
