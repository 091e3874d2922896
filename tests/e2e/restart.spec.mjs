// The program goes away under an open page and comes back: the page heals itself, and has missed nothing.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { atEnd, bubble, launch, open, shownTexts } from './harness/browser.mjs';
import { history, Program } from './harness/program.mjs';

let program, browser, page;

before(async () => {
  program = await Program.start();
  await program.post('Lasting', history(500));
  browser = await launch();
  ({ page } = await open(browser, program));
  await page.getByRole('link', { name: /Lasting/ }).click();
  await bubble(page, 'history 500').waitFor();
  // What a reload would lose.
  await page.evaluate(() => (globalThis.samePage = true));
});

after(async () => {
  await browser?.close();
  await program?.remove();
});

test('a lost connection is said quietly, with what happens next', async () => {
  await program.post('Lasting', ['before']);
  await bubble(page, 'before').waitFor();
  await program.down();
  await page.getByText('Connection lost.').waitFor();
  await page.getByText(/Trying again/).waitFor();
});

test('the page heals without a reload and shows what came meanwhile, once and in order', async () => {
  await program.up();
  const missed = Array.from({ length: 40 }, (_, i) => `missed ${i + 1}`);
  await program.post('Lasting', missed);
  await bubble(page, 'missed 40').waitFor();
  await page.getByText('Connection lost.').waitFor({ state: 'detached' });
  await atEnd(page);
  const texts = await shownTexts(page);
  const tail = ['history 500', 'before', ...missed];
  assert.deepEqual(texts, [...tail].slice(-texts.length));
  assert.equal(await page.evaluate(() => globalThis.samePage), true);
});

test('and goes on live', async () => {
  await program.post('Lasting', ['live again']);
  await bubble(page, 'live again').waitFor();
});

test('the chats of the list are current too', async () => {
  await program.post('Brand new', ['hello there']);
  await page.getByRole('link', { name: /Brand new/ }).waitFor();
});

test('"Try now" does not wait for the countdown', async () => {
  await program.down();
  await page.getByText('Connection lost.').waitFor();
  await program.up();
  await program.post('Lasting', ['after the second time']);
  const button = page.getByRole('button', { name: 'Try now' });
  // It may have healed by itself already.
  await button.click({ timeout: 2000 }).catch(() => undefined);
  await bubble(page, 'after the second time').waitFor();
});
