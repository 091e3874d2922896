// What analysis knows, in place: what is open, what is being analysed, how it ended, and what was promised, as it happens.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { atRest, bubble, launch, open, violations, visit } from './harness/browser.mjs';
import { Model } from './harness/model.mjs';
import { history, Program } from './harness/program.mjs';
import { until } from './harness/until.mjs';

const OWN = { is_from_me: true, sender: { key: 'me', name: 'Me' } };
const PROMISE = 'I will bring the tent tomorrow.';

let model, program, browser, context, page, chat;

before(async () => {
  model = await Model.start();
  program = await Program.start({ config: model.config });
  browser = await launch();
  await program.post('Long ago', history(300));
  chat = await program.post('Camping', [
    { content: 'Shall we go camping at the lake this weekend, all of us?' },
  ]);
  ({ context, page } = await open(browser, program));
});

after(async () => {
  await browser?.close();
  await program?.remove();
  model?.stop();
});

/** The promise of the tent, once the program knows that it stands so: the page may show it earlier. */
function tent(status) {
  return until(`the promise is ${status}`, async () => {
    const { commitments } = await program.api(`/api/commitments?chat_id=${chat}`);
    return commitments.find((one) => one.text.includes('tent') && one.status === status);
  });
}

const row = (title) => page.getByRole('region', { name: 'Chats' }).getByRole('link', { name: title });
const rule = () => page.locator('[data-seal]').last();

test('a chat has a dot while its conversation is open, and another gets one with its first message', async () => {
  await visit(page, program, '/chats');
  await row(/Camping/)
    .getByText('Conversation open')
    .waitFor({ state: 'attached' });
  // Until the clock has sealed it.
  await row(/Long ago/)
    .getByText('Conversation open')
    .waitFor({ state: 'detached' });
  await program.post('Fresh', ['Hello there, are you around?']);
  await row(/Fresh/).getByText('Conversation open').waitFor({ state: 'attached' });
});

test('sealed, it has a ring until it is analysed, and then its rule says what it was about', async () => {
  await visit(page, program, `/chats/${chat}`);
  const header = page.locator('header').filter({ has: page.getByRole('heading', { name: 'Camping' }) });
  await header.getByText(/^Conversation open · /).waitFor();
  await program.post('Camping', [
    { content: PROMISE, ...OWN },
    { content: 'Wonderful, then I take care of the food and the drinks for everybody.' },
    // A model is not asked about a few words.
    ...Array.from({ length: 9 }, (_, i) => `And there is thing ${i + 1} to think of.`),
  ]);
  await bubble(page, PROMISE).waitFor();
  await page.evaluate(() => (globalThis.sameLife = true));
  // Until the test has seen the ring.
  model.allow(0);
  await program.api(`/api/chats/${chat}/seal`, {});
  await row(/Camping/)
    .getByText('Being analysed')
    .waitFor({ state: 'attached' });
  await rule().getByText('Being analysed').waitFor({ state: 'attached' });
  assert.equal(await header.getByText(/^Conversation open · /).count(), 0);
  model.allow(Infinity);
  for (const place of [row(/Camping/), rule()]) {
    await place.getByText('Being analysed').waitFor({ state: 'detached' });
  }
  await rule()
    .getByRole('button', { name: /12 messages/ })
    .click();
  await rule().getByText('They plan a weekend.').waitFor();
  const button = rule().getByRole('button');
  assert.equal(await button.getAttribute('aria-expanded'), 'true');
  await button.press('Enter');
  await rule().getByText('They plan a weekend.').waitFor({ state: 'detached' });
  assert.equal(await page.evaluate(() => globalThis.sameLife), true);
});

test('a promise is marked at its message, and a click leads to it among all promises', async () => {
  await tent('open');
  await visit(page, program, `/chats/${chat}`);
  // Midnight may have passed since.
  const mark = bubble(page, PROMISE).getByRole('link', { name: /Promise.*(Tomorrow|Today)/ });
  await mark.click();
  await page.waitForURL(/\/commitments\?show=/);
  const there = page.locator('li.flash').filter({ hasText: 'bring the tent' });
  await there.waitFor();
  await page.getByRole('button', { name: /^Dismiss: .*tent/ }).click();
  await page.goBack();
  await bubble(page, PROMISE).waitFor();
  const { id } = await tent('dismissed');
  await mark.waitFor({ state: 'detached' });
  // Taken back elsewhere, it is there again by itself.
  await program.api(`/api/commitments/${chat}/${id}/decision`, { decision: null });
  await mark.waitFor();
});

test('one that is settled is unfolded where a message leads to it', async () => {
  const { id } = await tent('open');
  await program.api(`/api/commitments/${chat}/${id}/decision`, { decision: 'done' });
  await visit(page, program, `/chats/${chat}`);
  await bubble(page, PROMISE)
    .getByRole('link', { name: /Promise.*Done/ })
    .click();
  await page.locator('details[open] li.flash').filter({ hasText: 'bring the tent' }).waitFor();
});

test('the marks are in order, wide and narrow, in light and dark', async () => {
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    for (const width of [1280, 380]) {
      await page.setViewportSize({ width, height: 800 });
      await visit(page, program, `/chats/${chat}`);
      await rule().getByRole('button').click();
      await bubble(page, PROMISE)
        .getByRole('link', { name: /Promise/ })
        .waitFor();
      await atRest(page);
      assert.deepEqual(await violations(page), [], `${colorScheme} ${width}`);
      const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(over <= 0, `it sticks out by ${over} px`);
    }
  }
  assert.deepEqual(context.problems, []);
});
