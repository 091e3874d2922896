import { sveltekit } from '@sveltejs/kit/vite';
import { defineConfig } from 'vitest/config';
import type { Plugin } from 'vite';

export default defineConfig({
  plugins: [announcerWithoutInlineStyle(), sveltekit()],
  // A worker that imports nothing at run time starts with one request.
  worker: { format: 'es' },
  build: { target: 'es2022' },
  resolve: process.env.VITEST ? { conditions: ['browser'] } : {},
  test: {
    environment: 'happy-dom',
    include: ['src/**/*.test.ts'],
    // Much longer than anything takes on a machine that stalls.
    testTimeout: 60_000,
  },
});

/**
 * SvelteKit hides its route announcer by a `style` attribute, which a strict Content-Security-Policy refuses.
 * `base.css` hides it by a rule instead, so the attribute can go.
 */
function announcerWithoutInlineStyle(): Plugin {
  return {
    name: 'announcer-without-inline-style',
    enforce: 'pre',
    transform(code, id) {
      if (!/generated\/(client[^/]*\/)?root\.svelte/.test(id)) return null;
      return code.replace(/(id="svelte-announcer"[^>]*?)\s+style="[^"]*"/, '$1');
    },
  };
}
