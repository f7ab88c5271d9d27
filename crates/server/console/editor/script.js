// The editor of a plugin's script: rhai, completion, and the compiler's opinion while one types.
import { EditorView, autocompletion, forceLinting, keymap, linter, lintGutter } from "../vendor/codemirror.js";
import { path, send } from "../base/api.js";
import { completeRhai } from "./completion.js";
import { mountEditor } from "./mount.js";
import { rhai } from "./rhai.js";

/** Where in a text an error of the compiler stands, as a range that can be seen. */
export function rangeOf(doc, { line, column }) {
  const at = doc.line(Math.min(Math.max(line ?? 1, 1), doc.lines));
  const from = Math.min(at.from + Math.max((column ?? 1) - 1, 0), at.to);
  const word = doc.sliceString(from, at.to).match(/^(\w+|\S)/)?.[0].length ?? 0;
  return word ? { from, to: from + word } : { from: Math.max(at.from, from - 1), to: from };
}

/**
 * Mounts it. `checked` hears the compile error or `null` each time the text was compiled; `changed` hears of every change.
 */
export function mountScript({ owner, label, text, checked, changed, commands }) {
  const compile = async (view) => {
    const { doc } = view.state;
    try {
      const { value } = await send("POST", `${path("tenants", owner)}/plugins/check`, { body: { source: doc.toString() } });
      if (view.state.doc !== doc) return [];
      checked(value.compileError);
      if (!value.compileError) return [];
      return [{ ...rangeOf(doc, value.compileError), severity: "error", message: value.compileError.message }];
    } catch (problem) {
      checked(null, problem);
      return [];
    }
  };
  const mounted = mountEditor({
    label, text,
    extensions: [
      keymap.of(commands), rhai, autocompletion({ override: [completeRhai], icons: false }), lintGutter(), linter(compile, { delay: 350 }),
      EditorView.updateListener.of((update) => update.docChanged && changed(update.state.doc.toString())),
    ],
  });
  forceLinting(mounted.view);
  return mounted;
}
