import { KEPT_MINUTES } from '$lib/state/metricsWindow';

/** Minutes that can be shown. */
export const SPANS = [2, 5, KEPT_MINUTES] as const;
export type Span = (typeof SPANS)[number];

/** What the view opens with. */
export const USUAL_SPAN: Span = 5;

/** The span that an address asks for. */
export function spanOf(text: string | null): Span {
  return SPANS.find((span) => String(span) === text) ?? USUAL_SPAN;
}
