// Every view, light and dark, wide and narrow: nothing that axe objects to, nothing that sticks out, all by keyboard.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { atEnd, atRest, bubble, launch, open, violations, visit } from './harness/browser.mjs';
import { history, Program } from './harness/program.mjs';

let program, browser, chat, job;

before(async () => {
  program = await Program.start();
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await program?.remove();
});

/** The views by address, and what is there once they are. */
function views() {
  return [
    ['/chats', (page) => page.getByRole('link', { name: /Lisbon/ })],
    [`/chats/${chat}`, (page) => bubble(page, 'history 200')],
    ['/people', (page) => page.getByText('Sam Rivers')],
    ['/imports', (page) => page.getByRole('heading', { name: 'History' })],
    [`/imports/${job}`, (page) => page.getByText('Done', { exact: true })],
    ['/events', (page) => page.locator('[data-entry]')],
    ['/events?scope=task:none', (page) => page.getByText('No such events')],
    ['/events/messages', (page) => page.getByRole('rowheader', { name: 'All chats' })],
    ['/settings', (page) => page.getByText('Data folder')],
  ];
}

test('the first view of an empty app is accessible', async () => {
  for (const colorScheme of ['light', 'dark']) {
    const { context, page } = await open(browser, program, { colorScheme });
    await page.getByRole('heading', { name: 'Bring your chats together' }).waitFor();
    await page.getByRole('heading', { name: 'WhatsApp' }).waitFor();
    assert.deepEqual(await violations(page), []);
    await context.close();
  }
});

describe('with chats', () => {
  before(async () => {
    const messages = history(200);
    messages[198] = { ...messages[198], key: 'quoted', content: 'see https://example.org' };
    messages[199] = { ...messages[199], reply_to: 'quoted' };
    chat = await program.post('Lisbon', messages);
    const started = await program.api('/api/imports', { demo: true, dry_run: false });
    job = started.id;
    await program.publish(['global', 'run_complete', { run_id: 1, total: 2, success: 2, failed: 0 }]);
  });

  for (const colorScheme of ['light', 'dark']) {
    for (const [width, height] of [
      [1280, 800],
      [900, 600],
      [380, 800],
    ]) {
      test(`every view is accessible and fits, ${colorScheme}, ${width} × ${height}`, async () => {
        const { context, page } = await open(browser, program, { width, height, colorScheme });
        for (const [path, landmark] of views()) {
          await visit(page, program, path);
          await landmark(page).first().waitFor();
          // Colours are judged as they are at rest.
          await atRest(page);
          assert.deepEqual(await violations(page), [], path);
          const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
          assert.ok(over <= 0, `${path} sticks out by ${over} px`);
        }
        assert.deepEqual(context.problems, []);
        await context.close();
      });
    }
  }

  test('a narrow window shows one pane at a time, with a way back', async () => {
    const { context, page } = await open(browser, program, { width: 380, height: 800 });
    await page.getByRole('link', { name: /Lisbon/ }).click();
    await bubble(page, 'history 200').waitFor();
    await atEnd(page);
    assert.equal(await page.getByRole('searchbox', { name: 'Search chats and messages' }).isVisible(), false);
    await page.getByRole('link', { name: 'Back to the chats' }).click();
    await page.getByRole('link', { name: /Lisbon/ }).waitFor();
    assert.equal(await page.getByRole('region', { name: 'Messages' }).count(), 0);
    await context.close();
  });

  test('everything is reached by keyboard', async () => {
    const { context, page } = await open(browser, program);
    await page.getByRole('link', { name: /Lisbon/ }).waitFor();
    await page.keyboard.press('Control+k');
    await page.getByRole('combobox', { name: 'What to do' }).waitFor();
    await atRest(page);
    assert.deepEqual(await violations(page), []);
    await page.keyboard.type('lisb');
    await page.keyboard.press('Enter');
    await bubble(page, 'history 200').waitFor();
    await page.keyboard.press('Control+k');
    await page.keyboard.type('metrics');
    await page.keyboard.press('Enter');
    await page.waitForURL(/\/events\/metrics$/);
    await page.goBack();
    await bubble(page, 'history 200').waitFor();
    await page.keyboard.press('?');
    await page.getByRole('heading', { name: 'Keyboard shortcuts' }).waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('heading', { name: 'Keyboard shortcuts' }).waitFor({ state: 'detached' });
    await page.keyboard.press('Escape');
    await page.waitForURL(/\/chats$/);
    await page.locator('a[href^="/chats/"]').first().focus();
    await page.keyboard.press('ArrowDown');
    const second = await page.evaluate(() => document.activeElement?.getAttribute('href'));
    await page.keyboard.press('Enter');
    await page.waitForURL(new RegExp(`${second}$`));
    await context.close();
  });

  test('a theme that was chosen holds over a reload', async () => {
    const { context, page } = await open(browser, program, { colorScheme: 'light' });
    await visit(page, program, '/settings');
    await page.getByText('Dark', { exact: true }).click();
    const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const dark = await ground();
    await page.reload();
    await page.getByText('Data folder').waitFor();
    assert.equal(await ground(), dark);
    await page.getByText('Light', { exact: true }).click();
    assert.notEqual(await ground(), dark);
    await context.close();
  });

  test('a person who is the user makes the messages own ones, also where they are shown already', async () => {
    const { context, page } = await open(browser, program);
    const other = await context.newPage();
    await visit(other, program, `/chats/${chat}`);
    await bubble(other, 'history 200').waitFor();
    assert.equal(await other.locator('.bubble.own').count(), 0);
    await visit(page, program, '/people');
    const row = page.locator('.row', { hasText: 'Ben Okafor' });
    await row.getByRole('button', { name: 'This is me' }).click();
    await row.getByRole('button', { name: 'This is you', pressed: true }).waitFor();
    await visit(page, program, `/chats/${chat}`);
    for (const one of [page, other]) await one.locator('.bubble.own').first().waitFor();
    await context.close();
  });

  test('a page without the key says what to do', async () => {
    const { context, page } = await open(browser, program);
    await visit(page, program, `/chats/${chat}`);
    await bubble(page, 'history 200').waitFor();
    const settings = page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: 'Settings' });
    const locked = page.getByRole('heading', { name: 'This page is locked' });
    await context.clearCookies();
    // The first request without the key locks the page: that of the click, or one of its own that was still to come.
    await Promise.race([settings.click(), locked.waitFor()]);
    await locked.waitFor();
    await context.close();
  });
});
