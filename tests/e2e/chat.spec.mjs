// The message view: it opens at its end, scrolls both ways without losing its place, and shows what arrives.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { atEnd, bubble, launch, open, shownTexts, visit, wheel } from './harness/browser.mjs';
import { history, Program } from './harness/program.mjs';

let program, browser, context, page, chat;

before(async () => {
  program = await Program.start();
  chat = await program.post('Weekend in Lisbon', history(3000));
  await program.post('Another chat', ['hello']);
  browser = await launch();
  ({ context, page } = await open(browser, program));
});

after(async () => {
  await browser?.close();
  await program?.remove();
});

/** The visible messages and their distance from the top of the list. */
function places() {
  return page.evaluate(() => {
    const list = document.querySelector('section[aria-label="Messages"]').getBoundingClientRect();
    return [...document.querySelectorAll('[data-message]')]
      .map((element) => [element.dataset.message, element.getBoundingClientRect()])
      .filter(([, box]) => box.bottom > list.top && box.top < list.bottom)
      .map(([id, box]) => [id, box.top - list.top]);
  });
}

test('a chat opens at its end', async () => {
  await page.getByRole('link', { name: /Weekend in Lisbon/ }).click();
  await bubble(page, 'history 3000').waitFor();
  await atEnd(page);
});

test('what is posted slides in at the end, in order', async () => {
  await program.post('Weekend in Lisbon', ['live one', 'live two']);
  await bubble(page, 'live two').waitFor();
  await atEnd(page);
  const texts = await shownTexts(page);
  assert.deepEqual(texts.slice(-3), ['history 3000', 'live one', 'live two']);
});

test('a message that was edited changes in its place', async () => {
  const fields = { key: 'edited', content: 'before the edit', timestamp: new Date().toISOString() };
  await program.post('Weekend in Lisbon', [fields]);
  await bubble(page, 'before the edit').waitFor();
  const edited_at = new Date(Date.now() + 1000).toISOString();
  await program.post('Weekend in Lisbon', [{ ...fields, content: 'after the edit', edited_at }]);
  await bubble(page, 'after the edit').getByText('edited', { exact: true }).waitFor();
  assert.equal(await bubble(page, 'before the edit').count(), 0);
});

test('nothing jumps while older messages are loaded', async () => {
  for (let step = 0; step < 40; step++) {
    const earlier = new Map(await places());
    await wheel(page, -240);
    const moved = (await places())
      .filter(([id]) => earlier.has(id))
      .map(([id, top]) => top - earlier.get(id));
    assert.ok(moved.length > 0, `step ${step}: the view lost its place`);
    const spread = Math.max(...moved) - Math.min(...moved);
    assert.ok(spread < 2, `step ${step}: messages moved against each other by ${spread} px`);
    assert.ok(
      moved.every((by) => by > 0 && by < 400),
      `step ${step}: moved by ${moved[0]} px`,
    );
  }
});

test('what arrives out of sight is counted by a pill, and the view stays where it is', async () => {
  const earlier = await places();
  await program.post('Weekend in Lisbon', ['unseen one', 'unseen two', 'unseen three']);
  const pill = page.getByRole('button', { name: '3 new messages' });
  await pill.waitFor();
  assert.deepEqual(await places(), earlier);
  await pill.click();
  await bubble(page, 'unseen three').waitFor();
  await atEnd(page);
  await pill.waitFor({ state: 'detached' });
});

test('a message of an earlier time goes where it belongs', async () => {
  const timestamp = new Date(Date.UTC(2024, 5, 30, 20) - 30_000).toISOString();
  await program.post('Weekend in Lisbon', [{ content: 'late by a year', timestamp }]);
  await bubble(page, 'late by a year').waitFor({ state: 'attached' });
  const texts = await shownTexts(page);
  const at = texts.indexOf('late by a year');
  assert.deepEqual([texts[at - 1], texts[at + 1]], ['history 2999', 'history 3000']);
});

test('a date can be jumped to, and the address keeps it', async () => {
  await page.getByRole('button', { name: 'Jump to a date', exact: true }).click();
  await page.locator('input[type=date]').fill('2024-06-29');
  await page.getByRole('button', { name: 'Jump', exact: true }).click();
  await page.waitForFunction(() => new URL(location).searchParams.has('at'));
  const day = page.getByRole('button', { name: /(29 June|June 29).*: jump to a date/ });
  await day.waitFor();
  await page.reload();
  await day.waitFor();
});

test('a reply shows what it answers, and leads there', async () => {
  const first = history(1)[0].sender;
  await program.post('Another chat', [
    { key: 'question', content: 'the question', sender: first },
    { key: 'answer', content: 'the answer', reply_to: 'question' },
  ]);
  await page.getByRole('link', { name: /Another chat/ }).click();
  const answer = bubble(page, 'the answer');
  await answer.getByRole('button', { name: /the question/ }).click();
  await page.locator('.flash').waitFor();
});

test('whoever writes under another name has it above what was written before, too', async () => {
  const sender = (key, name) => ({ sender: { key, name } });
  const people = [
    sender('cox', 'Cox'),
    sender('stroke', 'Stroke'),
    { ...sender('me', 'Me'), is_from_me: true },
  ];
  const club = await program.post(
    'Rowing club',
    people.map((who, i) => ({ ...who, content: `line ${i}` })),
  );
  await visit(page, program, `/chats/${club}`);
  const names = page.locator('[data-message] .sender');
  await names.getByText('Cox', { exact: true }).waitFor();
  await program.post('Rowing club', [{ ...sender('cox', 'Cleo (cox)'), content: 'one, two' }]);
  await bubble(page, 'one, two').waitFor();
  assert.deepEqual(await names.allTextContents(), ['Cleo (cox)', 'Stroke', 'Cleo (cox)']);
});

test('an address that is not a chat says so', async () => {
  await visit(page, program, '/chats/999999');
  await page.getByText('This chat cannot be shown').waitFor();
});

test('the right messages are there after a flood', async () => {
  await visit(page, program, `/chats/${chat}`);
  await atEnd(page);
  const batches = Array.from({ length: 20 }, (_, b) =>
    Array.from({ length: 100 }, (_, i) => `flood ${b * 100 + i}`),
  );
  for (const batch of batches) await program.post('Weekend in Lisbon', batch);
  await bubble(page, 'flood 1999').waitFor();
  await atEnd(page);
  const numbers = (await shownTexts(page)).map((text) => Number(text.split(' ')[1]));
  assert.deepEqual(
    numbers,
    numbers.map((_, i) => 2000 - numbers.length + i),
  );
});

test('nothing went wrong in the page meanwhile', () => {
  // A chat that is missing is logged by the browser itself, and may be asked for more than once.
  const problems = context.problems.filter((text) => !text.includes('404'));
  assert.deepEqual(problems, []);
});
