// The Metrics view on the real program: it moves with what happens, survives a restart, and costs nothing unseen.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { launch, open, violations, visit } from './harness/browser.mjs';
import { history, Program } from './harness/program.mjs';

let program, browser;

before(async () => {
  program = await Program.start();
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await program?.remove();
});

const card = (page, title) => page.getByRole('region', { name: title, exact: true });
const moment = (page, title) => page.getByRole('slider', { name: `${title}: moment`, exact: true });
/** Waits until the view has drawn a line over so many seconds. */
const drawn = (page, seconds = 1) =>
  page.waitForFunction((least) => {
    const line = document.querySelector('.plot .line')?.getAttribute('d') ?? '';
    return line.split('L').length > least;
  }, seconds);

/** The numbers of one line of a chart, the newest first, from the table behind it. */
async function column(page, title, name) {
  const turn = card(page, title).getByRole('button', { name: /show as a table/ });
  if (await turn.count()) await turn.click();
  const table = card(page, title).getByRole('table');
  await table.waitFor();
  return table.evaluate((element, wanted) => {
    const heads = [...element.tHead.rows[0].cells].map((cell) => cell.textContent.trim());
    const at = heads.findIndex((head) => head.startsWith(wanted));
    return [...element.tBodies[0].rows].map((row) => row.cells[at].textContent.trim());
  }, name);
}

/**
 * Looks again until a column holds what it should. What happens is done again now and then: growth is lost between two
 * snapshots that are far apart, as on a machine that stalls.
 */
async function columnUntil(page, title, name, holds, happens = async () => {}) {
  const [TRIES, AGAIN] = [240, 40];
  let values = [];
  for (let i = 0; i < TRIES; i++) {
    if (i % AGAIN === 0) await happens();
    values = await column(page, title, name);
    if (holds(values)) return values;
    await page.waitForTimeout(250);
  }
  throw new Error(`${title}, ${name}: ${values.join(' ')}`);
}

/** Streams of metrics that are open, besides the one that asks. */
async function watchers() {
  const given = new AbortController();
  const response = await fetch(`${program.origin}/api/metrics/stream`, {
    headers: { authorization: `Bearer ${program.token}` },
    signal: given.signal,
  });
  let snapshots = [];
  let text = '';
  // The first snapshot may be of the moment before this stream was counted: the second is not.
  for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    // Heartbeats are data too.
    snapshots = text.match(/^data: .*"sse".*$/gm) ?? [];
    if (snapshots.length >= 2) break;
  }
  given.abort();
  return JSON.parse(snapshots.at(-1).slice('data: '.length)).sse.by_endpoint.metrics - 1;
}

async function watchersBecome(count) {
  const TRIES = 10;
  let found;
  for (let i = 0; i < TRIES; i++) {
    found = await watchers();
    if (found === count) return;
  }
  assert.equal(found, count);
}

test('the view is a tab of Events, and its numbers move while messages are posted', async () => {
  const { context, page } = await open(browser, program);
  await visit(page, program, '/events');
  await page.getByRole('link', { name: 'Metrics', exact: true }).click();
  await page.waitForURL(/\/events\/metrics$/);
  await drawn(page);
  const post = () => program.post('Lisbon', ['one', 'two', 'three']);
  const some = (values) => values.some((value) => Number(value) > 0);
  for (const name of ['Published', 'Delivered']) {
    await columnUntil(page, 'Changes through the hub', name, some, post);
  }
  const measured = (values) => values.some((value) => / m?s$/.test(value));
  await columnUntil(page, 'Time to the socket', 'Longest', measured, post);
  await columnUntil(page, 'Sent to streams', 'Sent', ([newest]) => /B$|bytes$/.test(newest));
  assert.deepEqual(context.problems, []);
  await context.close();
});

test('a run of the analysis shows: what is done a second, and nothing left at its end', async () => {
  const { context, page } = await open(browser, program);
  await visit(page, program, '/events/metrics');
  await drawn(page);
  await program.post('Porto', history(300));
  const run = () => program.api('/api/analysis/runs', { kind: 'historic' });
  const done = (values) => values.some((value) => Number(value.replace(',', '')) > 0);
  await columnUntil(page, 'Analysis', 'Completed', done, run);
  await columnUntil(page, 'Event log', 'Published', done, run);
  await columnUntil(page, 'Analysis queue', 'Running', ([newest]) => newest === '0');
  await context.close();
});

