// Where one is: `#/tenant/page/name`, so that every place has an address, and back and forward work.

/** The scope whose plugins are offered to every tenant; it stands where a tenant's id would. */
export const PLATFORM = "platform";

/** The tenant that is reserved for administrators; its trail is what they did themselves. */
export const ADMINISTRATORS = "bo-admin";

/** The place that the address names. */
export function here() {
  const [owner = "", page = "", name = ""] = location.hash.replace(/^#\/?/, "").split("/").map(decode);
  return { owner, page, name };
}

function decode(part) {
  try { return decodeURIComponent(part); } catch { return ""; }
}

/** The address of a place. */
export const address = (...parts) => `#${parts.map((part) => `/${encodeURIComponent(part)}`).join("")}`;

/** Goes there. */
export const go = (...parts) => { location.hash = address(...parts); };
