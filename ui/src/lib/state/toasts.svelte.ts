/** A short word at the edge of the window. */
export interface Toast {
  id: number;
  text: string;
  tone: 'info' | 'good' | 'bad';
}

/** Long enough to read two lines; errors stay until they are dismissed. */
const SHOWN_MS = 5000;
/** More would cover the view; the oldest give way. */
const MAX_TOASTS = 3;

class Toasts {
  list = $state.raw<Toast[]>([]);
  #nextId = 1;

  say(text: string, tone: Toast['tone'] = 'info'): void {
    const toast = { id: this.#nextId++, text, tone };
    this.list = [...this.list, toast].slice(-MAX_TOASTS);
    if (tone !== 'bad') setTimeout(() => this.dismiss(toast.id), SHOWN_MS);
  }

  /** Shows what went wrong. */
  fail(error: unknown): void {
    this.say(error instanceof Error ? error.message : String(error), 'bad');
  }

  dismiss(id: number): void {
    this.list = this.list.filter((toast) => toast.id !== id);
  }
}

export const toasts = new Toasts();
