/** A place on a line, in pixels; `null` where there is no value. `hole` keeps the line from leading to it. */
export interface Place {
  x: number;
  y: number | null;
  hole?: boolean;
}

/** The SVG path of a line, lifted where values are missing. A place without neighbours becomes a dot of the line's cap. */
export function linePath(places: readonly Place[]): string {
  return stretches(places)
    .map((stretch) => {
      const line = stretch.map(({ x, y }) => `${short(x)} ${short(y)}`).join('L');
      return stretch.length > 1 ? `M${line}` : `M${line}h0`;
    })
    .join('');
}

/** The SVG path of what lies between a line and the base of the chart. */
export function areaPath(places: readonly Place[], base: number): string {
  return stretches(places)
    .filter((stretch) => stretch.length > 1)
    .map((stretch) => {
      const line = stretch.map(({ x, y }) => `${short(x)} ${short(y)}`).join('L');
      return `M${short(stretch[0]?.x ?? 0)} ${base}L${line}V${base}Z`;
    })
    .join('');
}

function stretches(places: readonly Place[]): { x: number; y: number }[][] {
  const found: { x: number; y: number }[][] = [];
  let current: { x: number; y: number }[] = [];
  for (const { x, y, hole } of places) {
    if (hole || y === null) current = [];
    if (y === null) continue;
    if (current.length === 0) found.push(current);
    current.push({ x, y });
  }
  return found;
}

/** A tenth of a pixel is as fine as anybody sees, and paths are made anew each second. */
function short(n: number): number {
  return Math.round(n * 10) / 10;
}
