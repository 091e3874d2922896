import type { PassInfo } from '$lib/api/types';
import { passTitle } from './analysis';

/** Why a pass cannot be switched as things stand, in a sentence; null where it can. */
export function whyFixed(pass: PassInfo, all: readonly PassInfo[]): string | null {
  if (pass.off_in_config) return 'Switched off in config.toml, which wins over this switch.';
  if (pass.enabled) {
    const users = all.filter((other) => other.enabled && other.needs.includes(pass.name));
    return users.length > 0
      ? `${titles(
          users.map((user) => user.name),
          'need',
          'needs',
        )} it.`
      : null;
  }
  const missing = pass.needs.filter((name) => !all.some((other) => other.name === name && other.enabled));
  if (missing.length === 0) return null;
  return `${list(missing)} ${missing.length > 1 ? 'are' : 'is'} switched off.`;
}

/** When a pass runs, and on what it rests. */
export function cadence(pass: PassInfo): string {
  const when = pass.live ? 'With every message' : 'Once a conversation is over';
  return pass.needs.length > 0 ? `${when} · needs ${list(pass.needs)}` : when;
}

function titles(names: readonly string[], many: string, one: string): string {
  return `${list(names)} ${names.length > 1 ? many : one}`;
}

/** `A`, `A and B`, `A, B and C`. */
function list(names: readonly string[]): string {
  const said = names.map(passTitle);
  const last = said.pop() ?? '';
  return said.length > 0 ? `${said.join(', ')} and ${last}` : last;
}

/** The settings' file in the data folder, as the system writes paths. */
export function configFile(folder: string): string {
  return folder + (folder.includes('\\') ? '\\' : '/') + 'config.toml';
}
