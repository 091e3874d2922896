import adapter from '@sveltejs/adapter-static';
import { vitePreprocess } from '@sveltejs/vite-plugin-svelte';

/** @type {import('@sveltejs/kit').Config} */
export default {
  preprocess: vitePreprocess(),
  kit: {
    // One page for every address: the server answers unknown paths with index.html.
    adapter: adapter({ fallback: 'index.html', precompress: true }),
    // Addresses are absolute, for the fallback page is served at any depth.
    paths: { relative: false },
  },
};
