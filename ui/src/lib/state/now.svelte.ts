const MINUTE_MS = 60_000;

/** The present minute, for relative times: whoever shows them is drawn anew when it changes. */
class Now {
  date = $state.raw(new Date());

  constructor() {
    setInterval(() => (this.date = new Date()), MINUTE_MS);
    // A laptop that slept wakes with yesterday's "Today".
    document.addEventListener('visibilitychange', () => {
      if (!document.hidden) this.date = new Date();
    });
  }
}

export const now = new Now();
