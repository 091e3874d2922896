import { request } from './http';
import type { HubReport } from './types';

/** What the hub has done since the start, and who listens to what. */
export function getHub(): Promise<HubReport> {
  return request('/api/hub');
}
