// Starting and ending: what a person sees when the program cannot start, and that it leaves cleanly when asked to.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { headless, home, program } from './program.mjs';
import { end, exitOf, firstLine, openScreen, soon, until } from './screen.mjs';
import { drive } from './webdriver.mjs';

let screen;

before(async () => {
  screen = await openScreen();
});

after(() => screen?.stop());

test('a port that another program has is said in a dialog, and the program ends with 1', async () => {
  const env = await home(screen, 'port-taken');
  const other = createServer();
  await new Promise((resolve) => other.listen(0, '127.0.0.1', resolve));
  const address = `127.0.0.1:${other.address().port}`;
  try {
    const said = await failsWithDialog('port-taken', env, ['--listen', address]);
    assert.match(said, new RegExp(`${address} is taken`));
  } finally {
    other.close();
  }
});

test('a data directory that a running server holds is said in a dialog', async () => {
  const env = await home(screen, 'data-dir-locked');
  const server = spawn(headless, ['serve', '--listen', '127.0.0.1:0'], { env, stdio: ['ignore', 'pipe', 'ignore'] });
  await firstLine(server, server.stdout);
  try {
    const said = await failsWithDialog('data-dir-locked', env, ['--listen', '127.0.0.1:0']);
    assert.match(said, /in use by another ChatStats/);
    assert.match(said, new RegExp(`process ${server.pid}`));
  } finally {
    assert.equal(await end(server), 0);
  }
});

test('a damaged database is said in a dialog and left as it is', async () => {
  const env = await home(screen, 'database-damaged');
  const database = join(env.CHATSTATS_DATA_DIR, 'chatstats.db');
  const rubbish = 'This was a database before the disk failed. 100%s%n '.repeat(400);
  await mkdir(env.CHATSTATS_DATA_DIR, { recursive: true });
  await writeFile(database, rubbish);
  const said = await failsWithDialog('database-damaged', env, ['--listen', '127.0.0.1:0']);
  assert.match(said, /chatstats\.db/);
  assert.equal(await readFile(database, 'utf8'), rubbish);
});

test('a mistake in config.toml is said in a dialog', async () => {
  const env = await home(screen, 'config-wrong');
  await mkdir(env.CHATSTATS_DATA_DIR, { recursive: true });
  await writeFile(join(env.CHATSTATS_DATA_DIR, 'config.toml'), 'lisen = "127.0.0.1:0"\n');
  assert.match(await failsWithDialog('config-wrong', env, []), /config\.toml[^]*lisen/);
});

test('no library cleans up at the end: a thread of the toolkit uses them to the last', async () => {
  const env = { ...(await home(screen, 'fini')), LD_DEBUG: 'files' };
  await mkdir(env.CHATSTATS_DATA_DIR, { recursive: true });
  await writeFile(join(env.CHATSTATS_DATA_DIR, 'config.toml'), 'lisen = "127.0.0.1:0"\n');
  const said = await failsWithDialog('fini', env, []);
  assert.match(said, /calling init: .*libX11/);
  assert.doesNotMatch(said, /calling fini: .*libX/);
});

test('without a display the program says what to do instead of crashing', async () => {
  const env = { ...(await home(screen, 'no-display')), DISPLAY: '' };
  const { child, said } = start(env, []);
  assert.equal(await exitOf(child), 1);
  assert.match(said(), /chatstats serve/);
  assert.doesNotMatch(said(), /panicked/);
});

test('wrong use ends with 2, and asking for help with 0', async () => {
  const env = await home(screen, 'wrong-use');
  const wrong = start(env, ['--fullscreen']);
  assert.equal(await exitOf(wrong.child), 2);
  assert.match(wrong.said(), /--fullscreen/);
  assert.equal(await exitOf(start(env, ['--help']).child), 0);
});

for (const signal of ['SIGTERM', 'SIGINT']) {
  test(`${signal} closes the window, ends the server and leaves with 0`, async () => {
    const env = await home(screen, signal);
    const { child, said } = start(env, ['--listen', '127.0.0.1:0']);
    await until('the window is there', () => screen.xdotool('search', '--onlyvisible', '--name', '^ChatStats$'));
    await until('the server runs', () => /listening/.test(said()));
    assert.equal(await end(child, signal), 0);
    assert.match(said(), /shut down/);
  });
}

test('a file named on the command line is imported, and the window opens on its import', async () => {
  const env = await home(screen, 'with-file');
  await writeFile(join(env.HOME, 'chat.txt'), '12/31/23, 10:00 - Ada: From the command line\n');
  const window = await drive(program, ['--listen', '127.0.0.1:0', join(env.HOME, 'chat.txt')], env);
  try {
    await until('the window is at the import', async () => /\/imports\/\d+$/.test(await window.url()));
    await until('the receipt names the file', async () => /chat\.txt/.test(await window.text()));
    await until('the chat is stored', () =>
      window.asyncScript(
        `const done = arguments[arguments.length - 1];
         fetch('/api/chats').then((answer) => answer.text()).then((text) => done(text.includes('From the command line')));`,
      ),
    );
    await screen.shot('with-file');
  } finally {
    await window.stop();
  }
});

/** Starts the program, waits for the dialog, keeps a picture, closes it, and returns what was said. */
async function failsWithDialog(name, env, args) {
  const { child, said } = start(env, args);
  const dialog = await until('the dialog is there', () => screen.xdotool('search', '--onlyvisible', '--name', '^ChatStats$'));
  await screen.xdotool('windowfocus', '--sync', dialog.split('\n')[0]);
  await screen.shot(name);
  assert.equal(child.exitCode, null, 'the program waits until the dialog is closed');
  await until('the dialog is closed', async () => {
    await screen.xdotool('key', 'Escape');
    return soon(() => child.exitCode !== null || child.signalCode !== null);
  });
  assert.equal(await exitOf(child), 1);
  return said();
}

function start(env, args) {
  const child = spawn(program, args, { env, stdio: ['ignore', 'ignore', 'pipe'] });
  let text = '';
  // Logs are coloured for people.
  child.stderr.on('data', (bytes) => (text += bytes.toString().replace(/\x1b\[[0-9;]*m/g, '')));
  return { child, said: () => text };
}
