import type { TaskFilter } from '$lib/api/analysis';
import type { TaskState } from '$lib/api/types';
import { TASK_STATES } from '$lib/format/analysis';

/** The filter that an address says; what is none in it is passed over. */
export function filterOf(params: URLSearchParams): TaskFilter {
  const state = params.get('state') ?? '';
  return {
    state: state in TASK_STATES ? (state as TaskState) : undefined,
    chat: Number(params.get('chat')) || undefined,
  };
}

/** The address of a filter, to go to from the page it is of. */
export function filterAddress({ state, chat }: TaskFilter): string {
  const params = new URLSearchParams();
  if (state) params.set('state', state);
  if (chat) params.set('chat', String(chat));
  return `?${params}`;
}
