// Search over everything and within a chat; a hit opens the message view at its message.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { bubble, launch, open, scrollUntil } from './harness/browser.mjs';
import { history, Program } from './harness/program.mjs';

let program, browser, context, page;

before(async () => {
  program = await Program.start();
  const old = history(2000);
  old[300].content = 'the pineapple was here';
  old[600].content = 'Pineapples again, and a link: https://example.org/pineapple';
  await program.post('Groceries', old);
  await program.post('Pineapple fans', ['nothing of the sort']);
  browser = await launch();
  ({ context, page } = await open(browser, program));
});

after(async () => {
  await browser?.close();
  await program?.remove();
});

test('a slash leads to the search, which finds chats and messages', async () => {
  await page.getByRole('link', { name: /Groceries/ }).waitFor();
  await page.keyboard.press('/');
  await page.keyboard.type('pineap');
  await page.getByRole('link', { name: /Pineapple fans/ }).waitFor();
  await page.getByRole('link', { name: /pineapple was here/ }).waitFor();
});

test('a hit opens the view at its message, pointed out and marked', async () => {
  await page.getByRole('link', { name: /pineapple was here/ }).click();
  const hit = bubble(page, 'the pineapple was here');
  await page.locator('.flash').waitFor();
  await page.locator('[data-message] mark', { hasText: 'pineapple' }).first().waitFor();
  assert.ok((await hit.count()) <= 1);
  const box = await page.locator('[data-message]', { hasText: 'the pineapple was here' }).boundingBox();
  assert.ok(box && box.y > 56 && box.y < 760, 'the hit is in sight');
});

test('from there the chat scrolls on in both directions', async () => {
  await scrollUntil(page, 300, page.locator('[data-message]', { hasText: /history 33\d/ }).first());
  await scrollUntil(page, -300, page.locator('[data-message]', { hasText: /history 27\d/ }).first());
});

test('the search in a chat steps through its hits, the newest first', async () => {
  await page.keyboard.press('Control+f');
  // It opens with what was searched for everywhere.
  const box = page.getByRole('searchbox', { name: 'Search in this chat' });
  await box.fill('');
  await page.getByText(/^\d+ of \d+$/).waitFor({ state: 'detached' });
  await box.fill('pineapple');
  await page.getByText('1 of 2').waitFor();
  await page.locator('[data-message]', { hasText: 'Pineapples again' }).waitFor();
  await page.keyboard.press('Enter');
  await page.getByText('2 of 2').waitFor();
  await page.locator('[data-message]', { hasText: 'the pineapple was here' }).waitFor();
});

test('links are links, to the web only', async () => {
  await page.keyboard.press('Shift+Enter');
  const link = page.locator('[data-message] a', { hasText: 'example.org' });
  await link.waitFor();
  assert.equal(await link.first().getAttribute('href'), 'https://example.org/pineapple');
  assert.match((await link.first().getAttribute('rel')) ?? '', /noopener/);
});

test('words that nobody wrote are said not to be there', async () => {
  await page.keyboard.press('Escape');
  await page.keyboard.press('/');
  await page.getByRole('searchbox', { name: 'Search chats and messages' }).fill('xylophone');
  await page.getByText('No message holds these words.').waitFor();
});

test('nothing went wrong in the page meanwhile', () => {
  assert.deepEqual(context.problems, []);
});
