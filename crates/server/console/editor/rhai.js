// The rhai language for the editor: what is coloured, and how lines are indented.
import { StreamLanguage } from "../vendor/codemirror.js";

const words = (text) => new Set(text.split(" "));
const KEYWORDS = words("let const fn if else switch while until loop for in do break continue return throw try catch private this is_def_fn is_def_var is_shared as");
const FORBIDDEN = words("eval import export Fn call curry");
const ATOMS = words("true false");

function comment(stream, state) {
  while (!stream.eol()) {
    if (stream.match("*/")) {
      state.depth -= 1;
      if (state.depth === 0) return "comment";
    } else if (stream.match("/*")) state.depth += 1;
    else stream.next();
  }
  return "comment";
}

/** To the end of a text in double quotes (with escapes), or in backquotes (over several lines, with `${…}` left as text). */
function string(stream, state) {
  while (!stream.eol()) {
    const character = stream.next();
    if (character === "\\" && state.quote === '"') stream.next();
    else if (character === state.quote) {
      state.quote = null;
      return "string";
    }
  }
  if (state.quote === '"' && !stream.string.endsWith("\\")) state.quote = null;
  return "string";
}

function token(stream, state) {
  if (state.depth > 0) return comment(stream, state);
  if (state.quote) return string(stream, state);
  if (stream.eatSpace()) return null;
  if (stream.match(/^\/\/.*/)) return "comment";
  if (stream.match("/*")) {
    state.depth = 1;
    return comment(stream, state);
  }
  const first = stream.peek();
  if (first === '"' || first === "`") {
    state.quote = first;
    stream.next();
    return string(stream, state);
  }
  if (stream.match(/^'(?:\\.[^']*|[^'\\])'/)) return "string";
  if (stream.match(/^(?:0x[\da-f_]+|0o[0-7_]+|0b[01_]+|\d[\d_]*(?:\.\d[\d_]*)?(?:e[+-]?\d+)?)/i)) return "number";
  if (stream.match("#{")) {
    state.indent += 1;
    return "brace";
  }
  const member = stream.string[stream.pos - 1] === "." && stream.string[stream.pos - 2] !== ".";
  const name = stream.match(/^[A-Za-z_]\w*/)?.[0];
  if (name) {
    const isCall = stream.match(/^\s*\(/, false) !== null;
    const after = state.before;
    state.before = name;
    if (member) return isCall ? "propertyName.function" : "propertyName";
    if (after === "fn") return "variableName.definition.function";
    if (FORBIDDEN.has(name)) return "invalid";
    if (KEYWORDS.has(name)) return "keyword";
    if (ATOMS.has(name)) return "bool";
    if (isCall) return "variableName.function";
    return name === "response" || name === "ctx" ? "variableName.special" : "variableName";
  }
  const character = stream.next();
  if ("{([".includes(character)) state.indent += 1;
  if ("})]".includes(character)) state.indent = Math.max(0, state.indent - 1);
  if ("{}()[]".includes(character)) return "bracket";
  if (";,.:".includes(character)) return "punctuation";
  stream.eatWhile(/[+\-*/%=<>!&|^~?@]/);
  return "operator";
}

/** The language. */
export const rhai = StreamLanguage.define({
  name: "rhai",
  startState: () => ({ depth: 0, quote: null, indent: 0, before: "" }),
  copyState: (state) => ({ ...state }),
  token,
  indent: (state, after, context) => (state.indent - (/^\s*[)\]}]/.test(after) ? 1 : 0)) * context.unit,
  languageData: { commentTokens: { line: "//", block: { open: "/*", close: "*/" } }, closeBrackets: { brackets: ["(", "[", "{", '"', "`"] }, indentOnInput: /^\s*[)\]}]$/ },
});
