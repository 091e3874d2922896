/** A value that this browser remembers, and that all its tabs share. */
export class Stored<T> {
  #value = $state.raw() as T;

  constructor(
    private readonly name: string,
    fallback: T,
  ) {
    this.#value = read(key(name), fallback);
    addEventListener('storage', (event) => {
      if (event.key === key(name)) this.#value = read(key(name), fallback);
    });
  }

  get value(): T {
    return this.#value;
  }

  set value(value: T) {
    this.#value = value;
    try {
      localStorage.setItem(key(this.name), typeof value === 'string' ? value : JSON.stringify(value));
    } catch {
      // Storage is full or forbidden: the choice holds until the page is closed.
    }
  }
}

function key(name: string): string {
  return `chatstats:${name}`;
}

function read<T>(name: string, fallback: T): T {
  try {
    const text = localStorage.getItem(name);
    if (text === null) return fallback;
    if (typeof fallback === 'string') return text as T;
    return JSON.parse(text) as T;
  } catch {
    return fallback;
  }
}
