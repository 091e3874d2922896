import { expect, test } from 'vitest';
import { filterAddress, filterOf } from './taskFilter';

test('an address keeps a filter, and what is none in it is passed over', () => {
  const filter = { state: 'dead', chat: 3 } as const;
  expect(filterOf(new URLSearchParams(filterAddress(filter)))).toEqual(filter);
  expect(filterOf(new URLSearchParams('state=gone&chat=x'))).toEqual({ state: undefined, chat: undefined });
  expect(filterAddress({})).toBe('?');
});
