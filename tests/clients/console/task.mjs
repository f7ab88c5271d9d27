// The whole task of an administrator, in a browser and on the real server: sign in, write a plugin, break it, mend it, test it,
// publish it, call the API with it, publish another version, roll back, read a failure, end a session, sign out.
// Exit code 1 with the step at the first thing that is not as it should be.
//
// Environment: BASE_URL OWNER ADMIN_ACCOUNT ADMIN_PASSWORD ACCOUNT PASSWORD (encrypted), STAMPS (fresh ones, separated by
// spaces), SCREENSHOTS (a directory, for the documentation's pictures).

import { currentUser, signIn } from './api.mjs';
import { audit, equal, launch, open, picture } from './browser.mjs';

const { BASE_URL, OWNER, ADMIN_ACCOUNT, ADMIN_PASSWORD } = process.env;

const PLUGIN = 'display-name';
const SCRIPT = `// Gives the frontend a name to show.
fn process(response, ctx) {
    if ctx.route.ends_with("/user/current") {
        response.set("data.displayName", response.at("data.name"));
    }
    response
}
`;
const SECOND = SCRIPT.replace('response.at("data.name")', '"second"');
const FAILING = SCRIPT.replace('response.set(', 'throw "nobody is at home"; response.set(');

const browser = await launch();
let step = 'start';

async function write(page, text) {
  await page.getByRole('textbox', { name: `Script of ${PLUGIN}` }).click();
  await page.keyboard.press('Control+a');
  // As one pastes: typing would close brackets.
  await page.keyboard.insertText(text);
}

const compiles = (page) => page.locator('.verdict.is-good').waitFor();

