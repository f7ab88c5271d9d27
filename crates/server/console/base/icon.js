// Line drawings of 16 by 16, in the colour of the text beside them. They say nothing to a screen reader.
import { svg } from "./dom.js";

const PATHS = {
  plugins: "M6 2.5h4v3h3.5v8h-11v-8H6zM6 9l-1 1 1 1M10 9l1 1-1 1",
  sessions: "M2.5 3.5h11v7h-11zM5.5 13.5h5M8 10.5v3",
  users: "M8 8a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5M3 13.5c.5-2.3 2.5-3.5 5-3.5s4.5 1.2 5 3.5",
  audit: "M4 2.5h8v11H4zM6 5.5h4M6 8h4M6 10.5h2.5",
  theme: "M8 2.5a5.5 5.5 0 1 0 0 11zM8 2.5a5.5 5.5 0 0 1 0 11",
  language: "M2.5 4h6M5.5 2.5V4M7.3 4C6.8 6.5 5 8.7 2.5 9.8M3.7 4c.6 2.3 2.3 4.3 4.3 5.2M8.5 13.5l2.5-6.5 2.5 6.5M9.3 11.5h3.4",
  leave: "M6.5 2.5h-4v11h4M10 5l3 3-3 3M13 8H6",
  run: "M5 3.5v9l7.5-4.5z",
  save: "M8 2.5v7M5 7l3 3 3-3M2.5 11v2.5h11V11",
  publish: "M8 10.5v-8M5 5.5l3-3 3 3M2.5 10v3.5h11V10",
  back: "M6 3.5L2.5 7 6 10.5M3 7h6.5a3 3 0 0 1 0 6H7",
  withdraw: "M3.5 4.5h9M6.5 4.5v-2h3v2M4.5 4.5l.5 9h6l.5-9",
  add: "M8 3.5v9M3.5 8h9",
  close: "M4 4l8 8M12 4l-8 8",
  book: "M8 4C6.5 3 4.5 2.8 2.5 3v9.5c2-.2 4 0 5.5 1 1.5-1 3.5-1.2 5.5-1V3c-2-.2-4 0-5.5 1zM8 4v9.5",
  warning: "M8 2.5l6 11H2zM8 6.5v3.5M8 11.7v.2",
  failed: "M8 2.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11M6 6l4 4M10 6l-4 4",
  good: "M8 2.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11M5.5 8.2l1.8 1.8 3.2-3.7",
  compare: "M5.5 2.5v11M2.5 5.5l3-3M10.5 13.5v-11M13.5 10.5l-3 3",
  refresh: "M13 8a5 5 0 1 1-1.5-3.6M13 2.5v2.5h-2.5",
};

/** The drawing of this name. */
export const icon = (name) =>
  svg("svg", { class: "icon", viewBox: "0 0 16 16", width: 16, height: 16, "aria-hidden": "true", focusable: "false" },
    svg("path", { d: PATHS[name] }));

/** The mark of the product. */
export const mark = () =>
  svg("svg", { class: "mark", viewBox: "0 0 32 32", width: 24, height: 24, "aria-hidden": "true", focusable: "false" },
    svg("rect", { width: 32, height: 32, rx: 8 }),
    svg("path", { d: "M10 8v16M10 16h6.5a4 4 0 0 1 0 8H10M22 10v4" }));
