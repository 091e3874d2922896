import js from '@eslint/js';
import svelte from 'eslint-plugin-svelte';
import globals from 'globals';
import ts from 'typescript-eslint';
import svelteConfig from './svelte.config.js';

/** What talks to the server; only `lib/api` may. */
const network = ['fetch', 'EventSource', 'XMLHttpRequest', 'SharedWorker', 'WebSocket'].map((name) => ({
  name,
  message: 'Talk to the server through lib/api.',
}));

export default ts.config(
  { ignores: ['build/', '.svelte-kit/', 'src/lib/api/bindings/'] },
  js.configs.recommended,
  ...ts.configs.strict,
  ...svelte.configs.recommended,
  {
    languageOptions: { globals: { ...globals.browser, ...globals.node } },
    rules: {
      'no-restricted-globals': ['error', ...network],
      'no-console': 'error',
      // Pages are served at the root of their own origin: there is no base path to resolve.
      'svelte/no-navigation-without-resolve': 'off',
      'max-lines': ['error', { max: 300, skipBlankLines: true, skipComments: true }],
      // TypeScript finds undefined names itself, and knows types that ESLint does not.
      'no-undef': 'off',
    },
  },
  { files: ['src/lib/api/**'], rules: { 'no-restricted-globals': 'off' } },
  {
    files: ['**/*.svelte', '**/*.svelte.ts'],
    languageOptions: { parserOptions: { parser: ts.parser, svelteConfig } },
    rules: {
      // State is `$state.raw` and replaced as a whole: a list of a thousand needs no thousand signals.
      'svelte/prefer-svelte-reactivity': 'off',
    },
  },
);
