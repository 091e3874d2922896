/**
 * Reads something again, some time after it was asked for: in a flood it is read once in this time, and never twice at
 * once, however long it takes.
 */
export class Again {
  #timer: ReturnType<typeof setTimeout> | undefined;
  #reading = false;
  #asked = false;

  constructor(
    private readonly read: () => Promise<void>,
    private readonly afterMs: number,
  ) {}

  /** Asks for it. What is being read may not know yet: it is read once more. */
  soon(): void {
    if (this.#reading) this.#asked = true;
    else this.#timer ??= setTimeout(() => void this.#run(), this.afterMs);
  }

  /** Reads it at once. What is being read already may not know yet: it is read once more then, soon. */
  async now(): Promise<void> {
    if (this.#reading) {
      this.#asked = true;
      return;
    }
    clearTimeout(this.#timer);
    await this.#run();
  }

  /** What was asked for is not wanted any more. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#asked = false;
  }

  async #run(): Promise<void> {
    this.#timer = undefined;
    this.#reading = true;
    await this.read();
    this.#reading = false;
    if (!this.#asked) return;
    this.#asked = false;
    this.soon();
  }
}
