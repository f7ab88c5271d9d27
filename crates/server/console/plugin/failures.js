// What went wrong: the chart of the last day, and the failures with the line each was at.
import { get } from "../base/api.js";
import { fill, h } from "../base/dom.js";
import { when } from "../base/fields.js";
import { pagedList } from "../base/list.js";
import { alertBox, explain } from "../base/notice.js";
import { has, t } from "../base/text.js";
import { chart } from "./chart.js";

const HOURS = 24;

/** What a failure's code means. */
export const failureText = (code) => (has(`failure.${code}`) ? t(`failure.${code}`) : code);

/** The panel. `openAt` shows a line of a version in the editor. */
export function failuresPanel({ where, plugin, openAt, signal }) {
  const charts = h("div", { class: "charts" });
  const place = (one) => (one.line ? t("failures.place", { line: one.line, column: one.column ?? 1 }) : "—");
  const list = pagedList({
    caption: t("failures.title"), where: `${where}/failures`, query: () => ({ limit: 50 }), signal,
    empty: [t("failures.none"), t("failures.noneHint")],
    columns: [
      { title: t("failures.at"), class: "faint", cell: (one) => when(one.at) },
      { title: t("failures.version"), cell: (one) => `v${one.version}` },
      { title: t("failures.code"), cell: (one) => h("code", { title: failureText(one.code) }, one.code) },
      { title: t("failures.message"), class: "grows", cell: (one) => one.message },
      { title: t("failures.where"), cell: (one) => (one.line
        ? h("button", { type: "button", class: "link", onclick: () => openAt(one.version, one.line, one.column ?? 1) }, place(one)) : "—") },
      { title: t("failures.route"), class: "mono faint", cell: (one) => one.route },
      { title: t("failures.system"), class: "mono faint", cell: (one) => one.sysId ?? "—" },
    ],
  });
  (async () => {
    try {
      const [statistics] = await Promise.all([get(`${where}/statistics`, { hours: HOURS }), list.reload()]);
      if (signal.aborted) return;
      const one = (title, figures) => figures && chart({ title, hours: HOURS, ...figures });
      fill(charts,
        one(plugin.activeVersion ? t("failures.active", { version: plugin.activeVersion }) : t("failures.builtIn"), statistics.active),
        plugin.canary && one(t("failures.canary", { version: plugin.canary.version, share: plugin.canary.sharePercent }), statistics.canary));
    } catch (problem) {
      if (!signal.aborted) fill(charts, alertBox(explain(problem)));
    }
  })();
  return h("div", { class: "failures" }, charts, list.element);
}
