import { getHub } from '$lib/api/hub';
import { Poll } from './poll.svelte';

const POLL_MS = 1000;

/** What the hub does, asked for while a view shows it. */
export const hub = new Poll(getHub, POLL_MS);
