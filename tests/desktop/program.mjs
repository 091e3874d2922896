// The program under test and a home of its own for each test.

import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';

/** The desktop program, as `cargo xtask test` builds it. */
export const program = named('CHATSTATS_DESKTOP_BIN');

/** The headless program. */
export const headless = named('CHATSTATS_BIN');

/** An environment in which the program finds nothing of the person who runs the tests, and leaves nothing. */
export async function home(screen, name) {
  const folder = join(screen.folder, name);
  await mkdir(folder, { recursive: true });
  const env = {
    ...screen.env,
    HOME: folder,
    XDG_CONFIG_HOME: join(folder, 'config'),
    XDG_DATA_HOME: join(folder, 'share'),
    XDG_CACHE_HOME: join(folder, 'cache'),
    CHATSTATS_DATA_DIR: join(folder, 'data'),
  };
  for (const key of ['CHATSTATS_LISTEN', 'CHATSTATS_REDIS_URL', 'CHATSTATS_TOKEN', 'CHATSTATS_HEARTBEAT_S']) delete env[key];
  return env;
}

function named(variable) {
  const path = process.env[variable];
  assert.ok(path, `${variable} must name a built program; \`cargo xtask test desktop\` sets it`);
  return path;
}
