import { createRequire } from 'node:module';
import { PATIENCE_MS } from './until.mjs';

// The page's own development dependencies hold the browser driver: one lockfile for all that runs on Node.
const require = createRequire(new URL('../../../ui/package.json', import.meta.url));
const { chromium } = require('playwright-core');
const AXE = require.resolve('axe-core/axe.min.js');

/**
 * What a page asks for is held back for a random time, up to so many milliseconds: a test that holds only while
 * everything is fast fails then, here and not on somebody's busy machine.
 */
const HOLD_BACK_MS = Number(process.env.CHATSTATS_E2E_HOLD_BACK_MS ?? 0);

/** Chromium, without a window. A machine without it fails: a test that skips itself tells nothing. */
export function launch() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM_BIN ?? '/usr/bin/chromium',
    // Containers run as root, where Chromium refuses its sandbox. It only ever opens our own pages.
    args: ['--no-sandbox'],
  });
}

/** A window of the program's pages, signed in. What a page logs as an error is collected in `context.problems`. */
export async function open(browser, program, { width = 1280, height = 800, colorScheme = 'light' } = {}) {
  const context = await browser.newContext({ viewport: { width, height }, colorScheme });
  context.setDefaultTimeout(PATIENCE_MS);
  context.problems = [];
  context.on('weberror', (error) => context.problems.push(error.error().message));
  context.on('console', (message) => {
    if (message.type() === 'error') context.problems.push(message.text());
  });
  if (HOLD_BACK_MS > 0) await context.route('**/api/**', holdBack);
  const page = await context.newPage();
  await page.goto(program.url);
  return { context, page };
}

async function holdBack(route) {
  await new Promise((resolve) => setTimeout(resolve, Math.random() * HOLD_BACK_MS));
  // The page may have gone meanwhile.
  await route.continue().catch(() => undefined);
}

/** Opens one of the app's addresses in a page. */
export async function visit(page, program, path) {
  await page.goto(program.origin + path);
}

/** Waits until what moves has arrived, but for what moves for ever: colours are judged as they are at rest. */
export async function atRest(page) {
  await page.evaluate(() => {
    const ends = (one) => one.effect?.getComputedTiming().endTime !== Infinity;
    return Promise.all(
      document
        .getAnimations()
        .filter(ends)
        .map((one) => one.finished.catch(() => {})),
    );
  });
}

/** What axe finds wrong with the page as it is, one line each. */
export async function violations(page) {
  // Evaluated by the driver, which the page's policy does not bind.
  const { readFile } = await import('node:fs/promises');
  await page.evaluate(await readFile(AXE, 'utf8'));
  const { violations: found } = await page.evaluate(() => globalThis.axe.run(document));
  return found.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 160)).join(' | ')}`);
}

/** The message whose text is this, as shown. */
export function bubble(page, text) {
  return page.locator('[data-message]').filter({ has: page.getByText(text, { exact: true }) });
}

/** The texts of the messages that are drawn, in order. */
export async function shownTexts(page) {
  // Not the inner texts: a row that is not measured yet is hidden, and has none.
  const texts = await page.locator('[data-message] .text').allTextContents();
  return texts.map((text) => text.trim());
}

/** Waits until the message list shows its end. */
export async function atEnd(page) {
  await page.waitForFunction(() => {
    const list = document.querySelector('section[aria-label="Messages"]');
    return list && list.scrollHeight - list.scrollTop - list.clientHeight < 2;
  });
}

/** Turns the wheel over the messages and waits until the list has moved and rests. Fails if it does not move. */
export async function wheel(page, by) {
  const { width } = page.viewportSize();
  await page.mouse.move(width - 200, 400);
  // It looks before the wheel turns: the turn may be over before a page that stalls looks again.
  await page.evaluate((mostMs) => {
    const RESTING_FRAMES = 6;
    const list = document.querySelector('section[aria-label="Messages"]');
    const start = list.scrollTop;
    const end = performance.now() + mostMs;
    globalThis.followed = new Promise((resolve) => {
      let [last, still] = [start, 0];
      const look = () => {
        still = list.scrollTop === last && last !== start ? still + 1 : 0;
        last = list.scrollTop;
        if (still < RESTING_FRAMES && performance.now() < end) requestAnimationFrame(look);
        else resolve(last !== start);
      };
      look();
    });
  }, PATIENCE_MS);
  await page.mouse.wheel(0, by);
  const followed = await page.evaluate(() => globalThis.followed);
  if (!followed) throw new Error(`the list did not follow the wheel by ${by}`);
}

/** Turns the wheel over the messages until something comes into being. */
export async function scrollUntil(page, step, locator) {
  const MAX_STEPS = 100;
  for (let i = 0; i < MAX_STEPS; i++) {
    if ((await locator.count()) > 0) return;
    await wheel(page, step);
  }
  throw new Error(`not found after ${MAX_STEPS} turns of the wheel`);
}
