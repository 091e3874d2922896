// The Events view over both engines of the event log: the one built in, and Redis.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { launch, open, visit } from './harness/browser.mjs';
import { Program } from './harness/program.mjs';
import { Redis } from './harness/redis.mjs';
import { PATIENCE_MS } from './harness/until.mjs';

const ENGINES = [
  { engine: 'Built-in log', withRedis: false },
  { engine: 'Redis', withRedis: true },
];
/** More than one page of the log, and more than fits a screen. */
const HISTORY = 450;

/** Rows of the list that hold a text. */
const row = (page, text) => page.locator('[data-entry]').filter({ hasText: text });
/** The numbers in the rows that are drawn, in their order. */
const numbers = (page) =>
  page.locator('[data-entry]').evaluateAll((rows) =>
    rows
      .sort((a, b) => a.getBoundingClientRect().top - b.getBoundingClientRect().top)
      .map((one) => /\bnumber=(\d+)/.exec(one.textContent)?.[1])
      .filter(Boolean)
      .map(Number),
  );
const list = (page) => page.getByRole('listbox', { name: /Events/ });
const filter = async (page, name, value) => {
  const field = page.getByRole('group', { name: 'Filters' }).getByLabel(name, { exact: true });
  await field.fill(value);
  await field.press('Enter');
};

/** Waits until a list has not moved for some frames. */
function atRest(list) {
  const RESTING_FRAMES = 6;
  return list.evaluate(
    (list, frames) =>
      new Promise((resolve) => {
        let [last, still] = [list.scrollTop, 0];
        const look = () => {
          still = list.scrollTop === last ? still + 1 : 0;
          last = list.scrollTop;
          if (still < frames) requestAnimationFrame(look);
          else resolve();
        };
        look();
      }),
    RESTING_FRAMES,
  );
}

function atEnd(page) {
  return page.waitForFunction(() => {
    const box = document.querySelector('[role="listbox"]');
    return box && box.scrollHeight - box.scrollTop - box.clientHeight < 2;
  });
}

