// JSON whose numbers keep the digits they were written with: an envelope's 64-bit ids and 1.0 must be shown as they are.

/** Reads a text; numbers stay the texts they are where the browser can do that. */
export const parseExact = (text) =>
  JSON.parse(text, (key, value, context) => (typeof value === "number" && context?.source && JSON.rawJSON ? JSON.rawJSON(context.source) : value));

/** Such a value with two blanks a level. */
export const pretty = (value) => JSON.stringify(value, null, 2);
