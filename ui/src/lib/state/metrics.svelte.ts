import { subscribe, type TopicState } from '$lib/api/live/client';
import type { Metrics } from '$lib/api/types';
import { MetricsWindow, type Sample } from './metricsWindow';

/**
 * How the program fares, for as long as somebody sees it: the program takes no snapshots that nobody looks at.
 *
 * What was heard stays when the view is left, up to the window's limit.
 */
class MetricsFeed {
  /** The oldest first. */
  samples = $state.raw<readonly Sample[]>([]);
  state = $state.raw<TopicState>({ phase: 'connecting' });
  readonly #window = new MetricsWindow();
  #end: (() => void) | undefined;

  /** Listens while the page is visible; the answer ends it. */
  follow(): () => void {
    const visibility = () => (document.hidden ? this.#close() : this.#open());
    document.addEventListener('visibilitychange', visibility);
    visibility();
    return () => {
      document.removeEventListener('visibilitychange', visibility);
      this.#close();
    };
  }

  #open(): void {
    this.#end ??= subscribe('metrics', {
      state: (state) => {
        if (state.phase === 'live') this.#window.join();
        this.state = state;
      },
      event: (name, data) => {
        if (name !== 'snapshot') return;
        this.#window.add(data as Metrics);
        this.samples = this.#window.samples;
      },
    });
  }

  #close(): void {
    this.#end?.();
    this.#end = undefined;
    this.state = { phase: 'connecting' };
  }
}

export const metrics = new MetricsFeed();
