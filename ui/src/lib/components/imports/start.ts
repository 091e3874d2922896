import { goto } from '$app/navigation';
import type { NamedFile } from '$lib/api/imports';
import type { Import } from '$lib/api/types';
import { imports } from '$lib/state/imports.svelte';

/** Uploads files and shows their import; from the drop zone, the pickers and a drop on the window. */
export async function startImport(files: NamedFile[]): Promise<void> {
  if (files.length === 0) return;
  const started = imports.start(files);
  // The upload is shown where imports are, also when it was dropped on a chat.
  if (imports.upload && location.pathname !== '/imports') await goto('/imports');
  await openImport(await started);
}

/** Goes to an import's page. */
export async function openImport(job: Import | null): Promise<void> {
  if (job) await goto(`/imports/${job.id}`);
}
