/** The colours that tokens.css holds for people and chats. */
export const HUES = 8;

const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' });

/** One or two letters to stand for a name: of its first and last word. A phone number gives its last two digits. */
export function initials(name: string): string {
  const words = name.split(/[\s._-]+/u).filter((word) => /[\p{L}\p{N}\p{Emoji_Presentation}]/u.test(word));
  if (words.length === 0) return '?';
  const letters = words.filter((word) => /[\p{L}\p{Emoji_Presentation}]/u.test(word));
  if (letters.length === 0) return name.replace(/\D/gu, '').slice(-2);
  const picked = letters.length > 1 ? [letters[0], letters[letters.length - 1]] : [letters[0]];
  return picked.map((word) => firstLetter(word ?? '')).join('');
}

/** A colour for an id, the same at every start. Neighbouring ids, which often share a chat, differ. */
export function hue(id: number): number {
  return ((id % HUES) + HUES) % HUES;
}

function firstLetter(word: string): string {
  for (const { segment } of graphemes.segment(word)) {
    if (/[\p{L}\p{N}\p{Emoji_Presentation}]/u.test(segment)) return segment.toLocaleUpperCase();
  }
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
