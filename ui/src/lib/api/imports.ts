import { problem, request, send, unreachable } from './http';
import type { Import, ImportId, ImportList, ImportOptions, LeftOutPage } from './types';

/** A file to upload, under the name it is to go by: within a folder its relative path. */
export interface NamedFile {
  file: File;
  name: string;
}

/** The newest imports, the newest first. */
export async function listImports(): Promise<Import[]> {
  return (await request<ImportList>('/api/imports')).imports;
}

/** One import, running or ended. */
export function getImport(id: ImportId): Promise<Import> {
  return request(`/api/imports/${id}`);
}

/** Stops an import; what was already stored of it stays. */
export function cancelImport(id: ImportId): Promise<Import> {
  return send('POST', `/api/imports/${id}/cancel`);
}

/** What an import left out, in the order of its files. */
export function leftOut(id: ImportId, offset: number, limit: number): Promise<LeftOutPage> {
  return request(`/api/imports/${id}/left-out`, { query: { offset, limit } });
}

/** Imports the demo set. */
export function importDemo(): Promise<Import> {
  return send('POST', '/api/imports', { demo: true, dry_run: false });
}

/**
 * Uploads files and starts their import. `onProgress` hears the share sent, 0 to 1.
 *
 * XMLHttpRequest, for `fetch` does not tell how much of a body has gone out.
 */
export function upload(
  files: NamedFile[],
  options: ImportOptions,
  onProgress: (share: number) => void,
  signal: AbortSignal,
): Promise<Import> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open('POST', '/api/imports');
    request.upload.onprogress = (event) => {
      if (event.lengthComputable) onProgress(event.loaded / event.total);
    };
    request.onload = () => {
      const ok = request.status >= 200 && request.status < 300;
      if (ok) resolve(JSON.parse(request.responseText) as Import);
      else reject(problem(request.status, request.responseText));
    };
    request.onerror = () => reject(unreachable());
    request.onabort = () => reject(new DOMException('The upload was cancelled.', 'AbortError'));
    signal.addEventListener('abort', () => request.abort());
    request.send(form(files, options));
  });
}

/** The options go first: the server reads files as they arrive and must know how by then. */
function form(files: NamedFile[], options: ImportOptions): FormData {
  const data = new FormData();
  for (const [name, value] of Object.entries(options)) {
    if (value !== undefined && value !== '') data.append(name, String(value));
  }
  for (const { file, name } of files) data.append('file', file, name);
  return data;
}
