// CodeMirror's own texts in the console's language.
import { has, t } from "../base/text.js";

const PHRASES = [
  "Find", "Replace", "next", "previous", "all", "match case", "regexp", "by word", "replace", "replace all", "close", "Diagnostics",
  "No diagnostics", "Completions", "Folded lines", "Unfolded lines", "folded code", "unfold", "Fold line", "Unfold line", "to",
  "current match", "replaced match on line $", "replaced $ matches", "on line", "Go to line", "go", "Control character", "Selection deleted",
];

/** By CodeMirror's own English. */
export const phrases = () =>
  Object.fromEntries(PHRASES.filter((phrase) => has(`editor.phrase.${phrase}`)).map((phrase) => [phrase, t(`editor.phrase.${phrase}`)]));
