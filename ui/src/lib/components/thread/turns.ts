const KEYS: Record<string, 'up' | 'down'> = {
  ArrowUp: 'up',
  PageUp: 'up',
  Home: 'up',
  ArrowDown: 'down',
  PageDown: 'down',
  ' ': 'down',
};

/**
 * Tells when a person begins to scroll an element, and whither; the answer ends it.
 *
 * Scroll events cannot tell: offsets also change by themselves, as heights become known and messages come and go.
 * Where the direction cannot be known, it is `up`: away from the end.
 */
export function onTurn(element: HTMLElement, turned: (to: 'up' | 'down') => void): () => void {
  const end = new AbortController();
  // Passive, or each turn of the wheel would wait for this code.
  const options = { passive: true, signal: end.signal };
  element.addEventListener('wheel', ({ deltaY }) => turned(deltaY < 0 ? 'up' : 'down'), options);
  element.addEventListener('touchmove', () => turned('up'), options);
  element.addEventListener(
    'pointerdown',
    ({ offsetX }) => offsetX > element.clientWidth && turned('up'),
    options,
  );
  element.addEventListener(
    'keydown',
    ({ key, target }) => {
      const to = KEYS[key];
      if (to && target === element) turned(to);
    },
    options,
  );
  return () => end.abort();
}
