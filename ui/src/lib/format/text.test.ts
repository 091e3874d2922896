import { describe, expect, it } from 'vitest';
import { queryWords, segments, snippetSegments } from './text';

const links = (text: string) => segments(text).flatMap(({ href }) => (href ? [href] : []));

describe('links', () => {
  it('end before the punctuation of the sentence around them', () => {
    expect(links('See https://example.org/a.')).toEqual(['https://example.org/a']);
    expect(links('(https://example.org/a)')).toEqual(['https://example.org/a']);
    expect(links('Really, https://example.org?!')).toEqual(['https://example.org']);
  });

  it('keep the brackets that they opened', () => {
    expect(links('https://example.org/wiki/Rust_(language)')).toEqual([
      'https://example.org/wiki/Rust_(language)',
    ]);
  });

  it('are http and https only', () => {
    expect(links('javascript:alert(1) file:///etc ftp://x data:text/html,x')).toEqual([]);
  });

  it('leave every character of the text in place', () => {
    const text = 'a  https://x.org/?q=1,2 b\n(http://y.org) <https://z.org> „https://w.org“ ';
    const joined = segments(text, ['org', 'b'])
      .map((part) => part.text)
      .join('');
    expect(joined).toBe(text);
  });
});

describe('found words', () => {
  const found = (text: string, words: string[]) =>
    segments(text, words).flatMap((part) => (part.found ? [part.text] : []));

  it('are those that begin with what was searched for', () => {
    expect(found('The plan, planned; airplane', ['plan'])).toEqual(['plan', 'planned']);
  });

  it('may be of any script and hold signs that mean something to a pattern', () => {
    expect(found('Привет мир', ['прив'])).toEqual(['Привет']);
    expect(queryWords('a+b "c.d"')).toEqual(['a', 'b', 'c', 'd']);
  });
});

it('a snippet is split at its marks', () => {
  expect(snippetSegments('one \u0002two\u0003 three')).toEqual([
    { text: 'one ' },
    { text: 'two', found: true },
    { text: ' three' },
  ]);
});
