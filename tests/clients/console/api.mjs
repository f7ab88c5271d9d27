// The tenant's frontend: calls the v3 contract as a page in the field does.

const { BASE_URL = '', OWNER = '', ACCOUNT = '', PASSWORD = '', STAMPS = '' } = process.env;
const stamps = STAMPS.split(' ');

async function call(method, path, { token, body } = {}) {
  const headers = { XownerId: OWNER, XverifyApi: stamps.shift() ?? '', 'Accept-Language': 'en' };
  if (token) headers.Authorization = `Bearer ${token}`;
  if (body) headers['Content-Type'] = 'application/json';
  const answer = await fetch(`${BASE_URL}/bo/api/v3${path}`, { method, headers, body: body && JSON.stringify(body) });
  return { status: answer.status, error: answer.headers.get('X-Plugin-Error'), body: await answer.json() };
}

/** Signs the user in; answers the access token. */
export async function signIn() {
  const answer = await call('POST', '/auth/login', { body: { userName: ACCOUNT, password: PASSWORD } });
  if (!answer.body.success) throw new Error(`login: ${JSON.stringify(answer)}`);
  return answer.body.data.token.accessToken;
}

/** Who is signed in, as a plugin shapes it. */
export const currentUser = (token, plugin) => call('GET', `/auth/user/current?_nodejs=${plugin}`, { token });
