// Browsers open six connections to a host, all tabs together. Many tabs must neither starve nor miss anything.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { atEnd, bubble, launch, open, shownTexts, visit } from './harness/browser.mjs';
import { history, Program } from './harness/program.mjs';
import { until } from './harness/until.mjs';

const MAX_STREAMS = 4;
const TABS = 6;

let program, browser, context;
const tabs = [];

before(async () => {
  program = await Program.start();
  browser = await launch();
  for (let i = 0; i < TABS; i++) {
    const chat = await program.post(`Chat ${i}`, history(300));
    if (i === 0) {
      const opened = await open(browser, program);
      context = opened.context;
      tabs.push({ page: opened.page, chat });
    } else {
      tabs.push({ page: await context.newPage(), chat });
    }
  }
});

after(async () => {
  await browser?.close();
  await program?.remove();
});

/** Waits until there are no more streams than allowed: one that changes hands may be there twice for a moment. */
function fewStreams() {
  return until(`at most ${MAX_STREAMS} streams`, async () => {
    const { hub } = await program.api('/api/status');
    return hub.subscribers <= MAX_STREAMS;
  });
}

test('three tabs show three chats, and fetch still answers in each', async () => {
  for (const { page, chat } of tabs.slice(0, 3)) {
    await visit(page, program, `/chats/${chat}`);
    await bubble(page, 'history 300').waitFor();
  }
  for (const { page } of tabs.slice(0, 3)) {
    const status = await page.evaluate(async () => (await fetch('/api/status')).status);
    assert.equal(status, 200);
  }
});

test('more tabs than streams still open their chats, on no more connections than allowed', async () => {
  for (const { page, chat } of tabs.slice(3)) {
    await visit(page, program, `/chats/${chat}`);
    await bubble(page, 'history 300').waitFor();
  }
  await fewStreams();
});

test('every tab sees what arrives in its chat, with a stream of its own or without', async () => {
  for (const [i] of tabs.entries()) await program.post(`Chat ${i}`, [`first for ${i}`, `second for ${i}`]);
  for (const [i, { page }] of tabs.entries()) {
    await page.bringToFront();
    await bubble(page, `second for ${i}`).waitFor();
    await atEnd(page);
    const texts = await shownTexts(page);
    assert.deepEqual(texts.slice(-3), ['history 300', `first for ${i}`, `second for ${i}`]);
  }
});

test('two tabs of one chat share its stream, and the second one misses nothing', async () => {
  const second = await context.newPage();
  await visit(second, program, `/chats/${tabs[0].chat}`);
  await bubble(second, 'second for 0').waitFor();
  await program.post('Chat 0', ['for both']);
  await bubble(second, 'for both').waitFor();
  await tabs[0].page.bringToFront();
  await bubble(tabs[0].page, 'for both').waitFor();
  await fewStreams();
  await second.close();
});

test('a closed tab gives its stream to one that waits', async () => {
  for (const { page } of tabs.splice(0, 3)) await page.close();
  const { page } = tabs[2];
  await page.bringToFront();
  await program.post('Chat 5', ['after the others left']);
  await bubble(page, 'after the others left').waitFor();
  await fewStreams();
});

test('nothing went wrong in the pages meanwhile', () => {
  assert.deepEqual(context.problems, []);
});
