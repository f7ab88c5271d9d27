// Form fields with their labels, and small parts that several pages have.
import { h, newId } from "./dom.js";
import { icon } from "./icon.js";
import { ago, instant } from "./text.js";

/** A labelled input; `input` is the element itself. */
export function field(label, properties, { hint, tag = "input", options } = {}) {
  const id = newId("field");
  const hintId = hint && newId("hint");
  const input = h(tag, { id, class: "input", "aria-describedby": hintId, ...properties }, options);
  return { input, element: h("div", { class: "field" }, h("label", { for: id }, label), input, hint && h("p", { id: hintId, class: "hint" }, hint)) };
}

/** A labelled tick. */
export function tick(label, properties) {
  const input = h("input", { type: "checkbox", ...properties });
  return { input, element: h("label", { class: "tick" }, input, h("span", null, label)) };
}

/** A button with a drawing. */
export const button = (name, text, onclick, properties) =>
  h("button", { type: "button", class: "button", onclick, ...properties }, icon(name), h("span", null, text));

/** A button that is a drawing alone. */
export const iconButton = (name, label, onclick, properties) =>
  h("button", { type: "button", class: "button is-icon", "aria-label": label, title: label, onclick, ...properties }, icon(name));

/** A small word on a coloured ground. */
export const badge = (text, kind = "plain", title) => h("span", { class: `badge is-${kind}`, title }, text);

/** An instant as its distance from now, with the exact one to be read on it. */
export const when = (at) => (at == null ? "—" : h("time", { datetime: new Date(at).toISOString(), title: instant(at) }, ago(at)));
