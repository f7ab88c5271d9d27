// Completion of what a script may call: the engine's own list, asked once.
import { h } from "../base/dom.js";
import { get } from "../base/api.js";

let listed = null;

/** Every function and property that a script may use. */
export function hostFunctions() {
  listed ??= get("/plugins/functions").then((answer) => answer.items ?? answer).catch((problem) => {
    listed = null;
    throw problem;
  });
  return listed;
}

const WORDS = ["let", "const", "fn", "if", "else", "switch", "while", "loop", "for", "in", "break", "continue", "return", "throw", "try", "catch", "true", "false"];

function option(one) {
  const isProperty = !one.signature.includes("(");
  return {
    label: one.name,
    type: isProperty ? "property" : one.receiver ? "method" : "function",
    detail: one.signature.replace(one.name, "").replace(/^\((.*)\)/, "($1)"),
    apply: isProperty || /^\w+\(\)/.test(one.signature) ? one.signature.match(/^\w+(\(\))?/)[0] : `${one.name}(`,
    info: () => h("div", null, h("code", null, one.receiver ? `${one.receiver}.${one.signature}` : one.signature), one.documentation),
    receiver: one.receiver,
  };
}

// What stands before the dot tells the receiver where it is one of the two parameters; elsewhere anything with a receiver fits.
const receiverOf = (before) => ({ response: "Json", ctx: "Context" })[before];

/** CodeMirror's source of completions. */
export async function completeRhai(context) {
  const member = context.matchBefore(/(\w*)\s*\.\s*\w*$/);
  const word = context.matchBefore(/\w+$/);
  if (!member && !word && !context.explicit) return null;
  const inside = context.tokenBefore?.(["comment", "string"]);
  if (inside && (inside.type.name === "comment" || inside.type.name === "string")) return null;
  let functions = [];
  try { functions = await hostFunctions(); } catch { /* Without the list there are still the language's own words. */ }
  const from = word ? word.from : context.pos;
  if (member) {
    const receiver = receiverOf(member.text.match(/^\w*/)[0]);
    const fitting = functions.filter((one) => (receiver ? one.receiver === receiver : one.receiver && one.receiver !== "Context"));
    return { from, options: fitting.map(option), validFor: /^\w*$/ };
  }
  const names = ["response", "ctx"].map((label) => ({ label, type: "variable", boost: 2 }));
  const keywords = WORDS.map((label) => ({ label, type: "keyword" }));
  return { from, options: [...names, ...functions.filter((one) => !one.receiver).map(option), ...keywords], validFor: /^\w*$/ };
}
