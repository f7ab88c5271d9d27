// A service that verifies access tokens with jose's remote key set, in its defaults. Each line of the input is
// `{ token, now }`; its answer is a line: `ok`, or the code of the refusal. The clock is the one of the test.
import { createInterface } from 'node:readline';
import { createRemoteJWKSet, jwtVerify } from 'jose';

let now = 0;
Date.now = () => now;

const keys = createRemoteJWKSet(new URL(process.env.KEY_SET));
for await (const line of createInterface({ input: process.stdin })) {
  const asked = JSON.parse(line);
  now = asked.now;
  try {
    await jwtVerify(asked.token, keys, { audience: 'api', currentDate: new Date(now) });
    console.log('ok');
  } catch (error) {
    console.log(error.code ?? error.message);
  }
}
