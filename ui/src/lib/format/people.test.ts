import { describe, expect, it } from 'vitest';
import { HUES, hue, initials, sourceTitle } from './people';

describe('initials', () => {
  it.each([
    ['Anna Schmidt', 'AS'],
    ['anna', 'A'],
    ['Jean Paul van den Berg', 'JB'],
    ['Weekend in Lisbon 🇵🇹', 'WL'],
    ['+49 151 2345678', '78'],
    ['🎉', '🎉'],
    ['~ éva', 'É'],
    ['山田 太郎', '山太'],
    ['', '?'],
  ])('of %j are %j', (name, expected) => expect(initials(name)).toBe(expected));
});

it('every id has a colour that exists', () => {
  for (const id of [-3, 0, 1, 7, 8, 123_456_789]) {
    expect(hue(id)).toBeGreaterThanOrEqual(0);
    expect(hue(id)).toBeLessThan(HUES);
  }
});

it('a source that is not known keeps its name', () => {
  expect(sourceTitle('whatsapp')).toBe('WhatsApp');
  expect(sourceTitle('mybridge')).toBe('Mybridge');
});
