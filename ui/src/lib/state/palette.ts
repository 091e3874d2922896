import { fold } from './chatOrder';

/** One line of the command palette: a place to go, or something to do. */
export interface Command {
  id: string;
  title: string;
  /** What it is, in a word. */
  kind: string;
  /** Where it goes; otherwise `run` does it. */
  path?: string;
  run?: () => void;
}

/** More lines than these nobody reads. */
const MAX_SHOWN = 50;

/** The commands that match, the best first: those that begin so, then words that do, then letters in order. */
export function rank(commands: readonly Command[], query: string): Command[] {
  const wanted = fold(query.trim());
  if (!wanted) return commands.slice(0, MAX_SHOWN);
  return commands
    .map((command, order) => ({ command, order, score: score(fold(command.title), wanted) }))
    .filter(({ score }) => score > 0)
    .sort((a, b) => b.score - a.score || a.order - b.order)
    .slice(0, MAX_SHOWN)
    .map(({ command }) => command);
}

function score(title: string, wanted: string): number {
  if (title.startsWith(wanted)) return 4;
  if (title.split(/\s+/).some((word) => word.startsWith(wanted))) return 3;
  if (title.includes(wanted)) return 2;
  let from = 0;
  for (const letter of wanted) {
    const at = title.indexOf(letter, from);
    if (at < 0) return 0;
    from = at + 1;
  }
  return 1;
}
