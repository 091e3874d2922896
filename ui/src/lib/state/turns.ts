/**
 * One after the other: what is asked for later is answered later. Answers that overtake each other would leave the older
 * one shown, until something else happens.
 */
export class Turns {
  #last: Promise<unknown> = Promise.resolve();

  /** Does it once everything before it is done, or has failed. */
  take<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#last.then(work);
    this.#last = mine.catch(() => undefined);
    return mine;
  }
}