async function publish(page, note) {
  await page.getByRole('button', { name: 'Publish…' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Note').fill(note);
  await dialog.getByRole('button', { name: 'Publish', exact: true }).click();
  // What the plugin adds is not in the API's description where the system declares one; this tenant's does not.
  await dialog.waitFor({ state: 'detached' });
}

async function answers(page, version) {
  await page.locator('.plugin-title .badge', { hasText: `v${version} answers` }).waitFor();
}

async function byKeyboardAlone({ page, finished }) {
  step = 'sign in by keyboard alone';
  await page.goto(`${BASE_URL}/console`);
  // A cookie of another script of the site, as browsers send it: raw UTF-8, beside ours on every call from now on.
  await page.evaluate(() => { document.cookie = 'nick=张三; path=/'; });
  await page.getByRole('heading', { name: 'Sign in' }).waitFor();
  await audit(page, 'sign in');
  await picture(page, 'sign-in');
  await page.keyboard.type(ADMIN_ACCOUNT);
  await page.keyboard.press('Tab');
  await page.keyboard.type('not the password');
  await page.keyboard.press('Enter');
  await page.getByRole('alert').getByText('The account or the password is not right.').waitFor();
  // The password is marked, to be typed over.
  await page.keyboard.type(ADMIN_PASSWORD);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Response plugins' }).waitFor();

  step = 'skip to the page';
  await page.reload();
  await page.getByRole('heading', { name: 'Response plugins' }).waitFor();
  await page.keyboard.press('Tab');
  equal(await page.evaluate(() => document.activeElement.textContent), 'Skip to the page', 'what comes first');
  await page.keyboard.press('Enter');
  equal(await page.evaluate(() => document.activeElement.id), 'main', 'where it leads');

  step = 'begin a plugin by keyboard';
  await page.getByLabel('Tenant').selectOption(OWNER);
  await page.getByRole('link', { name: 'common-data', exact: true }).waitFor();
  await page.locator('#new-plugin').focus();
  await page.keyboard.press('Enter');
  await page.getByRole('dialog').waitFor();
  // Focus stays within the dialog.
  for (let presses = 0; presses < 8; presses += 1) {
    await page.keyboard.press('Tab');
    const inside = await page.evaluate(() => document.activeElement === document.body || document.activeElement.closest('dialog') !== null);
    equal(inside, true, 'focus in the dialog');
  }
  await page.getByRole('dialog').getByLabel('Name').focus();
  await page.keyboard.type(PLUGIN);
  await page.keyboard.press('Enter');
  await compiles(page);

  step = 'leave the editor by keyboard';
  await page.getByRole('textbox', { name: `Script of ${PLUGIN}` }).click();
  await page.keyboard.press('Escape');
  await page.keyboard.press('Tab');
  const left = await page.evaluate(() => document.activeElement.closest('.editor') === null);
  equal(left, true, 'Escape and Tab leave the editor');

  step = 'complete a host function';
  await page.getByRole('textbox', { name: `Script of ${PLUGIN}` }).click();
  await page.keyboard.press('Control+Home');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('End');
  await page.keyboard.press('Enter');
  await page.keyboard.type('response.cam');
  await page.getByRole('option', { name: /^camel/ }).waitFor();
  // This takes its time, and so does a person: Enter right after the list has opened is a line's end.
  await audit(page, 'completion');
  await picture(page, 'completion');
  await page.keyboard.press('Enter');
  await page.locator('.cm-tooltip-autocomplete').waitFor({ state: 'detached' });
  await page.keyboard.type(';');
  const text = await page.getByRole('textbox', { name: `Script of ${PLUGIN}` }).innerText();
  equal(text.includes('response.camel();'), true, `completed in ${text}`);
  await compiles(page);
  return finished;
}

async function theTask(page) {
  step = 'break it: the error is at its line';
  await write(page, SCRIPT.replace('response.set(', 'response.set(('));
  const verdict = page.locator('.verdict.is-bad');
  await verdict.getByRole('button', { name: /^Line 4,/ }).waitFor();
  await page.locator('.script .cm-lint-marker-error').waitFor();
  await audit(page, 'a broken script');
  await picture(page, 'error');
  await verdict.getByRole('button').click();
  equal(await page.evaluate(() => document.activeElement.shadowRoot !== null), true, 'the place leads into the editor');

  step = 'mend it';
  await write(page, SCRIPT);
  await compiles(page);

  step = 'test it on a sample';
  await page.getByRole('button', { name: 'Run', exact: true }).click();
  await page.locator('.outcome .badge', { hasText: 'ran' }).waitFor();
  const result = page.getByRole('textbox', { name: 'Result of the script' });
  await result.getByText('"displayName"').waitFor();
  await page.locator('.stage .cm-merge-b .cm-changedLine', { hasText: 'displayName' }).waitFor();
  await audit(page, 'a test');
  await picture(page, 'plugin');

  step = 'test it on an example of each operation';
  const runOn = page.getByLabel('What the script is run on');
  await runOn.selectOption({ label: 'On an example of each operation' });
  await page.getByRole('button', { name: 'Run', exact: true }).click();
  await page.locator('.outcome .badge', { hasText: 'ran' }).waitFor();
  const examples = await page.getByLabel('Which answer is shown').locator('option').count();
  equal(examples > 4, true, `${examples} examples`);

  step = 'have answers recorded, and no longer';
  await runOn.selectOption({ label: 'On recorded answers' });
  await page.getByText('Answers are not recorded for this tenant.').waitFor();
  await page.getByRole('button', { name: 'Record', exact: true }).click();
  await page.getByText('Answers are recorded, the last 50 of them', { exact: false }).waitFor();
  await audit(page, 'recording');
  await page.getByRole('button', { name: 'Stop recording' }).click();
  await page.getByText('Answers are not recorded for this tenant.').waitFor();
  await runOn.selectOption({ label: 'On a sample' });

  step = 'publish it';
  await page.getByRole('button', { name: 'Publish…' }).click();
  await page.getByRole('dialog').waitFor();
  await audit(page, 'publishing');
  await picture(page, 'publish');
  await page.keyboard.press('Escape');
  await publish(page, 'A name to show');
  await answers(page, 1);

  step = 'call the API with it';
  const token = await signIn();
  const first = await currentUser(token, PLUGIN);
  equal(first.error, null, 'the plugin ran');
  equal(first.body.data.displayName, first.body.data.name, 'what it adds');

  step = 'publish another version';
  await write(page, SECOND);
  await compiles(page);
  await publish(page, 'Another one');
  await answers(page, 2);
  equal((await currentUser(token, PLUGIN)).body.data.displayName, 'second', 'what the second version adds');

  step = 'roll back';
  await page.getByRole('button', { name: 'Roll back…' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Roll back', exact: true }).click();
  await answers(page, 1);
  equal((await currentUser(token, PLUGIN)).body.data.displayName, first.body.data.name, 'what the first version adds');

  step = 'try a version on some of the requests, and end that';
  await write(page, FAILING);
  await compiles(page);
  await page.getByRole('button', { name: 'Publish…' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Note').fill('On trial');
  await dialog.getByLabel('A share of').check();
  await dialog.getByLabel('Share in percent').fill('99');
  await dialog.getByRole('button', { name: 'Publish', exact: true }).click();
  await page.locator('.banner', { hasText: 'v3 is on trial with 99% of the requests.' }).waitFor();
  await audit(page, 'a trial');
  await picture(page, 'trial');
  const untouched = await currentUser(token, PLUGIN);
  equal(untouched.body.success, true, 'the answer of a plugin that fails');
  await page.getByRole('button', { name: 'Stop the trial' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Stop the trial' }).click();
  await page.locator('.banner').waitFor({ state: 'detached' });

  step = 'compare versions';
  await page.getByRole('button', { name: 'Compare v2' }).click();
  await page.getByRole('dialog').locator('.cm-merge-a').waitFor();
  await audit(page, 'a comparison');
  await page.keyboard.press('Escape');

  step = 'read what can be called';
  await page.getByRole('button', { name: 'Functions' }).click();
  await page.getByRole('dialog').getByText('camel()', { exact: false }).first().waitFor();
  await audit(page, 'functions');
  await picture(page, 'functions');
  await page.keyboard.press('Escape');

  step = 'look at the failures';
  await page.getByRole('tab', { name: 'Failures' }).click();
  await page.locator('.chart').first().waitFor();
  await audit(page, 'failures');
  await picture(page, 'failures');
}

async function theOtherPages(page) {
  step = 'the list of plugins';
  await page.getByRole('link', { name: 'Plugins', exact: true }).click();
  await page.getByRole('row', { name: new RegExp(PLUGIN) }).getByText('v1 answers').waitFor();
  await audit(page, 'plugins');
  await picture(page, 'plugins');

  step = 'end a session';
  const token = await signIn();
  await page.getByRole('link', { name: 'Sessions', exact: true }).click();
  await page.getByRole('row').nth(1).getByText('live').waitFor();
  await audit(page, 'sessions');
  await picture(page, 'sessions');
  await page.getByRole('row').nth(1).getByRole('button', { name: /^End/ }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'End', exact: true }).click();
  await page.getByText('The session has ended, on every node.').waitFor();
  const late = await currentUser(token, 'common-data');
  equal(late.status, 401, 'a call with the session that was ended');

  step = 'end many: those of a user in a system, and exactly those';
  const tokens = [await signIn(), await signIn()];
  await page.getByRole('textbox', { name: 'System' }).fill('web');
  const userId = await page.getByRole('row').nth(1).getByRole('rowheader').innerText();
  await page.getByRole('textbox', { name: 'User id' }).fill(userId);
  await page.getByRole('button', { name: 'End many…' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByText(`The sessions of ${userId} in web`, { exact: false }).waitFor();
  const listed = await page.locator('tbody tr').count();
  await dialog.getByText(`${listed} sessions end at once.`).waitFor();
  await audit(page, 'end many');
  await page.keyboard.press('Escape');

  step = 'end many: the whole tenant asks for its id';
  await page.getByRole('textbox', { name: 'System' }).fill('');
  await page.getByRole('textbox', { name: 'User id' }).fill('');
  await page.getByRole('button', { name: 'End many…' }).click();
  await dialog.getByText(`${listed} sessions end at once.`).waitFor();
  const since = await signIn();
  const typed = dialog.getByLabel("Type the tenant's id");
  await typed.fill('another');
  await dialog.getByRole('button', { name: 'End', exact: true }).click();
  await dialog.getByRole('alert').waitFor();
  equal((await currentUser(tokens[0], 'common-data')).status, 200, 'a call before the id is typed');
  await typed.fill(OWNER);
  await dialog.getByRole('button', { name: 'End', exact: true }).click();
  await page.getByText(`${listed} sessions have ended, on every node.`).waitFor();
  for (const ended of tokens) equal((await currentUser(ended, 'common-data')).status, 401, 'a call with one of many that ended');
  equal((await currentUser(since, 'common-data')).status, 200, 'a call with one that was not counted');

  step = 'a dialog closes when the page changes';
  await page.getByRole('button', { name: 'End many…' }).click();
  await dialog.waitFor();
  await page.goBack();
  await page.getByRole('heading', { name: 'Response plugins' }).waitFor();
  equal(await page.getByRole('dialog').count(), 0, 'dialogs after going back');
  await page.goForward();
  await page.getByRole('button', { name: 'End many…' }).click();
  await dialog.waitFor();
  await page.evaluate((owner) => { location.hash = `#/${owner}/users`; }, OWNER);
  await page.getByRole('heading', { name: 'Users' }).waitFor();
  equal(await page.getByRole('dialog').count(), 0, 'dialogs after another page');
  await page.getByRole('link', { name: 'Sessions', exact: true }).click();
  await page.getByRole('button', { name: 'End many…' }).click();
  await dialog.waitFor();
  await page.context().clearCookies();
  await dialog.getByLabel("Type the tenant's id").fill(OWNER);
  await dialog.getByRole('button', { name: 'End', exact: true }).click();
  await page.getByRole('heading', { name: 'Sign in' }).waitFor();
  equal(await page.getByRole('dialog').count(), 0, 'dialogs after the session was lost');
  await page.getByLabel('Account').fill(ADMIN_ACCOUNT);
  await page.getByLabel('Password').fill(ADMIN_PASSWORD);
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: 'End many…' }).waitFor();

  step = 'users and the audit trail';
  await page.getByRole('link', { name: 'Users', exact: true }).click();
  await page.getByRole('heading', { name: 'Users' }).waitFor();
  await page.getByRole('row').nth(1).waitFor();
  await audit(page, 'users');
  await picture(page, 'users');
  await page.getByRole('link', { name: 'Audit trail', exact: true }).click();
  await page.getByRole('row', { name: /session\.ended/ }).first().waitFor();
  await audit(page, 'audit trail');
  await picture(page, 'audit');
}

async function inChineseAndInTheDark(page) {
  step = 'in Chinese and in the dark';
  await page.goto(`${BASE_URL}/console#/${OWNER}/plugins/${PLUGIN}`);
  await compiles(page);
  await page.locator('#language').click();
  await page.getByRole('button', { name: '发布…' }).waitFor();
  equal(await page.evaluate(() => document.documentElement.lang), 'zh-CN', 'the language of the page');
  await page.locator('#theme').click();
  await page.locator('#theme').click();
  equal(await page.evaluate(() => document.documentElement.dataset.theme), 'dark', 'the colours');
  await compiles(page);
  await page.getByRole('button', { name: '运行', exact: true }).click();
  await page.locator('.outcome .badge', { hasText: '运行成功' }).waitFor();
  await audit(page, 'in Chinese and in the dark');
  await picture(page, 'chinese-dark');
  // Both are remembered.
  await page.reload();
  await page.getByRole('button', { name: '发布…' }).waitFor();
  equal(await page.evaluate(() => document.documentElement.dataset.theme), 'dark', 'the colours after a reload');

  step = 'sign out';
  await page.getByRole('button', { name: '退出' }).click();
  await page.getByRole('heading', { name: '登录' }).waitFor();
  await page.reload();
  await page.getByRole('heading', { name: '登录' }).waitFor();
}

async function aChineseBrowser() {
  step = 'a browser that prefers Chinese and dark colours';
  const { page, finished } = await open(browser, { locale: 'zh-CN', colorScheme: 'dark' });
  await page.goto(`${BASE_URL}/console`);
  await page.getByRole('heading', { name: '登录' }).waitFor();
  await audit(page, 'sign in, in Chinese and dark');
  await picture(page, 'sign-in-chinese-dark');
  await finished();
}

try {
  const opened = await open(browser, { locale: 'en-US', colorScheme: 'light' });
  const finished = await byKeyboardAlone(opened);
  await theTask(opened.page);
  await theOtherPages(opened.page);
  await inChineseAndInTheDark(opened.page);
  step = 'complaints of the browser';
  await finished();
  await aChineseBrowser();
} catch (error) {
  console.log(`${step}: ${error.message}`);
  const page = browser.contexts()[0]?.pages()[0];
  if (process.env.FAILURE_PICTURE && page) await page.screenshot({ path: process.env.FAILURE_PICTURE });
  process.exitCode = 1;
} finally {
  await browser.close();
}
