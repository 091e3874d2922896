import type { NamedFile } from '$lib/api/imports';

/** Enough for a phone's whole media folder; a dropped home directory must not hang the page. */
const MAX_FILES = 20_000;

/** The files of a drop, folders included, under their relative paths. */
export async function droppedFiles(transfer: DataTransfer): Promise<NamedFile[]> {
  // Taken before the first await: the browser empties the list once the event is over.
  const items = [...transfer.items].filter(({ kind }) => kind === 'file');
  const dropped = items.map((item) => ({ entry: item.webkitGetAsEntry(), file: item.getAsFile() }));
  const files: NamedFile[] = [];
  for (const { entry, file } of dropped) {
    if (entry) await collect(entry, files);
    // A file that is on no disk, such as an attachment dragged out of a mail.
    else if (file) files.push({ file, name: file.name });
  }
  return files;
}

/** The files that an `<input type="file">` holds. */
export function pickedFiles(list: FileList | null): NamedFile[] {
  return [...(list ?? [])].map((file) => ({ file, name: file.webkitRelativePath || file.name }));
}

async function collect(entry: FileSystemEntry, into: NamedFile[]): Promise<void> {
  if (into.length >= MAX_FILES) {
    throw new Error(`More than ${MAX_FILES.toLocaleString()} files: choose a smaller folder.`);
  }
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) =>
      (entry as FileSystemFileEntry).file(resolve, reject),
    );
    into.push({ file, name: entry.fullPath.replace(/^\//, '') });
  } else if (entry.isDirectory) {
    for (const child of await children(entry as FileSystemDirectoryEntry)) await collect(child, into);
  }
}

/** A reader hands out a hundred entries at a time. */
async function children(directory: FileSystemDirectoryEntry): Promise<FileSystemEntry[]> {
  const reader = directory.createReader();
  const all: FileSystemEntry[] = [];
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject),
    );
    if (some.length === 0) return all;
    all.push(...some);
  }
}
