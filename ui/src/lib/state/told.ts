import { busTopic, MAIN_STREAM, subscribe, type BusFrame } from '$lib/api/live/client';
import type { ChatId, StreamEntry } from '$lib/api/types';
import { field, readFrame } from '$lib/format/events';

/** Who wants to hear what the bus tells of conversations, runs and commitments. */
export interface Listener {
  /** What was told, in its order. */
  told(entries: readonly StreamEntry[]): void;
  /** Something may have been told that was not heard. */
  missed(): void;
}

/** Tasks are told of by the thousand, and of them nothing is marked: they need not even be read. */
const WANTED = /"type":"(?:conversation_sealed|analysis_completed|run_|commitment_)/;

const listeners = new Set<Listener>();
let close: (() => void) | undefined;

/** Hears the one stream that all share, for as long as a view shows what depends on it; the answer ends it. */
export function listen(listener: Listener): () => void {
  listeners.add(listener);
  // Each chat has scopes of its own, and there is no room for a stream each.
  close ??= subscribe(busTopic({ stream: MAIN_STREAM, scope: '', run: '' }), {
    event: (name, data) => {
      if (name === 'entries') tell(data as BusFrame[]);
      if (name === 'error') listeners.forEach((one) => one.missed());
    },
    state: (state) => {
      if ((state.phase === 'live' && !state.resumed) || state.phase === 'waiting') {
        listeners.forEach((one) => one.missed());
      }
    },
  });
  return () => {
    listeners.delete(listener);
    if (listeners.size > 0) return;
    close?.();
    close = undefined;
  };
}

function tell(frames: readonly BusFrame[]): void {
  const entries = frames.filter(({ data }) => WANTED.test(data)).map(readFrame);
  if (entries.length > 0) listeners.forEach((one) => one.told(entries));
}

/** The chat that an entry is about; none if it is about no chat. */
export function chatOf(entry: StreamEntry): ChatId | undefined {
  const [, chat] = /^(?:chat|commitments):(\d+)$/.exec(field(entry, 'scope') ?? '') ?? [];
  return chat === undefined ? undefined : Number(chat);
}

/** Whether it tells that conversations are or were analysed: of a chat, or of a run, which may be about any. */
export function isOfAnalysis(entry: StreamEntry): boolean {
  const type = field(entry, 'type') ?? '';
  // Of an open conversation: no task does that, and it comes with every few messages.
  if (type === 'analysis_completed') return field(entry, 'status') !== 'live';
  return type.startsWith('run_');
}
