// Trying a script: what it is given and what it makes of that, side by side.
import { jsonParseLinter, keymap, linter, EditorView } from "../vendor/codemirror.js";
import { send } from "../base/api.js";
import { fill, h } from "../base/dom.js";
import { badge, button, field } from "../base/fields.js";
import { icon } from "../base/icon.js";
import { parseExact, pretty } from "../base/json.js";
import { draft, keepDraft } from "../base/memory.js";
import { explain } from "../base/notice.js";
import { counted, duration, languageTag, number, t } from "../base/text.js";
import { mountDiff, setText } from "../editor/mount.js";
import { failureText } from "./failures.js";
import { recordingSwitch } from "./recording.js";
import { ROUTES, SAMPLE } from "./sample.js";

function contextFields() {
  const options = ROUTES.map(([method, route], index) => h("option", { value: index }, `${method} ${route}`));
  const route = field(t("trial.route"), { name: "route" }, { tag: "select", options });
  const status = field(t("trial.status"), { name: "status", type: "number", min: 100, max: 599, value: 200 });
  const language = field(t("trial.language"), { name: "language" }, { tag: "select", options: ["zh-CN", "en"].map((tag) => h("option", { value: tag }, tag)) });
  language.input.value = languageTag();
  const system = field(t("trial.system"), { name: "sysId", maxlength: 64, spellcheck: "false", autocomplete: "off" });
  const params = field(t("trial.params"), { name: "params", placeholder: "_page=2&_size=10", spellcheck: "false", autocomplete: "off" });
  const read = () => {
    const [method, pattern] = ROUTES[Number(route.input.value)];
    const sent = [...new URLSearchParams(params.input.value)].filter(([name]) => name.startsWith("_"));
    const context = { route: pattern, method, status: Number(status.input.value) || 200, language: language.input.value, params: Object.fromEntries(sent) };
    if (system.input.value) context.sysId = system.input.value;
    return context;
  };
  return { read, element: h("details", { class: "context" }, h("summary", null, t("trial.context")), h("div", { class: "context-fields" }, [route, status, language, system, params].map((one) => one.element))) };
}

/** What came of one run, in a line and in lists. */
function outcome(result, goTo) {
  const facts = h("span", { class: "faint" }, `${duration(result.microseconds)} · ${counted("trial.operations", result.operations)}`);
  const { failure } = result;
  const place = failure?.line && h("button", { type: "button", class: "link", onclick: () => goTo(failure.line, failure.column ?? 1) }, t("failures.place", { line: failure.line, column: failure.column ?? 1 }));
  const head = failure
    ? h("p", { class: "outcome-head" }, badge(t("trial.failed"), "bad"), h("code", null, failure.code), place, h("span", null, failure.message), facts)
    : h("p", { class: "outcome-head" }, badge(t("trial.worked"), "good"), facts);
  const untouched = failure && h("p", { class: "hint" }, `${failureText(failure.code)} ${t("trial.untouched")}`);
  const schema = (result.schemaProblems ?? []).map((one) => h("li", null, h("code", null, one.path), " ", one.message));
  const log = (result.log ?? []).map((line) => h("li", null, typeof line === "string" ? line : JSON.stringify(line)));
  return [
    head, untouched,
    schema.length > 0 && h("div", { class: "outcome-list is-warn" }, h("h3", null, icon("warning"), counted("trial.schema", schema.length)), h("ul", null, schema)),
    log.length > 0 && h("div", { class: "outcome-list" }, h("h3", null, t("trial.log")), h("ul", { class: "mono" }, log)),
  ];
}

