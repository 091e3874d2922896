import { getStatus } from '$lib/api/status';
import type { Status } from '$lib/api/types';
import { connection } from './connection.svelte';

/** The program's own state, read when a view asks. */
class ProgramStatus {
  value = $state.raw<Status | null>(null);
  error = $state.raw<Error | null>(null);

  async load(): Promise<void> {
    try {
      this.value = await getStatus();
      this.error = null;
    } catch (error) {
      connection.noticed(error);
      this.error = error as Error;
    }
  }
}

export const status = new ProgramStatus();
