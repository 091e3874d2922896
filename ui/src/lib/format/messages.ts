import type { Attachment, LastMessage, Message } from '$lib/api/types';
import { dayKey } from './time';

/** How a message is drawn between its neighbours. */
export interface Row {
  message: Message;
  /** Begins a day: a separator stands above it. */
  newDay: boolean;
  /** Begins and ends a group of one sender: the first has the name, the last the avatar. */
  first: boolean;
  last: boolean;
}

/** Messages of one sender further apart than this stand in separate groups. */
const GROUP_GAP_MS = 5 * 60_000;

/**
 * The rows of a stretch of messages. The first one's day is left to the floating label when older ones exist: it may have
 * begun above, and a separator that vanishes once they are loaded would make the view jump.
 */
export function rows(messages: readonly Message[], hasBefore: boolean): Row[] {
  const days = messages.map(({ timestamp }) => dayKey(timestamp));
  return messages.map((message, i) => {
    const before = messages[i - 1];
    const after = messages[i + 1];
    const newDay = i === 0 ? !hasBefore : days[i] !== days[i - 1];
    return {
      message,
      newDay,
      first: newDay || !before || !together(before, message),
      last: !after || days[i] !== days[i + 1] || !together(message, after),
    };
  });
}

/** What stands for a message where its text cannot: in a list, a quote. */
export function summary(message: Pick<Message, 'kind' | 'content' | 'attachments'>): string {
  if (message.kind === 'deleted') return 'Deleted message';
  if (message.content) return message.content;
  const [attachment] = message.attachments;
  if (attachment) return attachmentTitle(attachment);
  return KIND_TITLES[message.kind];
}

/** The same for the last message of a chat. */
export function lastSummary(last: LastMessage): string {
  return summary({ kind: last.kind, content: last.excerpt, attachments: [] });
}

/** `Photo`, `Voice message`, or the file's name. */
export function attachmentTitle({ kind, name }: Attachment): string {
  return (kind && ATTACHMENT_TITLES[kind]) ?? name ?? kind ?? 'File';
}

function together(a: Message, b: Message): boolean {
  if (isNotice(a) || isNotice(b)) return false;
  if (a.sender_id !== b.sender_id || a.is_from_me !== b.is_from_me) return false;
  return Date.parse(b.timestamp) - Date.parse(a.timestamp) <= GROUP_GAP_MS;
}

/** A line of the app itself, centred and without a bubble. */
export function isNotice({ kind }: Message): boolean {
  return kind === 'system';
}

const KIND_TITLES: Record<Message['kind'], string> = {
  text: 'Empty message',
  media: 'Media',
  call: 'Call',
  system: 'Notice',
  deleted: 'Deleted message',
  other: 'Message',
};

const ATTACHMENT_TITLES: Record<string, string> = {
  image: 'Photo',
  video: 'Video',
  audio: 'Audio',
  voice: 'Voice message',
  sticker: 'Sticker',
  animation: 'GIF',
  contact: 'Contact',
  location: 'Location',
  poll: 'Poll',
};
