import Activity from '@lucide/svelte/icons/activity';
import ChartNoAxesCombined from '@lucide/svelte/icons/chart-no-axes-combined';
import ListChecks from '@lucide/svelte/icons/list-checks';
import MessagesSquare from '@lucide/svelte/icons/messages-square';
import Settings from '@lucide/svelte/icons/settings';
import Upload from '@lucide/svelte/icons/upload';
import UsersRound from '@lucide/svelte/icons/users-round';
import type { Component } from 'svelte';

/** A place in the navigation rail and the command palette. A new view is one entry here and one folder in `routes`. */
export interface View {
  path: string;
  title: string;
  icon: Component;
}

export const views: View[] = [
  { path: '/chats', title: 'Chats', icon: MessagesSquare as unknown as Component },
  { path: '/people', title: 'People', icon: UsersRound as unknown as Component },
  { path: '/commitments', title: 'Promises', icon: ListChecks as unknown as Component },
  { path: '/analysis', title: 'Analysis', icon: ChartNoAxesCombined as unknown as Component },
  { path: '/events', title: 'Events', icon: Activity as unknown as Component },
  { path: '/imports', title: 'Imports', icon: Upload as unknown as Component },
  { path: '/settings', title: 'Settings', icon: Settings as unknown as Component },
];

/** A view within the events view. */
export interface EventView {
  path: string;
  title: string;
  about: string;
}

export const eventViews: [EventView, ...EventView[]] = [
  { path: '/events', title: 'Events', about: 'Analysis, runs and commitments: the event log' },
  {
    path: '/events/messages',
    title: 'Messages',
    about: 'New messages on their way to open windows: the hub',
  },
  { path: '/events/metrics', title: 'Metrics', about: 'How fast all this goes, and what it costs' },
];