test('a moment is chosen by pointer or arrows, told in words, and shown in every chart', async () => {
  const { context, page } = await open(browser, program);
  await visit(page, program, '/events/metrics');
  await drawn(page, 3);
  const memory = moment(page, 'Memory');
  await memory.focus();
  await page.keyboard.press('ArrowLeft');
  await page.keyboard.press('ArrowLeft');
  assert.match(await memory.getAttribute('aria-valuetext'), /^\d+:\d\d:\d\d.*: In use [\d.]+ MB$/);
  assert.match(await moment(page, 'Processor').getAttribute('aria-valuetext'), /: Of one core /);
  await page.locator('.tooltip').getByText('In use').waitFor();
  await page.keyboard.press('Escape');
  assert.equal(await memory.getAttribute('aria-valuetext'), 'now');
  const hub = moment(page, 'Changes through the hub');
  await hub.scrollIntoViewIfNeeded();
  const { x, y, width, height } = await hub.boundingBox();
  await page.mouse.move(x + width - 10, y + height / 2);
  await page.locator('.tooltip').getByText('Delivered').waitFor();
  await page.mouse.move(5, 5);
  await page.locator('.tooltip').waitFor({ state: 'detached' });
  await context.close();
});

test('the address says what is shown, so that reload and Back work', async () => {
  const { context, page } = await open(browser, program);
  await visit(page, program, '/events/metrics');
  await page.getByRole('button', { name: '10 min' }).click();
  await page.waitForURL(/last=10/);
  await card(page, 'Memory').getByRole('button').click();
  await page.waitForURL(/table=memory/);
  await page.reload();
  await card(page, 'Memory').getByRole('table').waitFor();
  assert.equal(await page.getByRole('button', { name: '10 min' }).getAttribute('aria-pressed'), 'true');
  await page.goBack();
  await moment(page, 'Memory').waitFor();
  await context.close();
});

test('the program takes snapshots only while the view is open and seen', async () => {
  const { context, page } = await open(browser, program);
  await visit(page, program, '/events/metrics');
  await drawn(page);
  await watchersBecome(1);
  const second = await context.newPage();
  await visit(second, program, '/events/metrics');
  await drawn(second);
  await watchersBecome(1);
  await second.close();
  const hide = (hidden) =>
    page.evaluate((value) => {
      Object.defineProperty(document, 'hidden', { value, configurable: true });
      document.dispatchEvent(new Event('visibilitychange'));
    }, hidden);
  await hide(true);
  await watchersBecome(0);
  await hide(false);
  await watchersBecome(1);
  await page.getByText('Live', { exact: true }).waitFor();
  await page.getByRole('link', { name: 'Chats', exact: true }).click();
  await watchersBecome(0);
  await context.close();
});

test('a restart of the program is said, survived without a reload, and draws no spike', async () => {
  const { context, page } = await open(browser, program);
  await visit(page, program, '/events/metrics');
  await page.evaluate(() => (globalThis.samePage = true));
  await drawn(page);
  await program.down();
  await page.getByText('Not connected. It goes on by itself.').waitFor();
  await page.getByText('Connection lost.').waitFor();
  await card(page, 'Memory').waitFor();
  await program.up();
  await page.getByText('Live', { exact: true }).waitFor();
  await page.locator('.plot .restart').first().waitFor({ state: 'attached' });
  const sent = await columnUntil(page, 'Sent to streams', 'Sent', ([newest]) => newest !== '–');
  const restart = sent.findIndex((value) => value === '–');
  assert.ok(restart > 0, 'the first snapshot after the start has no rate');
  assert.ok(
    sent.every((value) => !/MB|GB/.test(value)),
    `a spike among ${sent.join(', ')}`,
  );
  assert.equal(await page.evaluate(() => globalThis.samePage), true);
  await context.close();
});

describe('in every size and theme', () => {
  for (const colorScheme of ['light', 'dark']) {
    for (const [width, height] of [
      [1280, 800],
      [900, 600],
      [380, 800],
    ]) {
      test(`it is accessible, fits and breaks no rule of the page, ${colorScheme}, ${width} × ${height}`, async () => {
        const { context, page } = await open(browser, program, { width, height, colorScheme });
        await visit(page, program, '/events/metrics');
        await drawn(page);
        await page.getByText('Live', { exact: true }).waitFor();
        assert.deepEqual(await violations(page), []);
        await column(page, 'Open streams', 'Chats');
        await moment(page, 'Memory').focus();
        await page.keyboard.press('ArrowLeft');
        await page.locator('.tooltip').waitFor();
        assert.deepEqual(await violations(page), []);
        const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        assert.ok(over <= 0, `it sticks out by ${over} px`);
        assert.deepEqual(context.problems, []);
        await context.close();
      });
    }
  }
});
