// Promises: mine and theirs by due date, settled and taken back, one click from the message, and found as it happens.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { atRest, bubble, launch, open, violations, visit } from './harness/browser.mjs';
import { history, Program } from './harness/program.mjs';
import { PATIENCE_MS, until } from './harness/until.mjs';

const DAY_MS = 86_400_000;
/** Noon some days ago, and minutes after: far from where the calendar turns. */
const ago = (days, minutes = 0) => {
  const noon = Math.floor(Date.now() / DAY_MS) * DAY_MS + DAY_MS / 2;
  return new Date(noon - days * DAY_MS + minutes * 60_000).toISOString();
};
const OWN = { is_from_me: true, sender: { key: 'me', name: 'Me' } };

let program, browser, context, page, chat;

before(async () => {
  program = await Program.start();
  browser = await launch();
  chat = await program.post('House', [
    { content: 'The landlord has not answered my letter about the heating yet.', timestamp: ago(30) },
    { content: 'I will call the landlord tomorrow.', timestamp: ago(30, 1), ...OWN },
    { content: "Thank you, that would be a relief. I'll send you the contract.", timestamp: ago(30, 2) },
    // Enough for the promise to be far from what the chat opens with.
    ...history(400, Date.parse(ago(2))),
    { content: 'Did you sleep well after such a long day?', timestamp: ago(1) },
    { content: "I'll pay the deposit in 3 days.", timestamp: ago(1, 1), ...OWN },
  ]);
  await found(3);
  ({ context, page } = await open(browser, program));
});

after(async () => {
  await browser?.close();
  await program?.remove();
});

/** Waits until the program knows so many. */
function found(many) {
  return until(`${many} promises`, async () => {
    const { commitments } = await program.api('/api/commitments');
    return commitments.length >= many;
  });
}

const group = (name) => page.getByRole('region', { name });
const whose = () => page.getByRole('navigation', { name: 'Whose' });

test('mine are by due date, and theirs beside them', async () => {
  await visit(page, program, '/commitments');
  await group('Overdue').getByText('call the landlord').waitFor();
  // As it is now, and from the next midnight on.
  await group('Overdue')
    .getByText(/^(29|30) days late$/)
    .waitFor();
  await group('Due soon').getByText('pay the deposit').waitFor();
  await group('Due soon')
    .getByText(/^(In 2 days|Tomorrow)$/)
    .waitFor();
  await whose().getByText('2', { exact: true }).waitFor();
  await whose()
    .getByRole('link', { name: /Theirs/ })
    .click();
  await group('No date').getByText('send you the contract').waitFor();
  assert.equal(await page.getByText('pay the deposit').count(), 0);
});

test('one is done, another dismissed, and both are taken back', async () => {
  await visit(page, program, '/commitments');
  await page.getByRole('button', { name: /^Done: .*deposit/ }).click();
  await page.getByRole('button', { name: /^Dismiss: .*landlord/ }).click();
  await group('Due soon').waitFor({ state: 'detached' });
  await group('Overdue').waitFor({ state: 'detached' });
  await page.reload();
  for (const name of ['Done', 'Dismissed']) {
    await page.locator('summary', { hasText: name }).click();
    await page.locator('details[open]').getByRole('button', { name: 'Undo' }).click();
    await page.locator('summary', { hasText: name }).waitFor({ state: 'detached' });
  }
  await group('Due soon').getByText('pay the deposit').waitFor();
  // The page shows it before the program has it.
  await until('none is decided', async () => {
    const { commitments } = await program.api('/api/commitments');
    return commitments.every(({ status }) => status === 'open' || status === 'overdue');
  });
});

test('one click leads to the message, in sight and marked', async () => {
  await visit(page, program, '/commitments');
  await page.getByRole('link', { name: /call the landlord/ }).click();
  await page.waitForURL(new RegExp(`/chats/${chat}\\?m=\\d+`));
  const said = bubble(page, 'I will call the landlord tomorrow.');
  await said.waitFor();
  await page.locator('.flash').filter({ has: said }).waitFor();
  const [list, box] = [
    await page.getByRole('region', { name: 'Messages' }).boundingBox(),
    await said.boundingBox(),
  ];
  assert.ok(box.y >= list.y && box.y + box.height <= list.y + list.height, JSON.stringify([list, box]));
});

test('one that is found while the page is open appears by itself', async () => {
  await visit(page, program, '/commitments');
  await group('Due soon').waitFor();
  const other = await program.post('Garden', [
    { content: 'The roses in the garden need water this week, do they not?' },
    { content: 'I will water the roses tomorrow.', ...OWN },
  ]);
  await page.evaluate(() => (globalThis.sameLife = true));
  await program.api(`/api/chats/${other}/seal`, {});
  await found(4);
  await group('Due soon').getByText('water the roses').waitFor();
  await whose().getByText('3', { exact: true }).waitFor();
  assert.equal(await page.evaluate(() => globalThis.sameLife), true);
});

test('the view is in order, wide and narrow, in light and dark', async () => {
  // A title that is wider than a narrow window.
  await program.post('Camping with everybody from the old climbing group, and their families', [
    { content: 'The lake is warm already, is it not?', timestamp: ago(3) },
    { content: 'I will book the camp site.', timestamp: ago(3, 1), ...OWN },
    { content: "I'll bring the big tent.", timestamp: ago(3, 2) },
  ]);
  await found(6);
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    for (const width of [1280, 380]) {
      await page.setViewportSize({ width, height: 800 });
      for (const path of ['/commitments', '/commitments?whose=theirs']) {
        await visit(page, program, path);
        await page.locator('section li').first().waitFor();
        await atRest(page);
        assert.deepEqual(await violations(page), [], `${path} ${colorScheme} ${width}`);
        const over = await page.evaluate(() => {
          const places = [document.documentElement, ...document.querySelectorAll('main .scroll')];
          return Math.max(...places.map((one) => one.scrollWidth - one.clientWidth));
        });
        assert.ok(over <= 0, `${path} sticks out by ${over} px`);
      }
    }
  }
  assert.deepEqual(context.problems, []);
});

test('many that others made do not leave out my own', async () => {
  const day = (days) =>
    Array.from({ length: 100 }, (_, minute) => ({
      content: `I'll send you report ${days}-${minute} tomorrow.`,
      timestamp: ago(days, minute),
    }));
  for (let days = 140; days > 30; days -= 10) {
    await program.post('Office', Array.from({ length: 10 }, (_, nth) => day(days - nth)).flat());
  }
  // More than the page reads of any.
  const last = '/api/commitments?mine=false&offset=10500&limit=1';
  await until('all are found', async () => (await program.api(last)).commitments.length > 0, 3 * PATIENCE_MS);
  await visit(page, program, '/commitments');
  await group('Due soon').getByText('pay the deposit').waitFor();
  assert.equal(await page.getByText('There are more than are shown here.').count(), 0);
  await visit(page, program, '/commitments?whose=theirs');
  await page.getByText('There are more than are shown here.').waitFor();
  // Of the latest, those of two months are counted, and what is long ago is out of the way.
  await whose()
    .getByText(/^[23],\d{3}$/)
    .waitFor();
  assert.match(await group('Overdue').locator('li').first().innerText(), /report (59|60|61)-/);
  await page.getByText('Long ago').click();
  const first = page.locator('details li').first();
  await first.waitFor();
  assert.match(await first.innerText(), /report (60|61|62)-/);
  assert.deepEqual(context.problems, []);
});