/** The panel. `script` answers the editor's text, `goTo` shows a line of it. */
export function mountTrial({ key, where, owner, script, goTo }) {
  const sampleKey = `sample ${key}`;
  const context = contextFields();
  const said = h("div", { class: "outcome", role: "status", "aria-live": "polite" });
  const stage = h("div", { class: "stage" });
  const choose = h("select", { class: "input", "aria-label": t("trial.which"), hidden: true });
  const against = h("select", { class: "input", "aria-label": t("trial.against") },
    h("option", { value: "before" }, t("trial.againstSample")), h("option", { value: "active" }, t("trial.againstActive")));
  const from = h("select", { class: "input", "aria-label": t("trial.from") },
    h("option", { value: "sample" }, t("trial.fromSample")), h("option", { value: "examples" }, t("trial.fromExamples")), h("option", { value: "recorded" }, t("trial.fromRecorded")));
  let sample = draft(sampleKey) ?? SAMPLE;
  let results = [];
  let diff = null;
  let isEditable = null;

  const legend = h("div", { class: "stage-legend" }, h("span"), h("span", null, t("trial.result")));
  const tape = h("div", { class: "tape" });
  const isPlain = () => from.value === "sample" && against.value === "before";

  function stageOf(before, after) {
    const editable = isPlain();
    legend.firstChild.textContent = against.value === "active" ? t("trial.activeResult") : t(`trial.${from.value}`);
    if (diff && isEditable === editable) {
      if (!editable) setText(diff.merge.a, before);
      setText(diff.merge.b, after);
      return;
    }
    diff?.merge.destroy();
    isEditable = editable;
    diff = mountDiff({
      before, after, editable, beforeLabel: t("trial.sampleLabel"), afterLabel: t("trial.resultLabel"),
      extensions: [
        keymap.of([{ key: "Mod-Enter", run: () => { run(); return true; } }]), linter(jsonParseLinter()),
        EditorView.updateListener.of((update) => {
          if (!update.docChanged) return;
          sample = update.state.doc.toString();
          keepDraft(sampleKey, sample);
        }),
      ],
    });
    fill(stage, diff.element);
  }

  const shown = (value) => (value === null || value === undefined ? "" : pretty(value));

  function draw() {
    const result = results[Number(choose.value) || 0];
    const left = against.value === "active" ? shown(result?.exact.active) : from.value === "sample" ? sample : shown(result?.exact.before);
    // A run that failed leaves the envelope as it was: that is what goes out.
    const after = result ? result.exact.after ?? (result.failure ? result.exact.before : null) : null;
    stageOf(left, shown(after));
    diff.element.classList.toggle("is-idle", !result);
    fill(said, result ? outcome(result, goTo) : h("p", { class: "hint" }, t("trial.notYet")));
  }

  /** Scrolls to what differs first. */
  function showChange() {
    const [chunk] = diff.merge.chunks;
    if (chunk) diff.merge.b.dispatch({ effects: EditorView.scrollIntoView(chunk.fromB, { y: "center" }) });
  }

  async function run() {
    start.disabled = true;
    try {
      const body = { source: script() };
      if (from.value === "recorded") body.recorded = true;
      if (from.value === "sample") body.context = context.read();
      let json = JSON.stringify(body);
      if (from.value === "sample") {
        try { JSON.parse(sample); } catch (error) { throw new Error(t("trial.notJson", { detail: error.message })); }
        // Laid out as results are, so that only what differs is marked.
        const laidOut = pretty(parseExact(sample));
        if (laidOut !== sample) {
          sample = laidOut;
          keepDraft(sampleKey, sample);
          if (isPlain()) setText(diff.merge.a, sample);
        }
        // As it was written: reading and writing it as numbers would lose digits.
        json = `${json.slice(0, -1)},"sample":${sample}}`;
      }
      const { value, text } = await send("POST", `${where}/test`, { json });
      const exact = parseExact(text).results;
      results = value.results.map((result, index) => ({ ...result, exact: exact[index] }));
      choose.hidden = results.length < 2;
      fill(choose, results.map((result, index) => h("option", { value: index }, t(result.failure ? "trial.nthFailed" : "trial.nth", { number: number(index + 1), count: number(results.length) }))));
      choose.value = "0";
      draw();
      showChange();
      if (results.length === 0) fill(said, h("p", { class: "outcome-head" }, t("trial.nothingRecorded")));
    } catch (problem) {
      results = [];
      draw();
      const error = problem.body?.compileError;
      fill(said, h("p", { class: "outcome-head" }, badge(t("trial.notRun"), "bad"), explain(problem)), error && h("p", null, error.message));
    } finally {
      start.disabled = false;
    }
  }

  const start = button("run", t("trial.run"), run, { class: "button is-primary", id: "run-test", title: "Ctrl+Enter" });
  const clear = () => {
    results = [];
    choose.hidden = true;
    fill(tape, from.value === "recorded" && recordingSwitch(owner));
    draw();
  };
  from.addEventListener("change", clear);
  against.addEventListener("change", draw);
  choose.addEventListener("change", draw);
  clear();
  const element = h("div", { class: "trial" },
    h("div", { class: "trial-tools" }, start, from, against, choose, tape, context.element),
    h("div", { class: "stage-frame" }, h("div", { class: "stage-pair" }, legend, stage),
      h("section", { class: "outcome-frame", "aria-label": t("trial.outcome") }, h("h3", { class: "stage-legend" }, h("span", null, t("trial.outcome"))), said)));
  return { element, run };
}
