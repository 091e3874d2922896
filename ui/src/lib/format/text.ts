/** A stretch of text: plain, a link, found, or both. */
export interface Segment {
  text: string;
  /** Set for links: http and https only. */
  href?: string;
  /** Whether it is what was searched for. */
  found?: boolean;
}

/** Up to closing quotes and brackets of whatever script; what a sentence puts behind an address is cut off below. */
const LINK = /\bhttps?:\/\/[^\s<>"'`\u201c\u201d\u00ab\u00bb]+/giu;
const TRAILING = /[.,;:!?)\]}…]+$/u;

/** Longer texts are shown without links and marks: a pasted log file must not cost a frame. */
const MAX_PARSED_CHARS = 20_000;

/** Splits a text into plain parts, links and found words. Joined again they are the text to the letter. */
export function segments(text: string, words: readonly string[] = []): Segment[] {
  if (text.length > MAX_PARSED_CHARS) return [{ text }];
  const parts: Segment[] = [];
  let from = 0;
  for (const match of text.matchAll(LINK)) {
    const link = withoutTrailing(match[0]);
    if (!isWebAddress(link)) continue;
    parts.push(...mark(text.slice(from, match.index), words));
    parts.push(...mark(link, words).map((part) => ({ ...part, href: link })));
    from = match.index + link.length;
  }
  parts.push(...mark(text.slice(from), words));
  return parts;
}

/** The parts of a snippet, whose hits stand between U+0002 and U+0003. */
export function snippetSegments(snippet: string): Segment[] {
  const parts: Segment[] = [];
  for (const piece of snippet.split('\u0002')) {
    const end = piece.indexOf('\u0003');
    if (end < 0) {
      if (piece) parts.push({ text: piece });
      continue;
    }
    parts.push({ text: piece.slice(0, end), found: true });
    if (end + 1 < piece.length) parts.push({ text: piece.slice(end + 1) });
  }
  return parts;
}

/** The words of a query: what to mark in a message that was found. */
export function queryWords(query: string): string[] {
  return query.match(/[\p{L}\p{N}]+/gu) ?? [];
}

/** Marks words that begin with one of those searched for. */
function mark(text: string, words: readonly string[]): Segment[] {
  if (!text) return [];
  if (words.length === 0) return [{ text }];
  const pattern = new RegExp(`(?<![\\p{L}\\p{N}])(?:${words.map(escape).join('|')})[\\p{L}\\p{N}]*`, 'giu');
  const parts: Segment[] = [];
  let from = 0;
  for (const match of text.matchAll(pattern)) {
    if (match.index > from) parts.push({ text: text.slice(from, match.index) });
    parts.push({ text: match[0], found: true });
    from = match.index + match[0].length;
  }
  if (from < text.length) parts.push({ text: text.slice(from) });
  return parts;
}

function escape(word: string): string {
  return word.replace(/[.*+?^${}()|[\]\\]/gu, '\\$&');
}

/** Without the full stop or bracket that ends the sentence around an address; a bracket that it opened itself stays. */
function withoutTrailing(link: string): string {
  let cut = link;
  for (let end = TRAILING.exec(cut)?.[0]; end; end = TRAILING.exec(cut)?.[0]) {
    const last = cut.at(-1) ?? '';
    const opener = { ')': '(', ']': '[', '}': '{' }[last];
    if (opener && cut.split(opener).length >= cut.split(last).length) break;
    cut = cut.slice(0, -1);
  }
  return cut;
}

function isWebAddress(text: string): boolean {
  try {
    return ['http:', 'https:'].includes(new URL(text).protocol);
  } catch {
    return false;
  }
}
