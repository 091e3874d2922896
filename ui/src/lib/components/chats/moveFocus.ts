const STEPS: Record<string, number> = { ArrowDown: 1, ArrowUp: -1 };

/** Arrow keys walk through the links of a list; Enter is the link's own. For `onkeydown` of the list's element. */
export function moveFocus(event: KeyboardEvent): void {
  const step = STEPS[event.key];
  if (step === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
  const list = event.currentTarget as HTMLElement;
  if (!(document.activeElement instanceof HTMLAnchorElement)) return;
  // By their place on the screen: a virtual list may hold its rows in another order.
  const links = [...list.querySelectorAll('a')].sort(
    (a, b) => a.getBoundingClientRect().top - b.getBoundingClientRect().top,
  );
  const next = links[links.indexOf(document.activeElement) + step];
  if (!next) return;
  event.preventDefault();
  next.focus();
  next.scrollIntoView({ block: 'nearest' });
}

/** Focuses the first link below an element: from a search field into its list. */
export function enterList(list: Element | null): void {
  list?.querySelector('a')?.focus();
}
