import type { Run, RunKind, RunState, TaskState } from '$lib/api/types';
import type { Tone } from './events';
import { plural } from './numbers';

/** A state's name for people, and what it says at a glance. */
export const RUN_STATES: Record<RunState, [title: string, tone: Tone]> = {
  seeding: ['Counting', 'busy'],
  running: ['Running', 'busy'],
  paused: ['Paused', 'warn'],
  complete: ['Done', 'good'],
  cancelled: ['Cancelled', 'plain'],
};

export const TASK_STATES: Record<TaskState, [title: string, tone: Tone]> = {
  queued: ['Waiting', 'plain'],
  running: ['Running', 'busy'],
  retrying: ['Trying again', 'warn'],
  completed: ['Done', 'good'],
  failed: ['Failed', 'bad'],
  dead: ['Given up', 'bad'],
  cancelled: ['Cancelled', 'plain'],
};

const KINDS: Record<RunKind, string> = {
  global: 'What is missing',
  historic: 'Everything anew',
  chat: 'One chat',
  conversation: 'One conversation',
  retry: 'Failed ones again',
};

/** What a run covers, in a few words. `titleOf` names a chat. */
export function runTitle(run: Run, titleOf: (chat: number) => string): string {
  const { kind, chats, passes } = run;
  if (kind === 'historic' && passes.length === 1) return `${passTitle(passes[0] ?? '')} anew`;
  const [first] = chats;
  if (first === undefined) return KINDS[kind];
  if (kind === 'historic') return `${chatsTitle(first, chats.length, titleOf)}, anew`;
  return kind === 'retry' ? KINDS.retry : chatsTitle(first, chats.length, titleOf);
}

/** `activity` → `Activity`; names that are abbreviations keep to capitals. */
export function passTitle(name: string): string {
  if (name === 'llm') return 'Language model';
  return name.charAt(0).toUpperCase() + name.slice(1).replaceAll('_', ' ');
}

/** `12.3 %`, never rounded up to 100. */
export function percent(share: number): string {
  const tenths = Math.floor(share * 1000) / 10;
  return `${tenths >= 100 ? '100' : tenths.toFixed(1)} %`;
}

/** How a conversation feels, in a word, from its mood between -1 and 1. */
export function moodTitle(mood: number): string {
  if (mood >= 0.5) return 'very warm';
  if (mood >= 0.15) return 'warm';
  if (mood > -0.15) return 'even';
  return mood > -0.5 ? 'cool' : 'tense';
}

function chatsTitle(first: number, many: number, titleOf: (chat: number) => string): string {
  return many === 1 ? titleOf(first) : `${titleOf(first)} and ${plural(many - 1, 'other chat')}`;
}
