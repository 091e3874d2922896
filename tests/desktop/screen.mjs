// A screen of its own for the real window: an X server, a window manager and a session bus that nobody else uses.

import { execFile, spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Longer than the slowest start on a busy machine with two cores; a test that waits this long has failed. */
export const PATIENCE_MS = 30_000;

/** How long a window may take to react before it is asked again. */
const SOON_MS = 5_000;

const REPORT = fileURLToPath(new URL('./report/', import.meta.url));

/** Starts everything; `stop` ends it. */
export async function openScreen() {
  const folder = await mkdtemp(join(tmpdir(), 'chatstats-screen-'));
  await writeFile(join(folder, 'bus.conf'), BUS);
  await mkdir(REPORT, { recursive: true });

  // -displayfd takes a free display and says which once it can be used.
  const xvfb = spawn('Xvfb', ['-displayfd', '3', '-screen', '0', '1280x900x24', '-nolisten', 'tcp'], {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
  });
  const display = `:${await firstLine(xvfb, xvfb.stdio[3])}`;
  const bus = spawn('dbus-daemon', ['--config-file', join(folder, 'bus.conf'), '--nofork', '--print-address'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const address = await firstLine(bus, bus.stdout);
  const env = {
    ...process.env,
    DISPLAY: display,
    DBUS_SESSION_BUS_ADDRESS: address,
    GDK_BACKEND: 'x11',
    WAYLAND_DISPLAY: '',
    NO_AT_BRIDGE: '1',
    // Settings of the toolkit stay in memory: there is no service here to keep them.
    GSETTINGS_BACKEND: 'memory',
  };
  const manager = spawn('openbox', ['--sm-disable'], { env, stdio: 'ignore' });
  const stop = async () => {
    for (const process of [manager, bus, xvfb]) await end(process);
    // A program that is about to end may still write.
    await rm(folder, { recursive: true, force: true, maxRetries: 20 });
  };
  try {
    // A window that is there before it is taken over late, and loses what it is asked meanwhile.
    await until('the window manager is there', () => run('xdotool', ['get_num_desktops'], { env }));
  } catch (error) {
    await stop();
    throw error;
  }

  return {
    env,
    folder,
    /** Runs xdotool and returns what it prints. */
    xdotool: async (...words) => (await run('xdotool', words, { env })).stdout.trim(),
    /** Keeps a picture of the whole screen in tests/desktop/report. */
    shot: (name) => run('import', ['-window', 'root', join(REPORT, `${name}.png`)], { env }),
    stop,
  };
}

/** Asks a process to end, and makes it after a while. Resolves with its exit code, or the signal that ended it. */
export async function end(child, signal = 'SIGTERM') {
  if (child.exitCode === null && child.signalCode === null) child.kill(signal);
  return exitOf(child);
}

/** How a process ended: its exit code, or the name of the signal. One that does not end is killed and says so. */
export function exitOf(child) {
  return new Promise((resolve) => {
    const ended = () => resolve(child.exitCode ?? child.signalCode);
    if (child.exitCode !== null || child.signalCode !== null) return ended();
    const timer = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS);
    child.once('exit', () => {
      clearTimeout(timer);
      ended();
    });
  });
}

/** Resolves with the first thing `look` returns that is true; errors count as not yet. */
export async function until(what, look) {
  const deadline = Date.now() + PATIENCE_MS;
  let last;
  while (Date.now() < deadline) {
    try {
      last = await look();
      if (last) return last;
    } catch (error) {
      last = error;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`waited in vain until ${what}; last seen: ${last?.message ?? last}`);
}

/** Whether something comes true within a second or two. */
export async function soon(look) {
  const deadline = Date.now() + SOON_MS;
  while (Date.now() < deadline) {
    if (await look()) return true;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return false;
}

/** Resolves with the first line of a stream; fails if the process ends before. */
export function firstLine(child, stream) {
  return new Promise((resolve, reject) => {
    createInterface({ input: stream }).once('line', resolve);
    child.once('error', reject);
    child.once('exit', (code, signal) => reject(new Error(`${child.spawnfile} ended with ${code ?? signal}`)));
  });
}

/** A session bus that starts no services: what a test leaves behind would outlive it. */
const BUS = `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
  "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:tmpdir=/tmp</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
`;