for (const { engine, withRedis } of ENGINES) {
  describe(engine, () => {
    let program, redis, browser, context, page;

    before(async () => {
      redis = withRedis ? await Redis.start() : undefined;
      program = await Program.start({ redisUrl: redis?.url });
      const history = Array.from({ length: HISTORY }, (_, i) => [
        i % 10 === 0 ? 'global' : `chat:${1 + (i % 3)}`,
        i % 10 === 0 ? 'run_seeded' : 'analysis_completed',
        { number: i + 1, run_id: 1 + (i % 2) },
      ]);
      await program.publish(...history);
      browser = await launch();
      ({ context, page } = await open(browser, program));
      await context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: program.origin });
      await visit(page, program, '/events');
      await row(page, `number=${HISTORY}`).waitFor();
    });

    after(async () => {
      await browser?.close();
      await program?.remove();
      await redis?.remove();
    });

    test('opens at its end and shows what happens', async () => {
      await atEnd(page);
      await program.publish(['global', 'run_complete', { number: HISTORY + 1 }]);
      await row(page, `number=${HISTORY + 1}`).waitFor();
      await atEnd(page);
      const shown = await numbers(page);
      assert.deepEqual(
        shown,
        shown.map((_, i) => HISTORY + 2 - shown.length + i),
      );
    });

    test('reads back to the beginning of the log, without a hole', async () => {
      const seen = new Set();
      await list(page).hover();
      const end = Date.now() + PATIENCE_MS;
      while (Date.now() < end && !(await page.getByText('The log begins here').count())) {
        (await numbers(page)).forEach((number) => seen.add(number));
        await page.mouse.wheel(0, -400);
        // A turn of the wheel takes some frames; what two turns pass at once is never drawn.
        await atRest(list(page));
      }
      await page.getByText('The log begins here').waitFor();
      (await numbers(page)).forEach((number) => seen.add(number));
      assert.equal(seen.size, HISTORY + 1);
    });

    test('away from the end the view stays, and a pill counts what came', async () => {
      await program.publish(['global', 'status', { number: HISTORY + 2 }]);
      const pill = page.getByRole('button', { name: '1 new event' });
      await pill.waitFor();
      await page.getByText('The log begins here').waitFor();
      await pill.click();
      await row(page, `number=${HISTORY + 2}`).waitFor();
      await atEnd(page);
      await pill.waitFor({ state: 'detached' });
    });

    test('filters by scope, of the past and of what comes, and says so in the address', async () => {
      await filter(page, 'Scope', 'chat:1');
      await page.waitForURL(/scope=chat%3A1/);
      await page.getByText('Live', { exact: true }).waitFor();
      await row(page, 'chat:1').first().waitFor();
      await program.publish(['chat:2', 'status', { other: 1 }], ['chat:1', 'status', { mine: 1 }]);
      await row(page, 'mine=1').waitFor();
      assert.equal(await row(page, 'other=1').count(), 0);
      assert.equal(await row(page, 'global').count(), 0);
    });

    test('filters by type and run, and Back undoes one after the other', async () => {
      const found = row(page, 'run_seeded').first();
      await filter(page, 'Scope', '');
      await page.waitForURL((url) => !url.searchParams.get('scope'));
      await row(page, 'mine=1').waitFor();
      await filter(page, 'Type', 'run_seeded');
      await page.waitForURL(/type=run_seeded/);
      await row(page, 'mine=1').waitFor({ state: 'detached' });
      await found.waitFor();
      await filter(page, 'Run', '2');
      await page.getByText('No such events').waitFor();
      await page.goBack();
      await found.waitFor();
      assert.equal(await row(page, 'analysis_completed').count(), 0);
      await page.getByRole('button', { name: 'Clear filters' }).click();
      await row(page, 'mine=1').waitFor();
    });

    test('a scope that cannot be says what a scope is', async () => {
      await visit(page, program, '/events');
      await filter(page, 'Scope', 'nonsense');
      await page.getByText('There is no such scope').waitFor();
      await page.getByRole('button', { name: 'Any scope' }).click();
      await row(page, 'mine=1').waitFor();
    });

    test('the space bar pauses: what comes waits, is counted, also over a reload, and comes in order', async () => {
      await visit(page, program, '/events');
      await row(page, 'mine=1').waitFor();
      await list(page).focus();
      await page.keyboard.press('Space');
      await page.waitForURL(/pause=/);
      await program.publish(...[1, 2, 3].map((n) => ['global', 'status', { held: n }]));
      await page.getByLabel('3 waiting').waitFor();
      assert.equal(await row(page, 'held=').count(), 0);
      await page.reload();
      await row(page, 'mine=1').waitFor();
      await page.getByLabel('3 waiting').waitFor();
      assert.equal(await row(page, 'held=').count(), 0);
      await page.getByRole('button', { name: /Resume/ }).click();
      await row(page, 'held=3').waitFor();
      assert.equal(await row(page, 'held=').count(), 3);
      assert.doesNotMatch(page.url(), /pause/);
    });

    test('/ searches in what is shown, marks it, and steps through it', async () => {
      await visit(page, program, '/events');
      await row(page, 'held=3').waitFor();
      await page.keyboard.press('/');
      await page.keyboard.type('HELD=');
      await page.getByRole('search').getByText('3', { exact: true }).waitFor();
      await row(page, 'held=3').locator('mark').waitFor();
      await page.keyboard.press('Enter');
      await page.getByText('1 of 3').waitFor();
      await page.keyboard.press('Enter');
      await page.getByText('2 of 3').waitFor();
      await page.keyboard.press('Escape');
      assert.equal(await page.locator('[data-entry] mark').count(), 0);
    });

    test('an event opens with all it holds, is walked through by arrows, and copied as JSON', async () => {
      await visit(page, program, '/events');
      const timings = { mood: [1.5, 2] };
      const [id] = await program.publish([
        'task:77',
        'failed',
        { error: 'No words in it.', timings, ok: false },
      ]);
      await row(page, 'task:77').click();
      const details = page.getByRole('complementary', { name: 'Event', exact: true });
      await details.getByText('No words in it.').waitFor();
      assert.equal(await details.getByLabel('timings').innerText(), JSON.stringify(timings, null, 2));
      await details.getByText(id).waitFor();
      // What says so is gone after a moment.
      await Promise.all([
        page.getByText('Copied as JSON.').waitFor(),
        details.getByRole('button', { name: 'Copy as JSON' }).click(),
      ]);
      const { ts, ...copied } = JSON.parse(await page.evaluate(() => navigator.clipboard.readText()));
      assert.match(ts, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}$/);
      assert.deepEqual(
        { ...copied, timings: JSON.parse(copied.timings) },
        { id, type: 'failed', scope: 'task:77', error: 'No words in it.', timings, ok: 'False' },
      );
      await list(page).focus();
      await page.keyboard.press('ArrowUp');
      await details.getByText('held', { exact: true }).waitFor();
      await page.keyboard.press('Escape');
      await details.waitFor({ state: 'detached' });
      await page.keyboard.press('Enter');
      await details.waitFor();
      await page.keyboard.press('Escape');
    });

    test('says which engine keeps the log, how it fares and how far it reaches', async () => {
      await visit(page, program, '/events');
      const log = page.getByRole('complementary', { name: 'The event log' });
      await log.getByRole('heading', { name: engine }).waitFor();
      await log.getByText('Working', { exact: true }).waitFor();
      await log.getByText('Back to').waitFor();
      const { length } = await program.api('/api/bus/streams/task_events%3Aanalysis');
      await log.getByText(length.toLocaleString('en-US'), { exact: true }).first().waitFor();
    });

    test('a stream that is not there is empty, and the way back is the address', async () => {
      await visit(page, program, '/events');
      await filter(page, 'Stream', 'something:else');
      await page.getByText('No events yet').waitFor();
      await page.goBack();
      await row(page, 'task:77').waitFor();
    });

    test('a restart of the program is survived without a reload, and nothing is missing', async () => {
      await visit(page, program, '/events');
      await program.publish(['global', 'status', { number: 9000 }]);
      await row(page, 'number=9000').waitFor();
      await page.evaluate(() => (globalThis.samePage = true));
      await program.down();
      await page.getByText('Connection lost.').waitFor();
      await program.up();
      await program.publish(...[9001, 9002, 9003].map((number) => ['global', 'status', { number }]));
      await row(page, 'number=9003').waitFor();
      await page.getByText('Connection lost.').waitFor({ state: 'detached' });
      assert.deepEqual((await numbers(page)).slice(-4), [9000, 9001, 9002, 9003]);
      assert.equal(await page.evaluate(() => globalThis.samePage), true);
    });

    test('messages on their way have a view of their own: who listens, and what arrives', async () => {
      await visit(page, program, '/events');
      await page.getByRole('link', { name: 'Messages', exact: true }).click();
      await page.getByRole('rowheader', { name: 'All chats' }).waitFor();
      const arrives = page.getByRole('region', { name: 'What arrives' });
      await arrives.getByText('Nothing since this view was opened.').waitFor();
      // The view may follow a moment after it is drawn: what was posted before that is not told.
      const told = arrives.getByText('Lisbon').first();
      for (
        const end = Date.now() + PATIENCE_MS;
        !(await told.count()) && Date.now() < end;
        await sleep(500)
      ) {
        await program.post('Lisbon', ['see you there']);
      }
      await told.waitFor();
      const other = await context.newPage();
      await visit(other, program, '/chats');
      await other.getByRole('link', { name: /Lisbon/ }).click();
      await page.getByRole('rowheader', { name: 'Lisbon' }).waitFor();
      await other.close();
      await page.getByRole('rowheader', { name: 'Lisbon' }).waitFor({ state: 'detached' });
      await page.getByRole('link', { name: 'Events', exact: true }).last().click();
      await row(page, 'number=9003').waitFor();
    });

    if (!withRedis) return;

    test('what another program writes appears, also without a type', async () => {
      await redis.cli('XADD', 'task_events:analysis', '*', 'note', 'by hand');
      await row(page, 'note=by hand').waitFor();
      await row(page, 'no type').waitFor();
      await redis.cli('XADD', 'another:stream', '*', 'type', 'hello', 'scope', 'global');
      await filter(page, 'Stream', 'another:stream');
      await row(page, 'hello').waitFor();
      await redis.cli('XADD', 'another:stream', '*', 'type', 'again', 'scope', 'global');
      await row(page, 'again').waitFor();
      await page.goBack();
      await row(page, 'note=by hand').waitFor();
    });

    test('Redis stops: the view says so, keeps what it shows, and goes on once it is back', async () => {
      await redis.down();
      await page.getByText('The event log is away.').waitFor();
      const log = page.getByRole('complementary', { name: 'The event log' });
      await log.getByText('Away', { exact: true }).waitFor();
      await row(page, 'note=by hand').waitFor();
      assert.equal(await page.getByText('Connection lost.').count(), 0);
      await redis.up();
      await page.getByText('The event log is away.').waitFor({ state: 'detached' });
      await log.getByText('Working', { exact: true }).waitFor();
      await program.publish(['global', 'status', { number: 9100 }]);
      await row(page, 'number=9100').waitFor();
    });

    test('a view that is opened while Redis is away fills when it is back', async () => {
      await redis.down();
      const other = await context.newPage();
      await visit(other, program, '/events');
      await other.getByRole('heading', { name: 'The event log is away' }).waitFor();
      await redis.up();
      await row(other, 'number=9100').waitFor();
      await other.close();
    });

    test('where the log was trimmed past what was seen, the list says that some are missing', async () => {
      await page.bringToFront();
      await program.publish(['global', 'status', { number: 9200 }]);
      await row(page, 'number=9200').waitFor();
      await program.down();
      for (const number of [9201, 9202, 9203]) {
        await redis.cli(
          'XADD',
          'task_events:analysis',
          '*',
          'type',
          'status',
          'scope',
          'global',
          'number',
          number,
        );
      }
      await redis.cli('XTRIM', 'task_events:analysis', 'MAXLEN', 1);
      await program.up();
      await row(page, 'number=9203').waitFor();
      await page.getByText(/Some events are missing here\./).waitFor();
      assert.deepEqual((await numbers(page)).slice(-2), [9200, 9203]);
    });
  });
}
