import type { StreamEntry } from '$lib/api/types';
import { rowView } from '$lib/format/events';
import type { EventRow } from '$lib/state/eventWindow';

/** A line of the list: an entry, a place where some are missing, the start of a day (a time in it), or of the log. */
export type Item = { key: number | string } & (
  { entry: StreamEntry } | { gap: string } | { day: string } | { start: true }
);

/**
 * The lines of a stretch of rows. The first day has a line only where the log begins: it may have begun above, and a line
 * that vanishes once more is read would make the view jump.
 */
export function listItems(rows: readonly EventRow[], fromStart: boolean): Item[] {
  const items: Item[] = [];
  if (fromStart && rows.length > 0) items.push({ key: 'start', start: true });
  let day: string | null = fromStart ? '' : null;
  for (const row of rows) {
    if ('entry' in row) {
      const view = rowView(row.entry);
      if (day !== null && view.day !== day && view.time)
        items.push({ key: `day ${row.key}`, day: view.time });
      ({ day } = view);
    }
    items.push(row);
  }
  return items;
}
