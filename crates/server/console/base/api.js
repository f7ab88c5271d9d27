// The admin API: one call a request, refusals as problems (RFC 9457), the session in a cookie that scripts cannot read.
import { languageTag } from "./text.js";

const PREFIX = "/admin/api/v1";

/** A refusal of the API, or that it could not be reached (status 0). */
export class Problem extends Error {
  constructor(status, body) {
    super(body.detail ?? body.title ?? `${status}`);
    this.status = status;
    this.code = body.code ?? "";
    this.body = body;
  }
}

let whenSignedOut = () => {};

/** Calls this when a request is refused since nobody is signed in any more. */
export const onSignedOut = (listener) => { whenSignedOut = listener; };

/** A path of parts, each written so that it is one segment. */
export const path = (...parts) => parts.map((part) => `/${encodeURIComponent(part)}`).join("");

/** Sends a request with a `body`, or with its `json` as it is; answers `{ value, text, etag }`. */
export async function send(method, where, { body, json, etag, query, expects401 = false } = {}) {
  const headers = { Accept: "application/json", "Accept-Language": languageTag() };
  if (method !== "GET") headers["X-Requested-With"] = "bo-console";
  const sent = json ?? (body === undefined ? undefined : JSON.stringify(body));
  if (sent !== undefined) headers["Content-Type"] = "application/json";
  if (etag) headers["If-Match"] = etag;
  const search = query ? `?${new URLSearchParams(Object.entries(query).filter(([, value]) => value !== "" && value != null))}` : "";
  let answer;
  try {
    answer = await fetch(PREFIX + where + search, {
      method, headers, cache: "no-store", credentials: "same-origin", body: sent,
    });
  } catch {
    throw new Problem(0, { code: "UNREACHABLE" });
  }
  const text = await answer.text();
  let value = null;
  try { value = text ? JSON.parse(text) : null; } catch { value = null; }
  if (answer.ok) return { value, text, etag: answer.headers.get("ETag") };
  if (answer.status === 401 && !expects401) whenSignedOut();
  throw new Problem(answer.status, value ?? {});
}

/** What a path answers. */
export const get = async (where, query) => (await send("GET", where, { query })).value;
