// Editors, each in a shadow root: there CodeMirror adopts its style sheets instead of writing elements that the page's policy refuses.
import {
  EditorState, EditorView, MergeView, bracketMatching, closeBrackets, closeBracketsKeymap, completionKeymap, defaultKeymap, drawSelection,
  foldGutter, foldKeymap, highlightActiveLine, highlightActiveLineGutter, highlightSelectionMatches, history, historyKeymap, indentOnInput,
  indentUnit, indentWithTab, json, keymap, lineNumbers, lintKeymap, searchKeymap,
} from "../vendor/codemirror.js";
import { h } from "../base/dom.js";
import { look } from "./look.js";
import { phrases } from "./phrases.js";

// The editor is as high as its host; a comparison with nothing marks nothing.
const HOST = new CSSStyleSheet();
HOST.replaceSync(":host { display: block; min-height: 0; overflow: hidden } .cm-mergeView { height: 100% } .cm-mergeViewEditors { min-height: 100% } :host(.is-idle) :is(.cm-changedLine, .cm-changedText, .cm-changedLineGutter) { background: none !important }");

function host(className) {
  const element = h("div", { class: className });
  const root = element.attachShadow({ mode: "open" });
  root.adoptedStyleSheets = [HOST];
  return { element, root };
}

/**
 * Text that is typed over a selection. Left to itself the browser keeps the selection's looks in an inline style, which the page's
 * policy refuses and reports.
 */
const typeOver = EditorView.domEventHandlers({
  beforeinput(event, view) {
    const { main, ranges } = view.state.selection;
    if (event.inputType !== "insertText" || !event.data || main.empty || ranges.length > 1 || view.composing) return false;
    const { from, to } = main;
    const insert = () => view.state.update({ changes: { from, to, insert: event.data }, selection: { anchor: from + event.data.length }, userEvent: "input.type", scrollIntoView: true });
    event.preventDefault();
    if (!view.state.facet(EditorView.inputHandler).some((handle) => handle(view, from, to, event.data, insert))) view.dispatch(insert());
    return true;
  },
});

/** What every editor has. Escape, then Tab, leaves it. */
const common = (label) => [
  EditorState.phrases.of(phrases()),
  lineNumbers(), foldGutter(), history(), drawSelection(), indentUnit.of("    "), indentOnInput(), bracketMatching(), closeBrackets(),
  highlightActiveLine(), highlightActiveLineGutter(), highlightSelectionMatches(), typeOver,
  keymap.of([...closeBracketsKeymap, ...defaultKeymap, ...searchKeymap, ...historyKeymap, ...foldKeymap, ...completionKeymap, ...lintKeymap, indentWithTab]),
  EditorView.contentAttributes.of({ "aria-label": label, tabindex: "0" }),
  look,
];

const still = (label) => [
  EditorState.phrases.of(phrases()), lineNumbers(), foldGutter(), highlightSelectionMatches(), EditorState.readOnly.of(true),
  keymap.of([...defaultKeymap, ...searchKeymap, ...foldKeymap]),
  EditorView.contentAttributes.of({ "aria-label": label, "aria-readonly": "true", tabindex: "0" }), look,
];

/** An editor; `view` is CodeMirror's, `element` what stands on the page. */
export function mountEditor({ label, text, extensions, className = "editor" }) {
  const { element, root } = host(className);
  const state = EditorState.create({ doc: text, extensions: [extensions, common(label)] });
  return { element, view: new EditorView({ state, parent: root, root }) };
}

/** Two texts beside each other with what differs marked; the first may be written in. */
export function mountDiff({ before, after, beforeLabel, afterLabel, editable = false, extensions = [], language = json(), className = "diff" }) {
  const { element, root } = host(className);
  const first = editable ? [extensions, common(beforeLabel)] : still(beforeLabel);
  const merge = new MergeView({
    a: { doc: before, extensions: [first, language] },
    b: { doc: after, extensions: [still(afterLabel), language] },
    parent: root, root, gutter: true, highlightChanges: true, diffConfig: { scanLimit: 2000, timeout: 200 },
  });
  return { element, merge };
}

/** Replaces an editor's whole text. */
export const setText = (view, text) => view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: text } });

/** Puts the cursor to a line and character (from 1) and shows it. */
export function reveal(view, line, column = 1) {
  const at = view.state.doc.line(Math.min(Math.max(line, 1), view.state.doc.lines));
  const anchor = Math.min(at.from + Math.max(column - 1, 0), at.to);
  view.dispatch({ selection: { anchor }, effects: EditorView.scrollIntoView(anchor, { y: "center" }) });
  view.focus();
}
