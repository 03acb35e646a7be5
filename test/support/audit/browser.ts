/** A real Chromium: Debian's, installed where it is missing. */
import type { TestContext } from 'node:test';
import { type Browser, chromium } from 'playwright-core';
import { programFrom } from '../log-targets/debian-package.ts';

/** Without it the promise is not shown, which the test says by failing. */
export async function openBrowser(t: TestContext): Promise<Browser> {
  const executablePath = await programFrom('chromium', '/usr/bin/chromium');
  if (executablePath === undefined)
    throw new Error('Cannot test the page without Chromium: install the package chromium');
  // Its sandbox refuses to run as root, as tests in containers do; pages come from the test alone.
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] });
  t.after(() => browser.close());
  return browser;
}
