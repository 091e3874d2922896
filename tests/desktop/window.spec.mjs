// The real window, driven like a person would: import by a second start and by the file dialog, read, follow a link.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { home, program } from './program.mjs';
import { exitOf, openScreen, soon, until } from './screen.mjs';
import { drive } from './webdriver.mjs';

let screen, env, window;

before(async () => {
  screen = await openScreen();
  env = await home(screen, 'window');
  await browserThatTakesNotes(env);
  window = await drive(program, ['--listen', '127.0.0.1:0'], env);
});

after(async () => {
  await window?.stop();
  await screen?.stop();
});

test('an empty window explains itself and offers to import', async () => {
  await until('the first-run page is there', async () => /Bring your chats together/.test(await window.text()));
  await screen.shot('first-run');
  assert.doesNotMatch(await window.url(), /token/, 'the address in the window shows no token');
});

test('the page can call nothing in the shell', async () => {
  const answer = await window.asyncScript(`
    const done = arguments[arguments.length - 1];
    const invoke = window.__TAURI_INTERNALS__?.invoke;
    if (!invoke) done('no way in');
    else invoke('plugin:window|set_title', { label: 'main', value: 'taken over' }).then(() => done('called'), () => done('refused'));
  `);
  assert.notEqual(answer, 'called');
  assert.equal(await screen.xdotool('search', '--name', 'taken over').catch(() => ''), '');
});

test('a second start hands its file to the first one and ends with 0', async () => {
  await writeFile(join(env.HOME, 'WhatsApp Chat with Ada.txt'), chat('Ada', 'Handed over by the second start'));
  const second = spawn(program, ['WhatsApp Chat with Ada.txt'], { env, cwd: env.HOME, stdio: 'ignore' });
  assert.equal(await exitOf(second), 0);
  await until('the page shows the import', async () => /\/imports\/\d+$/.test(await window.url()));
  await openChat('Ada', 'Handed over by the second start');
  await screen.shot('handed-over');
});

test('a second start brings a minimised window back to the front', async () => {
  const id = await screen.xdotool('search', '--onlyvisible', '--name', '^ChatStats$');
  await screen.xdotool('windowminimize', '--sync', id.split('\n')[0]);
  await until('it is gone', async () => (await screen.xdotool('search', '--onlyvisible', '--name', '^ChatStats$').catch(() => '')) === '');
  assert.equal(await exitOf(spawn(program, [], { env, stdio: 'ignore' })), 0);
  await until('it has the focus', async () => (await screen.xdotool('getactivewindow', 'getwindowname')) === 'ChatStats');
});

test('a file picked in the dialog of the menu is imported', async () => {
  const file = join(env.HOME, 'WhatsApp Chat with Grace.txt');
  await writeFile(file, chat('Grace', 'Picked in the dialog'));
  const before = await window.url();
  await until('the dialog takes the path', () => pick(file));
  await until('the page shows the import', async () => {
    const url = await window.url();
    return url !== before && /\/imports\/\d+$/.test(url);
  });
  await openChat('Grace', 'Picked in the dialog');
  await screen.shot('picked');
});

test('a link to elsewhere opens in the browser and not in the window', async () => {
  const here = await window.url();
  for (const target of ['', '_blank']) {
    const link = `https://example.org/${target || 'plain'}`;
    await window.script(
      `const link = Object.assign(document.createElement('a'), { id: 'away', href: arguments[0], target: arguments[1], textContent: 'away' });
       link.style.cssText = 'position: fixed; inset: 0 auto auto 0; z-index: 999; background: white';
       document.getElementById('away')?.remove();
       document.body.append(link);`,
      link,
      target,
    );
    await window.click('#away');
    await until(`the browser is asked for ${link}`, async () => (await readFile(join(env.HOME, 'opened'), 'utf8')).includes(link));
    assert.equal(await window.url(), here);
  }
});

/**
 * Opens the menu's file dialog and types a path into it. The first letter opens GTK's field for it, and the second is
 * lost when it comes before the field is there: a path that does not exist keeps the dialog open, and is typed again.
 */
async function pick(file) {
  const find = () => screen.xdotool('search', '--onlyvisible', '--name', '^Import chat exports$').catch(() => '');
  // The window may not have the focus yet.
  const dialog = await until('the dialog opens', async () => {
    await screen.xdotool('key', 'ctrl+o');
    return (await soon(async () => (await find()) !== '')) && find();
  });
  await screen.xdotool('windowfocus', '--sync', dialog.split('\n')[0]);
  await screen.xdotool('type', '--delay', '40', file);
  await screen.shot('file-dialog');
  await screen.xdotool('key', 'Return');
  const isGone = async () => (await find()) === '';
  if (await soon(isGone)) return true;
  await until('the dialog closes', async () => {
    await screen.xdotool('key', 'Escape');
    return soon(isGone);
  });
  return false;
}

/** Opens a chat from the list the way a person does and waits for one of its messages. */
async function openChat(title, message) {
  await window.script("history.pushState({}, '', '/chats'); dispatchEvent(new PopStateEvent('popstate'))");
  await until(`${title} is in the list`, () =>
    window.script(
      `const row = [...document.querySelectorAll('a[href^="/chats/"]')].find((row) => row.innerText.includes(arguments[0]));
       row?.click();
       return Boolean(row)`,
      title,
    ),
  );
  await until(`“${message}” is on the screen`, () =>
    window.script(
      `return [...document.querySelectorAll('[data-message]')].some((bubble) => bubble.innerText.includes(arguments[0]))`,
      message,
    ),
  );
}

function chat(other, message) {
  return `12/31/23, 10:00 - ${other}: ${message}\n12/31/23, 10:01 - Me: Good to know\n`;
}

/** Puts a browser in front that only writes down what it should open. */
async function browserThatTakesNotes(env) {
  const folder = join(env.HOME, 'bin');
  await mkdir(folder, { recursive: true });
  for (const name of ['xdg-open', 'gio', 'wslview']) {
    await writeFile(join(folder, name), `#!/bin/sh\necho "$@" >> "${env.HOME}/opened"\n`);
    await chmod(join(folder, name), 0o755);
  }
  env.PATH = `${folder}:${env.PATH}`;
}
