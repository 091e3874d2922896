/** The colours that tokens.css holds for people and chats. */
export const HUES = 8;

const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' });

/** One or two letters to stand for a name: of its first and last word. A phone number gives its last two digits. */
export function initials(name: string): string {
  const letters = name
    .split(/[\s._-]+/u)
    .map(firstLetter)
    .filter(Boolean);
  if (letters.length > 0) return letters.length > 1 ? `${letters[0]}${letters.at(-1)}` : `${letters[0]}`;
  const digits = name.replace(/\D/gu, '').slice(-2);
  return digits || firstGrapheme(name.trim()) || '?';
}

/** A colour for an id, the same at every start. Neighbouring ids, which often share a chat, differ. */
export function hue(id: number): number {
  return ((id % HUES) + HUES) % HUES;
}

/** The first letter of a word, in upper case; nothing if it has none. */
function firstLetter(word: string): string {
  for (const { segment } of graphemes.segment(word)) {
    if (/\p{L}/u.test(segment)) return segment.toLocaleUpperCase();
  }
  return '';
}

/** For names that are an emoji. */
function firstGrapheme(name: string): string {
  for (const { segment } of graphemes.segment(name)) return segment;
  return '';
}

/** A source's name for people; names that are not known are shown as they are. */
export function sourceTitle(source: string): string {
  return SOURCE_TITLES[source] ?? source.charAt(0).toUpperCase() + source.slice(1);
}

const SOURCE_TITLES: Record<string, string> = {
  whatsapp: 'WhatsApp',
  telegram: 'Telegram',
  imessage: 'iMessage',
  signal: 'Signal',
  messenger: 'Messenger',
  instagram: 'Instagram',
  discord: 'Discord',
};
