// A client whose types are generated from the OpenAPI document. That it compiles says that the document describes what a
// client needs; that it runs says that the server answers as described. Exit code 1 at the first answer that differs.
//
// Environment: BASE_URL OWNER ACCOUNT PASSWORD (encrypted), STAMPS (fresh ones, separated by spaces).

import createClient from 'openapi-fetch';
import type { paths } from './build/bo-v3.js';

declare const process: { env: Record<string, string | undefined>; exit(code: number): never };

const { BASE_URL = '', OWNER = '', ACCOUNT = '', PASSWORD = '', STAMPS = '' } = process.env;
const stamps = STAMPS.split(' ');
const client = createClient<paths>({ baseUrl: BASE_URL });

const header = () => ({ XownerId: OWNER, XverifyApi: stamps.shift() ?? '' });
const bearer = (accessToken: string) => ({ Authorization: `Bearer ${accessToken}` });

function fail(step: string, answer: unknown): never {
  console.log(JSON.stringify({ step, answer }));
  process.exit(1);
}

const login = await client.POST('/bo/api/v3/auth/login', {
  params: { header: header() },
  body: { userName: ACCOUNT, password: PASSWORD },
});
if (!login.data) fail('login', login.error);
const first = login.data.data.token;

const current = await client.GET('/bo/api/v3/auth/user/current', {
  params: { header: header() },
  headers: bearer(first.accessToken),
});
if (current.data?.data.userName !== ACCOUNT) fail('current user', current.error);

const refresh = await client.POST('/bo/api/v3/auth/token/refresh', {
  params: { header: header() },
  body: { refreshToken: first.refreshToken },
});
if (!refresh.data) fail('refresh', refresh.error);
const token = refresh.data.data.token;

const sessions = await client.GET('/bo/api/v3/auth/session', {
  params: { header: header() },
  headers: bearer(token.accessToken),
});
if (sessions.data?.data.filter((session) => session.current).length !== 1) fail('sessions', sessions.error);

const logout = await client.DELETE('/bo/api/v3/auth/token/logout', {
  params: { header: header(), query: { refreshToken: token.refreshToken, _nodejs: 'common-data' } },
  headers: bearer(token.accessToken),
});
if (logout.data?.code !== 0 || logout.data.success !== true) fail('logout', logout.error);

const late = await client.GET('/bo/api/v3/auth/user/current', {
  params: { header: header() },
  headers: bearer(token.accessToken),
});
if (late.response.status !== 401 || late.error?.error.errorCode !== 'SESSION_LOGGED_OUT') fail('current user after logout', late);
