// The Analysis view over a model that is slow: a run is started, watched, held, left and come back to, cancelled, survives
// a crash under the open page, and its dead letters are tried again.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { atRest, launch, open, violations, visit } from './harness/browser.mjs';
import { Model } from './harness/model.mjs';
import { history, Program } from './harness/program.mjs';
import { until } from './harness/until.mjs';

const CONVERSATIONS = 40;
const MESSAGES_EACH = 5;
/** Of the conversations, those that the model refuses. */
const SPOILT = 3;
const DAY_MS = 86_400_000;

let model, program, browser, context, page;

before(async () => {
  model = await Model.start();
  program = await Program.start({ config: `analyse_on_seal = false\n${model.config}\n` });
  browser = await launch();
  for (let i = 0; i < CONVERSATIONS; i++) {
    const messages = history(MESSAGES_EACH, Date.UTC(2024, 0, 1) + i * DAY_MS);
    if (i < SPOILT) messages[1].content = 'spoilt';
    await program.post('Lisbon', messages);
  }
  // The last one is sealed by the clock: it is long past.
  await until('all are sealed', async () => {
    const { passes } = await program.api('/api/analysis/passes');
    return passes[0].conversations === CONVERSATIONS;
  });
  ({ context, page } = await open(browser, program));
});

after(async () => {
  await browser?.close();
  await program?.remove();
  model?.stop();
});

const card = (id) => page.locator(`section[aria-label="Run ${id}"]`);
const row = (id) => program.api(`/api/analysis/runs/${id}`);

/** The newest run's row. */
async function newest() {
  const { runs } = await program.api('/api/analysis/runs?limit=1');
  return runs[0];
}

/** Starts what is chosen, and gives the run's row once the page shows it. The model answers so many times, and waits. */
async function start(answers) {
  const before = (await newest())?.id ?? 0;
  model.allow(0);
  await page.getByRole('button', { name: 'Start', exact: true }).click();
  const run = await until('a new run', async () => {
    const run = await newest();
    return run && run.id !== before && run;
  });
  await card(run.id).waitFor();
  model.allow(answers);
  return run;
}

/** Waits until the row says so. */
function becomes(id, holds) {
  return until(`${holds} of run ${id}`, async () => {
    const run = await row(id);
    return holds(run) && run;
  });
}

/** Waits until the card shows this number under this name. */
async function shows(id, name, number) {
  const fact = card(id).locator('dl > div').filter({ hasText: name });
  await fact.getByText(String(number), { exact: true }).waitFor();
}

/** What the event log says of the end of a run. */
async function endsTold(id) {
  const path = `/api/bus/streams/task_events:analysis/entries?run_id=${id}&type=run_complete`;
  return (await program.api(path)).entries;
}

/** The run has one end, and page, row and events agree about it. */
async function agree(id) {
  const run = await becomes(id, (run) => run.finished_at);
  assert.equal(run.success + run.failed, run.total);
  const told = await until('its end is told', async () => {
    const told = await endsTold(id);
    return told.length > 0 && told;
  });
  assert.equal(told.length, 1);
  const { total, success, failed } = Object.fromEntries(told[0].fields);
  assert.deepEqual([total, success, failed], [run.total, run.success, run.failed].map(String));
  await visit(page, program, `/analysis/runs/${id}`);
  await shows(id, 'Done', run.success);
  await shows(id, 'Failed', run.failed);
  await shows(id, 'In all', run.total);
  return run;
}

test('a run is started, held, and counts on while nobody looks', async () => {
  model.waitMs = 200;
  model.refused = 'spoilt';
  await visit(page, program, '/analysis');
  await page
    .getByText(`${CONVERSATIONS} conversations with ${CONVERSATIONS * MESSAGES_EACH} messages`)
    .waitFor();
  const { id } = await start(CONVERSATIONS / 4);
  await page.locator('[role=progressbar][aria-valuenow]:not([aria-valuenow="0"])').waitFor();
  await card(id).getByRole('button', { name: 'Pause' }).click();
  await card(id).getByText('Paused').waitFor();
  await card(id).getByRole('button', { name: 'Resume' }).click();
  await page.close();
  const seen = (await row(id)).success;
  model.allow(Infinity);
  await becomes(id, (run) => run.success > seen);
  page = await context.newPage();
  await visit(page, program, '/analysis');
  const run = await agree(id);
  assert.equal(run.failed, SPOILT);
});

test('dead letters say why, and are tried again, one or all', async () => {
  await visit(page, program, '/analysis/dead');
  await page.getByText(`${SPOILT} conversations failed in every try`).waitFor();
  assert.match(await page.locator('.error').first().innerText(), /llm: .*413/);
  assert.deepEqual(await violations(page), []);
  model.waitMs = 0;
  model.refused = '';
  await page.getByRole('button', { name: 'Retry', exact: true }).first().click();
  await page.getByText(`${SPOILT - 1} conversations failed in every try`).waitFor();
  await page.getByRole('button', { name: 'Retry all' }).click();
  await page.waitForURL(/\/analysis\/runs\/\d+$/);
  const { id } = await newest();
  assert.equal((await agree(id)).success, SPOILT - 1);
  await visit(page, program, '/analysis/dead');
  await page.getByText('No dead letters').waitFor();
  await visit(page, program, '/analysis');
  await page.getByText('Nothing to do: everything of this is analysed.').waitFor();
});

test('a run goes on to its end over a crash under the open page', async () => {
  model.waitMs = 100;
  await visit(page, program, '/analysis');
  await page.getByRole('radio', { name: /Everything anew/ }).check();
  const { id } = await start(CONVERSATIONS / 2);
  await becomes(id, (run) => run.success >= CONVERSATIONS / 4);
  await program.kill();
  model.allow(Infinity);
  await page.getByText('Connection lost').first().waitFor();
  await program.up();
  await page.locator(`section[aria-label="Run ${id}"]`).waitFor({ state: 'detached', timeout: 60_000 });
  assert.equal((await agree(id)).failed, 0);
});

test('a run is cancelled, and its counts add up', async () => {
  model.waitMs = 300;
  await visit(page, program, '/analysis');
  await page.getByRole('radio', { name: /Everything anew/ }).check();
  const { id } = await start(CONVERSATIONS / 4);
  await card(id).getByRole('button', { name: 'Cancel' }).click();
  await becomes(id, (run) => run.state !== 'running');
  model.allow(Infinity);
  const run = await agree(id);
  assert.equal(run.state, 'cancelled');
  assert.ok(run.cancelled > 0, JSON.stringify(run));
});

test('the views are in order in light and dark', async () => {
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    for (const path of ['/analysis', '/analysis/tasks', '/analysis/passes']) {
      await visit(page, program, path);
      await page.getByRole('heading', { name: 'Analysis' }).waitFor();
      await page.locator('.skeleton').waitFor({ state: 'detached' });
      await atRest(page);
      assert.deepEqual(await violations(page), [], `${path} ${colorScheme}`);
    }
  }
  // While the program was killed, requests of the page failed, and the browser says so.
  const ours = context.problems.filter((problem) => !/ERR_CONNECTION|net::|Failed to load/.test(problem));
  assert.deepEqual(ours, []);
});
