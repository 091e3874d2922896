import { TASK_PAGE } from '$lib/api/analysis';
import type { Task, TaskId, TaskPage } from '$lib/api/types';
import { connection } from './connection.svelte';
import { Turns } from './turns';

/** The server gives no longer pages. */
const SHOWN_AT_ONCE_MAX = 1000;

/** A list of tasks, page by page; the first page is read anew as tasks move on. */
export class Tasks {
  list = $state.raw<readonly Task[]>([]);
  total = $state(0);
  loaded = $state(false);
  error = $state.raw<Error | null>(null);
  #next = $state.raw<TaskId | null>(null);
  readonly #turns = new Turns();

  constructor(private readonly ask: (before: TaskId | undefined, limit: number) => Promise<TaskPage>) {}

  get hasMore(): boolean {
    return this.#next !== null;
  }

  /** Reads again what is shown. */
  reload(): Promise<void> {
    return this.#turns.take(() => {
      const limit = Math.max(TASK_PAGE, this.list.length);
      return this.#read(undefined, Math.min(limit, SHOWN_AT_ONCE_MAX), (page) => page.tasks);
    });
  }

  loadMore(): Promise<void> {
    return this.#turns.take(() => {
      return this.#read(this.#next ?? undefined, TASK_PAGE, (page) => [...this.list, ...page.tasks]);
    });
  }

  async #read(
    before: TaskId | undefined,
    limit: number,
    join: (page: TaskPage) => readonly Task[],
  ): Promise<void> {
    try {
      const page = await this.ask(before, limit);
      this.list = join(page);
      this.#next = page.next;
      this.total = page.total;
      this.loaded = true;
      this.error = null;
    } catch (error) {
      connection.noticed(error);
      this.error = error as Error;
    }
  }
}
