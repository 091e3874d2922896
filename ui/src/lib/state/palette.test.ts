import { expect, it } from 'vitest';
import { rank } from './palette';

const commands = ['Settings', 'Book club', 'Theme: dark', 'Ann Settler'].map((title) => ({
  id: title,
  title,
  kind: '',
}));
const titles = (query: string) => rank(commands, query).map(({ title }) => title);

it('beginnings come before words, words before letters in order', () => {
  expect(titles('set')).toEqual(['Settings', 'Ann Settler']);
  expect(titles('bclb')).toEqual(['Book club']);
  expect(titles('')).toHaveLength(4);
  expect(titles('xyz')).toEqual([]);
});
