"""A service that verifies access tokens with PyJWT's key client, in its defaults. Each line of the input is
`{token, now}`; its answer is a line: `ok`, or the name of the refusal. The clock is the one of the test."""

import json
import os
import sys
import time

import jwt

clock = {"now": 0.0}
time.time = time.monotonic = lambda: clock["now"]

keys = jwt.PyJWKClient(os.environ["KEY_SET"])
for line in sys.stdin:
    asked = json.loads(line)
    clock["now"] = asked["now"] / 1000
    try:
        key = keys.get_signing_key_from_jwt(asked["token"])
        options = {"verify_exp": False, "verify_iat": False}
        jwt.decode(asked["token"], key.key, algorithms=["RS256", "ES256", "EdDSA"], audience="api", options=options)
        print("ok", flush=True)
    except jwt.PyJWTError as error:
        print(type(error).__name__, flush=True)
