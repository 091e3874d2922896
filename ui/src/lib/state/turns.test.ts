import { describe, expect, it, vi } from 'vitest';
import { Again } from './again';
import { Turns } from './turns';

/** A question whose answer is given by hand. */
function held<T>() {
  let answer: (value: T) => void = () => undefined;
  const promise = new Promise<T>((resolve) => (answer = resolve));
  return { promise, answer };
}

describe('Turns', () => {
  it('begins with the next when the one before is done, and gives each its own answer', async () => {
    const turns = new Turns();
    const [first, second] = [held<string>(), held<string>()];
    const begun: number[] = [];
    const one = turns.take(() => (begun.push(1), first.promise));
    const other = turns.take(() => (begun.push(2), second.promise));
    second.answer('newer');
    await Promise.resolve();
    expect(begun).toEqual([1]);
    first.answer('older');
    expect([await one, await other, begun]).toEqual(['older', 'newer', [1, 2]]);
  });

  it('goes on after a failure, which only its own asker hears of', async () => {
    const turns = new Turns();
    const broken = turns.take(() => Promise.reject(new Error('away')));
    const next = turns.take(() => Promise.resolve('there'));
    await expect(broken).rejects.toThrow('away');
    expect(await next).toBe('there');
  });
});

describe('Again', () => {
  it('reads at once when it is to, and once more for what came while it was reading', async () => {
    const reading = held<undefined>();
    const read = vi.fn(() => (read.mock.calls.length === 1 ? reading.promise : Promise.resolve()));
    const again = new Again(read, 0);
    const done = again.now();
    void again.now();
    again.soon();
    expect(read).toHaveBeenCalledTimes(1);
    reading.answer(undefined);
    await done;
    await expect.poll(() => read.mock.calls.length).toBe(2);
    again.stop();
  });
});
