import { Stored } from './stored.svelte';

export type Theme = 'system' | 'light' | 'dark';

/** The chosen theme. `static/theme.js` reads the same entry before the first paint. */
export const theme = new Stored<Theme>('theme', 'system');

/** Makes the page follow the chosen theme. */
export function applyTheme(value: Theme): void {
  if (value === 'system') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = value;
}
