// A single-page app: the server holds no state of the view, so there is nothing to render there.
export const ssr = false;
export const prerender = false;
