// Elements from plain calls. Texts are always texts: nothing here reads markup.

const SVG = "http://www.w3.org/2000/svg";

function apply(element, properties) {
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value" || name === "checked" || name === "disabled" || name === "selected") element[name] = value;
    else element.setAttribute(name, value === true ? "" : String(value));
  }
}

/** An element: `h("button", { type: "button", onclick }, "Text")`. Empty children are left out. */
export function h(tag, properties, ...children) {
  const element = document.createElement(tag);
  element.append(...flat(children));
  // After the children, since a select's value is one of its options.
  apply(element, properties);
  return element;
}

/** The same, for drawings. */
export function svg(tag, properties, ...children) {
  const element = document.createElementNS(SVG, tag);
  apply(element, properties);
  element.append(...flat(children));
  return element;
}

/** Puts these in the place of what an element has. */
export const fill = (element, ...children) => element.replaceChildren(...flat(children));

const flat = (children) => children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);

let last = 0;

/** An id that nothing else on the page has. */
export const newId = (kind) => `${kind}-${(last += 1)}`;

/** Calls at most once in so many milliseconds, with the newest arguments. */
export function debounce(milliseconds, call) {
  let timer = 0;
  return (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => call(...values), milliseconds);
  };
}
