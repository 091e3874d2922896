import { request, send } from './http';
import type {
  ChatId,
  LlmStatus,
  PassInfo,
  PassList,
  Run,
  RunId,
  RunList,
  RunPreview,
  RunRequest,
  TaskCounts,
  TaskId,
  TaskPage,
  TaskState,
} from './types';

/** Runs in one page of the history. */
export const RUN_PAGE = 30;
/** Tasks in one page: some three screens. */
export const TASK_PAGE = 60;

/** Which tasks are wanted; all where a field is missing. */
export interface TaskFilter {
  run?: RunId;
  chat?: ChatId;
  state?: TaskState;
}

/** Runs, the newest first; older than one if that is given. */
export async function listRuns(before?: RunId): Promise<Run[]> {
  return (await request<RunList>('/api/analysis/runs', { query: { before, limit: RUN_PAGE } })).runs;
}

export function getRun(id: RunId): Promise<Run> {
  return request(`/api/analysis/runs/${id}`);
}

/** How the tasks of a run stand. */
export function runCounts(id: RunId): Promise<TaskCounts> {
  return request(`/api/analysis/runs/${id}/counts`);
}

/** What a run would do. */
export function previewRun(wanted: RunRequest, signal: AbortSignal): Promise<RunPreview> {
  return request('/api/analysis/runs/preview', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(wanted),
    signal,
  });
}

/** Starts a run. Once this answers, it is carried out whatever happens. */
export function startRun(wanted: RunRequest): Promise<Run> {
  return send('POST', '/api/analysis/runs', wanted);
}

/** Cancels, pauses or resumes a run. */
export function steerRun(id: RunId, what: 'cancel' | 'pause' | 'resume'): Promise<Run> {
  return send('POST', `/api/analysis/runs/${id}/${what}`);
}

/** A page of tasks, the newest first. */
export function taskPage(filter: TaskFilter, before?: TaskId, limit = TASK_PAGE): Promise<TaskPage> {
  const { run: run_id, chat: chat_id, state } = filter;
  return request('/api/analysis/tasks', { query: { run_id, chat_id, state, before, limit } });
}

/** A page of what failed in every try, the newest first. */
export function deadPage(before?: TaskId, limit = TASK_PAGE): Promise<TaskPage> {
  return request('/api/analysis/dead', { query: { before, limit } });
}

/** Tries one dead letter again, or all: a run of its own. */
export function retryDead(id?: TaskId): Promise<Run> {
  return send('POST', id === undefined ? '/api/analysis/dead/retry' : `/api/analysis/dead/${id}/retry`);
}

/** Switches a pass off or on. Runs under way keep the passes they were started with. */
export function switchPass(name: string, enabled: boolean): Promise<PassInfo> {
  return send('PUT', `/api/analysis/passes/${name}`, { enabled });
}

/** The language model: how it is doing where it is on, and no more than that it is off where it is not. */
export type LlmView = { enabled: false } | ({ enabled: true } & LlmStatus);

export function llmStatus(): Promise<LlmView> {
  return request('/api/analysis/llm');
}

/** What analysis can find, and how far it reaches. */
export async function listPasses(): Promise<PassInfo[]> {
  return (await request<PassList>('/api/analysis/passes')).passes;
}
