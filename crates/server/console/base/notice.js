// What is said in passing: shown for a while and read out, and problems in the words of this language.
import { fill, h } from "./dom.js";
import { icon } from "./icon.js";
import { has, t } from "./text.js";

const place = () => document.getElementById("announcements");
let timer = 0;

/** Says that something was done (`good`) or went wrong (`bad`). */
export function announce(text, kind = "good") {
  clearTimeout(timer);
  fill(place(), h("div", { class: `announcement is-${kind}` }, icon(kind === "good" ? "good" : "warning"), h("span", null, text)));
  timer = setTimeout(() => fill(place()), kind === "good" ? 5000 : 12_000);
}

/** Takes back what is said. */
export const hush = () => { clearTimeout(timer); fill(place()); };

/** What a problem means to a person. The API's own sentence stands in for a code that is not known here. */
export function explain(problem) {
  if (has(`problem.${problem.code}`)) return t(`problem.${problem.code}`);
  if (problem.status === 0) return t("problem.UNREACHABLE");
  if (problem.body?.detail) return problem.body.detail;
  if (has(`problem.${problem.status}`)) return t(`problem.${problem.status}`);
  return problem.status ? t("problem.other", { status: problem.status }) : String(problem.message ?? problem);
}

/** Shows a problem as an announcement. */
export const complain = (problem) => announce(explain(problem), "bad");

/** A box that says what went wrong, where it went wrong. */
export const alertBox = (...children) => h("div", { class: "alert", role: "alert" }, icon("warning"), h("div", null, ...children));

/** A box that says that nothing is there yet. */
export const emptyBox = (title, text, ...more) => h("div", { class: "empty" }, h("p", { class: "empty-title" }, title), h("p", null, text), ...more);
