// Headless Chromium that forgives nothing: what the page's policy refuses, what a script throws and what the console
// complains of are failures; and so is what axe (WCAG 2.2 AA, best practices) finds.

import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const { SCREENSHOTS = '' } = process.env;

/** Refusals that the task is meant to meet; the browser writes a line for each. */
const EXPECTED = /Failed to load resource: the server responded with a status of (401|404|422)/;

export async function launch() {
  return chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run', '--disable-background-networking'],
  });
}

/** A page of its own profile; `finished` fails where anything was complained of. */
export async function open(browser, options) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, reducedMotion: 'reduce', ...options });
  context.setDefaultTimeout(30_000);
  const page = await context.newPage();
  const complaints = [];
  page.on('console', (message) => {
    const isExpected = EXPECTED.test(message.text()) && message.location().url.includes('/admin/api/v1/');
    if (['error', 'warning'].includes(message.type()) && !isExpected) complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(error.stack));
  page.on('request', (request) => {
    if (!request.url().startsWith(process.env.BASE_URL)) complaints.push(`asked ${request.url()}`);
  });
  await context.exposeBinding('refusedByPolicy', (_, text) => complaints.push(`refused by the policy: ${text}`));
  await context.addInitScript(() => {
    addEventListener('securitypolicyviolation', (event) => globalThis.refusedByPolicy(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}`));
  });
  const finished = async () => {
    await context.close();
    if (complaints.length > 0) throw new Error(complaints.join('\n'));
  };
  return { page, finished };
}

/** Looks for what would keep somebody out. */
export async function audit(page, where) {
  await page.evaluate(axe);
  const found = await page.evaluate(async () => (await globalThis.axe.run(document)).violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => `${node.target} ${node.html.slice(0, 120)}`).join(' | ')}`));
  if (found.length > 0) throw new Error(`${where}: ${found.join('\n')}`);
}

/** Keeps a picture for the documentation, where one is asked for. */
export async function picture(page, name) {
  if (!SCREENSHOTS) return;
  mkdirSync(SCREENSHOTS, { recursive: true });
  await page.screenshot({ path: join(SCREENSHOTS, `${name}.png`) });
}

/** Fails with what there is instead. */
export function equal(is, expected, what) {
  if (is !== expected) throw new Error(`${what}: ${JSON.stringify(is)} instead of ${JSON.stringify(expected)}`);
}
