import { request } from './http';
import type { Status } from './types';

/** The program's own state: version, data, counters, and what it can import. */
export function getStatus(): Promise<Status> {
  return request('/api/status');
}
