import type { HandleClientError } from '@sveltejs/kit';
import { getStatus } from '$lib/api/status';
import { connection } from '$lib/state/connection.svelte';

/** A view whose code could not be fetched: the program may be gone, or refuse the key. */
export const handleError: HandleClientError = async ({ error, message }) => {
  try {
    await getStatus();
  } catch (reason) {
    connection.noticed(reason);
    return { message: (reason as Error).message };
  }
  return { message: error instanceof Error ? error.message : message };
};
