// A frontend as it stands in the field: crypto-js makes the values, fetch sends them. It signs in twice, looks around, renews its tokens,
// and signs out once by GET and once by DELETE. One JSON line a step; exit code 1 at the first answer that is not the contract's.
//
// Environment: BASE_URL OWNER SYS KEY ACCOUNT PASSWORD, CIPHER (ecb or cbc), OUTPUT (base64 or hex).

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import CryptoJS from 'crypto-js';

const { BASE_URL, OWNER, SYS, KEY, ACCOUNT, PASSWORD, CIPHER = 'ecb', OUTPUT = 'base64' } = process.env;
const api = `${BASE_URL}/bo/api/v3`;
const signedOut = '{"code":0,"success":true,"message":"退出成功"}';

function encryptByDES(text) {
  const key = CryptoJS.enc.Utf8.parse(KEY);
  const mode = { ecb: CryptoJS.mode.ECB, cbc: CryptoJS.mode.CBC }[CIPHER];
  const encrypted = CryptoJS.DES.encrypt(text, key, { mode, iv: key, padding: CryptoJS.pad.Pkcs7 });
  return OUTPUT === 'hex' ? encrypted.ciphertext.toString(CryptoJS.enc.Hex) : encrypted.toString();
}

const verifyApi = () => encryptByDES(`${randomUUID()}|${Date.now()}`);
const bearer = (token) => ({ Authorization: `Bearer ${token.accessToken}` });
const logoutPath = (token) => `/auth/token/logout?refreshToken=${encodeURIComponent(token.refreshToken)}&_nodejs=common-data`;

/** Sends one request with the X headers of a frontend, `XverifyApi` fresh unless given. */
async function call(method, path, { headers = {}, body } = {}) {
  const response = await fetch(api + path, {
    method,
    headers: { XownerId: OWNER, XsysId: SYS, XverifyApi: verifyApi(), 'Content-Type': 'application/json; charset=utf-8', ...headers },
    body: body && JSON.stringify(body),
    signal: AbortSignal.timeout(30_000),
  });
  const text = await response.text();
  return { status: response.status, type: response.headers.get('content-type') ?? '', text, json: JSON.parse(text) };
}

/** Runs one step and prints its result. The tokens an answer carries stay out of the line. */
async function step(name, request, check) {
  const line = { step: name, cipher: CIPHER, output: OUTPUT };
  try {
    const answer = await request();
    Object.assign(line, { status: answer.status, code: answer.json.code, errorCode: answer.json.error?.errorCode });
    assert.match(answer.type, /^application\/json/);
    const result = check(answer);
    console.log(JSON.stringify({ ...line, ok: true }));
    return result;
  } catch (error) {
    const difference = { message: error.message, cause: error.cause?.message, expected: error.expected, actual: error.actual };
    console.log(JSON.stringify({ ...line, ok: false, ...difference }));
    process.exit(1);
  }
}

function succeeds({ status, json }) {
  assert.deepEqual({ status, code: json.code, success: json.success }, { status: 200, code: 0, success: true });
  return json.data;
}

function failsWith(errorCode) {
  return ({ status, json }) => {
    const seen = { status, success: json.success, errorCode: json.error?.errorCode };
    assert.deepEqual(seen, { status: 401, success: false, errorCode });
  };
}

function tokenPair({ accessToken, refreshToken, tokenType, expiresIn }) {
  assert.match(accessToken, /^eyJ[\w-]+\.[\w-]+\.[\w-]+$/);
  assert.match(refreshToken, /^[0-9A-Za-z]{32}$/);
  assert.equal(tokenType, 'Bearer');
  assert.ok(Number.isInteger(expiresIn) && expiresIn > 0, `expiresIn is ${expiresIn}`);
  return { accessToken, refreshToken };
}

for (const method of ['GET', 'DELETE']) {
  const credentials = { userName: ACCOUNT, password: encryptByDES(PASSWORD) };
  const first = await step('login', () => call('POST', '/auth/login', { body: credentials }), (answer) => {
    const { user, token } = succeeds(answer);
    assert.equal(typeof user, 'object');
    return tokenPair(token);
  });

  const used = { ...bearer(first), XverifyApi: verifyApi() };
  await step('current user', () => call('GET', '/auth/user/current', { headers: used }), (answer) => {
    assert.equal(typeof succeeds(answer), 'object');
    assert.ok(['redis', 'sqlite', 'local'].includes(answer.json.cacheType), `cacheType is ${answer.json.cacheType}`);
    assert.ok(!Number.isNaN(Date.parse(answer.json.cacheDate)), `cacheDate is ${answer.json.cacheDate}`);
  });
  await step('replayed XverifyApi', () => call('GET', '/auth/user/current', { headers: used }), failsWith('VERIFY_API_REPLAYED'));

  const refresh = `/auth/token/refresh?refreshToken=${encodeURIComponent(first.refreshToken)}`;
  const token = await step('refresh', () => call('GET', refresh), (answer) => {
    const data = succeeds(answer);
    assert.deepEqual(Object.keys(data), ['token']);
    const next = tokenPair(data.token);
    assert.notEqual(next.refreshToken, first.refreshToken);
    return next;
  });

  const logout = () => call(method, logoutPath(token), { headers: bearer(token) });
  const isSignedOut = ({ status, text }) => assert.deepEqual({ status, text }, { status: 200, text: signedOut });
  await step(`logout by ${method}`, logout, isSignedOut);
  await step('logout again', logout, isSignedOut);

  for (const [name, pair] of [['renewed', token], ['first', first]]) {
    const request = () => call('GET', '/auth/user/current', { headers: bearer(pair) });
    await step(`current user after logout, ${name} token`, request, failsWith('SESSION_LOGGED_OUT'));
  }
  const late = `/auth/token/refresh?refreshToken=${encodeURIComponent(token.refreshToken)}`;
  await step('refresh after logout', () => call('GET', late), failsWith('SESSION_LOGGED_OUT'));
}
process.exit(0);
