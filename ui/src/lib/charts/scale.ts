/** Where an axis may end: a half of each is a number that reads well. */
const TOPS = [1, 2, 4, 6, 8, 10];
/** Steps between the times that are written below a chart, in seconds. */
const TIME_STEPS_S = [15, 30, 60, 120, 300, 600];

/** The end of an axis that starts at zero and holds `max`; at least `floor`, so that a little noise stays little. */
export function niceTop(max: number, floor: number): number {
  const wanted = Math.max(max, floor);
  const decade = 10 ** Math.floor(Math.log10(wanted));
  // 2.0000000000000004 decades are two.
  const top = TOPS.find((one) => one * decade >= wanted * (1 - 1e-9)) ?? 10;
  return top * decade;
}

/** Round times in a span (milliseconds), as close together as `max` of them allow. */
export function timeTicks(from: number, to: number, max: number): number[] {
  const stepS = TIME_STEPS_S.find((step) => (to - from) / (step * 1000) <= max) ?? 600;
  const step = stepS * 1000;
  const first = Math.ceil(from / step) * step;
  return Array.from({ length: Math.max(0, Math.floor((to - first) / step) + 1) }, (_, i) => first + i * step);
}
