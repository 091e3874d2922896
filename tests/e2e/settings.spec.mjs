// The settings page: passes are switched, stay so, and say why where they cannot be; the language model says where
// conversations go.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { atRest, launch, open, violations, visit } from './harness/browser.mjs';
import { history, Program } from './harness/program.mjs';
import { until } from './harness/until.mjs';

let program, browser, context, page;

before(async () => {
  program = await Program.start();
  browser = await launch();
  // Half a year old: it is sealed, and analysed, at once.
  await program.post('Lisbon', history(60));
  ({ context, page } = await open(browser, program));
  await visit(page, program, '/settings');
});

after(async () => {
  await browser?.close();
  await program?.remove();
});

const sentiment = () => page.getByRole('switch', { name: 'Sentiment' });

/** Waits until the switch of a pass stands so. */
function stands(name, on) {
  return page
    .locator(`[role=switch][aria-label="${name}"][aria-checked=${on}]:not([aria-busy=true])`)
    .waitFor();
}

/** A pass as the program has it. */
async function pass(name) {
  const { passes } = await program.api('/api/analysis/passes');
  return passes.find((one) => one.name === name);
}

/** Moves a switch as another window does. */
async function move(name, enabled) {
  const answer = await fetch(`${program.origin}/api/analysis/passes/${name}`, {
    method: 'PUT',
    headers: { authorization: `Bearer ${program.token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ enabled }),
  });
  assert.equal(answer.status, 200);
}

/** Starts a run over what is lacking and gives its row once it has ended. */
async function ran() {
  const { id } = await program.api('/api/analysis/runs', { kind: 'global' });
  return until('the run has ended', async () => {
    const run = await program.api(`/api/analysis/runs/${id}`);
    return run.finished_at && run;
  });
}

test('a pass that is switched off stays so over a reload and a restart', async () => {
  await stands('Sentiment', true);
  await sentiment().click();
  await stands('Sentiment', false);
  assert.equal((await pass('sentiment')).enabled, false);
  await page.reload();
  await stands('Sentiment', false);
  await program.down();
  await program.up();
  await page.reload();
  await stands('Sentiment', false);
});

test('a run leaves it out, and once it is on again another fills it', async () => {
  const { conversations: earlier } = await pass('sentiment');
  await program.post('Porto', history(20));
  await until('the clock has sealed it', async () => (await pass('sentiment')).conversations > earlier);
  const without = await ran();
  assert.ok(!without.passes.includes('sentiment'), without.passes.join());
  const before = await pass('sentiment');
  assert.ok(before.covered < before.conversations, JSON.stringify(before));
  await sentiment().focus();
  await page.keyboard.press('Space');
  await stands('Sentiment', true);
  await ran();
  const { covered, conversations } = await pass('sentiment');
  assert.equal(covered, conversations);
});

test('a pass that another needs does not move, and says who needs it', async () => {
  const language = page.getByRole('switch', { name: 'Language' });
  await page.getByText(/Topics.* need it\./).waitFor();
  await language.focus();
  await page.keyboard.press('Space');
  await stands('Language', true);
  assert.equal(await language.getAttribute('aria-disabled'), 'true');
});

test('a refusal that the page did not foresee is shown in words', async () => {
  const others = ['sentiment', 'topics', 'commitments'];
  for (const name of others) await move(name, false);
  await page.locator('[role=switch][aria-label=Language][aria-disabled=false]').waitFor();
  // What another window does is seen with the next answer, which is held back.
  let answer;
  const held = new Promise((resolve) => (answer = resolve));
  await page.route('**/api/analysis/passes', async (route) => {
    await held;
    await route.continue();
  });
  for (const name of others) await move(name, true);
  await page.getByRole('switch', { name: 'Language' }).click();
  await page.getByText(/language is needed by sentiment, topics, commitments/).waitFor();
  answer();
  await page.locator('[role=switch][aria-label=Language][aria-disabled=true]').waitFor();
  await stands('Language', true);
  await page.unroute('**/api/analysis/passes');
  await page.getByRole('button', { name: 'Dismiss' }).click();
});

test('without a language model the page says that nothing leaves the computer, and how to have one', async () => {
  await page.getByText('Nothing leaves this computer.').waitFor();
  await page.getByText(join(program.dataDir, 'config.toml')).waitFor();
  await page.getByText('[llm]').waitFor();
});

test('the page is accessible in every size and both themes', async () => {
  await everywhere('off');
});

test('with a model elsewhere the page warns, and a pass of config.toml cannot be switched', async () => {
  await program.down();
  const lines = [
    'passes_off = ["activity"]',
    '[llm]',
    'enabled = true',
    'model = "small"',
    'base_url = "https://models.example.org/v1"',
    'may_leave_machine = true',
    'tokens_per_day = 200000',
  ];
  await writeFile(join(program.dataDir, 'config.toml'), lines.join('\n'));
  await program.up();
  await page.reload();
  await page.getByText('Conversations leave this computer.').waitFor();
  await page.getByText('models.example.org').first().waitFor();
  await page.getByText(/of 200,000/).waitFor();
  await page.getByText('Switched off in config.toml').waitFor();
  const model = page.getByRole('switch', { name: 'Language model' });
  await model.click();
  await stands('Language model', false);
  await everywhere('on');
});

test('nothing went wrong on the way', () => {
  const expected = /409|Failed to fetch|ERR_CONNECTION|ERR_INCOMPLETE|ERR_EMPTY/;
  assert.deepEqual(
    context.problems.filter((problem) => !expected.test(problem)),
    [],
  );
});

/** Looks at the page in each size and theme: axe finds nothing, nothing sticks out. Pictures go where SHOTS says. */
async function everywhere(name) {
  for (const colorScheme of ['light', 'dark']) {
    for (const [width, height] of [
      [1280, 1400],
      [900, 600],
      [380, 800],
    ]) {
      await page.setViewportSize({ width, height });
      // Colours that fade from one theme to the other have any contrast on the way.
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      await atRest(page);
      await page.getByText('Data folder').waitFor();
      if (process.env.SHOTS) {
        await page.screenshot({
          path: join(process.env.SHOTS, `settings-${name}-${colorScheme}-${width}.png`),
        });
      }
      assert.deepEqual(await violations(page), [], `${colorScheme} ${width}`);
      const sticksOut = () => document.documentElement.scrollWidth > innerWidth;
      assert.equal(await page.evaluate(sticksOut), false, `${colorScheme} ${width}`);
    }
  }
}
