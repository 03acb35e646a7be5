/** Promise: the page at /gateway/ finds conversations, shows them and their timing in a real browser, and runs nothing that was said. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Page } from 'playwright-core';
import { openBrowser } from '../support/audit/browser.ts';
import { kept, scene, talk } from '../support/audit/conversations.ts';
import type { ProxyProcess } from '../support/proxy-process.ts';

const CANARY = `</script><script>document.title='owned'</script><img src=x onerror="document.title='owned'"><svg onload="document.title='owned'">`;

/** Opens the page; whatever its policy blocks or its script throws is kept. */
async function opened(page: Page, proxy: ProxyProcess): Promise<string[]> {
  const complaints: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('request', (request) => {
    if (!request.url().startsWith(`http://127.0.0.1:${proxy.listenPort}/gateway/`)) complaints.push(request.url());
  });
  await page.goto(`http://127.0.0.1:${proxy.listenPort}/gateway/`);
  return complaints;
}

test('page: search finds, opens, shows what was said as text and when it came, copies, and is served by the keyboard', async (t) => {
  const browser = await openBrowser(t);
  const s = await scene(t);
  await talk(s, 'Tell me of the heron', ['The heron ', 'waits.']);
  const id = await talk(
    s,
    `What is a kormo${CANARY}`,
    ['A magni', 'ficent ', CANARY, ' bird'],
    'x-agent-name: <i>writer</i>\r\n',
  );
  await kept(s.proxy, 2);
  const context = await browser.newContext({ permissions: ['clipboard-read', 'clipboard-write'] });
  const page = await context.newPage();
  const complaints = await opened(page, s.proxy);
  await page.locator('.hit').nth(1).waitFor();
  assert.equal(await page.locator('.hit').count(), 2);

  await page.keyboard.press('/');
  await page.keyboard.type('magnificent');
  await page.keyboard.press('Enter');
  await page.getByText('1 found').waitFor();
  assert.equal(await page.locator('.hit mark').textContent(), 'magnificent');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await page.locator('.turn.assistant').waitFor();
  assert.equal(await page.locator('.turn.assistant .part').textContent(), `A magnificent ${CANARY} bird`);
  assert.equal(await page.locator('.turn.user .part').textContent(), `What is a kormo${CANARY}`);
  assert.match((await page.locator('.facts').textContent()) ?? '', /<i>writer<\/i>/);
  assert.match(
    (await page.locator('.picture svg').getAttribute('aria-label')) ?? '',
    /first byte after .*, ended after .* as complete, \d+ chunks/,
  );
  assert.ok((await page.locator('.picture svg rect.streaming').count()) > 0);
  assert.deepEqual(
    await page.evaluate(
      'document.querySelectorAll("#reading script, #reading img, #reading svg[onload], #hits img").length',
    ),
    0,
  );
  assert.equal(await page.title(), 'Sluice: conversations');

  await page.getByText('Copy as NDJSON').click();
  await page.getByText('Copied').waitFor();
  const copied = String(await page.evaluate('navigator.clipboard.readText()'));
  assert.ok(copied.endsWith('\n') && !copied.trimEnd().includes('\n'));
  assert.equal((JSON.parse(copied) as { id: string }).id, id);

  await page.keyboard.press('Escape');
  assert.equal(await page.evaluate('document.activeElement.dataset.id'), id);
  await page.locator('summary').click();
  await page.locator('[name=route]').fill('none');
  await page.keyboard.press('Enter');
  await page.getByText('Nothing found.').waitFor();
  assert.deepEqual(complaints, []);
});

test('page: light and dark, and usable at the width of a phone', async (t) => {
  const browser = await openBrowser(t);
  const s = await scene(t);
  await talk(s, 'Tell me of the heron', ['The heron ', 'waits.']);
  await kept(s.proxy, 1);
  const page = await browser.newPage({ viewport: { width: 360, height: 640 }, colorScheme: 'light' });
  const complaints = await opened(page, s.proxy);
  const paper = (): Promise<unknown> => page.evaluate('getComputedStyle(document.body).backgroundColor');
  const light = await paper();
  await page.emulateMedia({ colorScheme: 'dark' });
  assert.notEqual(await paper(), light);
  await page.locator('.hit').click();
  await page.locator('.turn.assistant').waitFor();
  assert.equal(await page.locator('#found').isVisible(), false);
  assert.equal(await page.evaluate('document.documentElement.scrollWidth'), 360);
  await page.getByText('← Results').click();
  assert.equal(await page.locator('#found').isVisible(), true);
  assert.deepEqual(complaints, []);
});
