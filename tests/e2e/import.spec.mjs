// Files go in through the page: pickers, a drop, several formats at once, and an import that is stopped half-way.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { atEnd, bubble, launch, open, visit } from './harness/browser.mjs';
import { file, telegram, whatsapp } from './harness/exports.mjs';
import { Program } from './harness/program.mjs';

let program, browser, context, page;

before(async () => {
  program = await Program.start();
  browser = await launch();
  ({ context, page } = await open(browser, program));
});

after(async () => {
  await browser?.close();
  await program?.remove();
});

test('the empty app explains itself and offers a demo set', async () => {
  await page.getByRole('heading', { name: 'Bring your chats together' }).waitFor();
  await page.getByRole('button', { name: 'Try the demo set' }).waitFor();
  await page.getByRole('heading', { name: 'WhatsApp' }).waitFor();
});

test('a WhatsApp and a Telegram export are uploaded together, counted, and opened', async () => {
  await page.getByLabel('Your name in these chats').fill('Robin');
  await page
    .locator('[data-pick=files]')
    .setInputFiles([file('_chat.txt', whatsapp(250)), file('result.json', telegram(120))]);
  await page.waitForURL(/\/imports\/\d+$/);
  await page.getByText('Done', { exact: true }).waitFor();
  const total = page.locator('section', { has: page.getByRole('heading', { name: 'All files' }) });
  assert.match(await total.innerText(), /370\s*records read\s*=\s*370\s*messages/);

  await page.getByRole('link', { name: 'Open Book club' }).click();
  await bubble(page, 'telegram message 120').waitFor();
  await atEnd(page);
});

test('the own name given at the import makes the messages the own ones', async () => {
  await page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: 'Chats' }).click();
  const { chats } = await program.api('/api/chats');
  const chat = chats.find(({ source }) => source === 'whatsapp');
  await page.locator(`a[href="/chats/${chat.id}"]`).click();
  await bubble(page, 'whatsapp message 250').and(page.locator('.own')).waitFor();
  assert.equal(await bubble(page, 'whatsapp message 249').and(page.locator('.own')).count(), 0);
});

test('the same file again stores nothing, and says so', async () => {
  await visit(page, program, '/imports');
  await page.locator('[data-pick=files]').setInputFiles([file('_chat.txt', whatsapp(250))]);
  await page.waitForURL(/\/imports\/\d+$/);
  await page.getByText('Done', { exact: true }).waitFor();
  const receipt = page.locator('section', { has: page.getByRole('heading', { name: '_chat.txt' }) });
  assert.match(await receipt.innerText(), /0\s*messages[\s\S]*250\s*already there/);
});

test('what was left out is listed with its place, its reason and an excerpt', async () => {
  await visit(page, program, '/imports');
  const text = whatsapp(20, { people: ['Emil', 'Ines'], broken: 3 });
  await page.locator('[data-pick=files]').setInputFiles([file('broken.txt', text)]);
  await page.waitForURL(/\/imports\/\d+$/);
  await page.getByText('Done', { exact: true }).waitFor();
  const list = page.locator('section', { has: page.getByRole('heading', { name: /^Left out/ }) });
  await list.getByText(/line 1\b/).waitFor();
  await list.getByText('a line without a header 1').waitFor();
});

test('a file that is not an export says so, and what to do', async () => {
  await visit(page, program, '/imports');
  await page
    .locator('[data-pick=files]')
    .setInputFiles([file('holiday.txt', 'Dear diary,\nnothing happened.\n')]);
  await page.waitForURL(/\/imports\/\d+$/);
  await page.getByText('Failed', { exact: true }).waitFor();
  assert.ok((await page.locator('.problem').first().innerText()).length > 20);
});

test('files dropped anywhere on the window are imported', async () => {
  await visit(page, program, '/people');
  await page.getByRole('heading', { name: 'People' }).waitFor();
  const transfer = await page.evaluateHandle(
    ([name, text]) => {
      const data = new DataTransfer();
      data.items.add(new File([text], name, { type: 'text/plain' }));
      return data;
    },
    ['dropped.txt', whatsapp(30, { people: ['Hugo', 'Grace'] })],
  );
  await page.dispatchEvent('main', 'dragenter', { dataTransfer: transfer });
  await page.getByText('Drop to import').waitFor();
  await page.dispatchEvent('main', 'drop', { dataTransfer: transfer });
  await page.waitForURL(/\/imports\/\d+$/);
  await page.getByText('Done', { exact: true }).waitFor();
  await page.getByText('Drop to import').waitFor({ state: 'detached' });
});

test('an import that runs can be cancelled', async () => {
  await visit(page, program, '/imports');
  const large = file('large.txt', whatsapp(400_000, { people: ['Jonas', 'Fatima'] }));
  await page.locator('[data-pick=files]').setInputFiles([large]);
  await page.waitForURL(/\/imports\/\d+$/);
  await page.getByRole('button', { name: 'Cancel' }).click();
  await page.getByText('Cancelled', { exact: true }).waitFor();
  await page.getByRole('link', { name: 'All imports' }).click();
  await page.getByRole('link', { name: /large\.txt/ }).waitFor();
});

test('nothing went wrong in the page meanwhile', () => {
  assert.deepEqual(context.problems, []);
});
