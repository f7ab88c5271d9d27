// What a script can call, to be read: the same list that completion is made of.
import { openDialog } from "../base/dialog.js";
import { h } from "../base/dom.js";
import { complain } from "../base/notice.js";
import { t } from "../base/text.js";
import { hostFunctions } from "../editor/completion.js";

/** Shows the list, by what the functions are called on. */
export async function openFunctions() {
  let functions;
  try { functions = await hostFunctions(); } catch (problem) { complain(problem); return; }
  const groups = Map.groupBy(functions, (one) => one.receiver ?? "");
  const order = ["Json", "Context", ""];
  const rank = (name) => (order.includes(name) ? order.indexOf(name) : order.length);
  const title = (name) => (name === "Json" ? t("functions.response") : name === "Context" ? t("functions.context") : name === "" ? t("functions.alone") : name);
  const names = [...groups.keys()].sort((one, other) => rank(one) - rank(other) || one.localeCompare(other));
  openDialog({
    title: t("functions.title"), wide: true,
    body: h("div", { class: "functions", tabindex: 0 }, names.map((name) => h("section", null, h("h3", null, title(name)),
      h("dl", null, groups.get(name).map((one) => [h("dt", null, h("code", null, one.signature)), h("dd", null, one.documentation)]))))),
  });
}
