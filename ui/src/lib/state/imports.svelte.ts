import { getImport, importDemo, listImports, upload, type NamedFile } from '$lib/api/imports';
import type { Import, ImportId, ImportOptions } from '$lib/api/types';
import { connection } from './connection.svelte';
import { toasts } from './toasts.svelte';

/** An upload on its way. */
export interface Upload {
  names: string[];
  bytes: number;
  /** 0 to 1. */
  share: number;
  cancel(): void;
}

const POLL_MS = 400;

/** Imports: those that run, and the history. */
class Imports {
  /** The newest first. */
  list = $state.raw<Import[]>([]);
  loaded = $state(false);
  error = $state.raw<Error | null>(null);
  upload = $state.raw<Upload | null>(null);
  /** What the user says about the next files. Kept while the app is open. */
  options = $state<ImportOptions>({ dry_run: false });

  async reload(): Promise<void> {
    try {
      this.list = await listImports();
      this.error = null;
      this.loaded = true;
    } catch (error) {
      connection.noticed(error);
      this.error = error as Error;
    }
  }

  /** Uploads files; answers the import, or null if that failed or was cancelled. */
  async start(files: NamedFile[]): Promise<Import | null> {
    if (files.length === 0) return null;
    if (this.upload) {
      toasts.say('Another upload is still on its way. Try again when it is done.');
      return null;
    }
    const abort = new AbortController();
    const names = files.map(({ name }) => name);
    const bytes = files.reduce((sum, { file }) => sum + file.size, 0);
    const progress = (share: number) => {
      this.upload = { names, bytes, share, cancel: () => abort.abort() };
    };
    progress(0);
    return this.#begin(() => upload(files, $state.snapshot(this.options), progress, abort.signal));
  }

  /** Imports the demo set. */
  demo(): Promise<Import | null> {
    return this.#begin(importDemo);
  }

  async #begin(start: () => Promise<Import>): Promise<Import | null> {
    try {
      return await start();
    } catch (error) {
      connection.noticed(error);
      if ((error as Error).name !== 'AbortError') toasts.fail(error);
      return null;
    } finally {
      this.upload = null;
    }
  }
}

export const imports = new Imports();

/** Whether an import has not ended yet. */
export function runs({ state }: Import): boolean {
  return state === 'queued' || state === 'running';
}

/** One import, asked for again and again while it runs. */
export class ImportWatch {
  current = $state.raw<Import | null>(null);
  error = $state.raw<Error | null>(null);
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  constructor(readonly id: ImportId) {
    void this.#poll();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  async #poll(): Promise<void> {
    try {
      this.current = await getImport(this.id);
      this.error = null;
    } catch (error) {
      connection.noticed(error);
      this.error = error as Error;
    }
    const again = this.current === null ? this.error !== null : runs(this.current);
    if (again && !this.#closed) this.#timer = setTimeout(() => void this.#poll(), POLL_MS);
  }
}
