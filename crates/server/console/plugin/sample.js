// What a plugin is tried on before anybody has written a sample: an answer as the API gives it.

/** The answer of `GET /bo/api/v3/auth/user/current`. */
export const SAMPLE = `{
  "code": 0,
  "success": true,
  "message": "获取成功",
  "data": {
    "userId": "u-demo",
    "userName": "demo",
    "name": "演示用户",
    "mobile": "13800138000",
    "ownerId": "demo",
    "sysId": "web",
    "areaCodes": [
      "440100"
    ]
  },
  "cacheType": "redis",
  "cacheDate": "2026-01-02T03:04:05.678Z"
}`;

/** A plugin that changes nothing, to begin with. */
export const TEMPLATE = `// What this returns is what goes out. \`response\` is the whole envelope, \`ctx\` tells of the request.
fn process(response, ctx) {
    response
}
`;

/** The operations that a sample may stand for. */
export const ROUTES = [
  ["GET", "/bo/api/v3/auth/user/current"],
  ["POST", "/bo/api/v3/auth/login"],
  ["GET", "/bo/api/v3/auth/token/refresh"],
  ["DELETE", "/bo/api/v3/auth/token/logout"],
  ["GET", "/bo/api/v3/auth/session"],
];
