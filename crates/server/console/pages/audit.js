// The audit trail of a tenant.
import { path } from "../base/api.js";
import { h } from "../base/dom.js";
import { field, when } from "../base/fields.js";
import { pagedList } from "../base/list.js";
import { complain } from "../base/notice.js";
import { t } from "../base/text.js";
import { reasonText } from "./sessions.js";

const details = (one) => {
  const text = [one.reason && reasonText(one.reason), one.details && JSON.stringify(one.details)].filter(Boolean).join(" · ");
  return h("span", { title: text }, text || "—");
};

/** The page. */
export async function auditPage({ owner, signal }) {
  const user = field(t("sessions.user"), { name: "userId", spellcheck: "false", autocomplete: "off" });
  const kind = field(t("audit.kind"), { name: "kind", spellcheck: "false", autocomplete: "off", placeholder: "session.ended" });
  const list = pagedList({
    caption: t("audit.title"), where: `${path("tenants", owner)}/audit-events`, signal, empty: [t("audit.none"), t("audit.noneHint")],
    query: () => ({ limit: 50, userId: user.input.value.trim(), kind: kind.input.value.trim() }),
    columns: [
      { title: t("audit.at"), class: "faint", cell: (one) => when(one.at) },
      { title: t("audit.kind"), heads: true, class: "mono", cell: (one) => one.kind },
      { title: t("audit.actor"), cell: (one) => h("span", { title: one.adminUserId }, t(`actor.${one.actor}`)) },
      { title: t("sessions.user"), class: "mono", cell: (one) => one.userId ?? "—" },
      { title: t("sessions.system"), class: "mono faint", cell: (one) => one.sysId ?? "—" },
      { title: t("sessions.from"), class: "mono faint", cell: (one) => one.address ?? "—" },
      { title: t("audit.details"), class: "faint grows cut", cell: details },
    ],
  });
  await list.reload();
  const filter = h("form", { class: "filter" }, user.element, kind.element, h("button", { type: "submit", class: "button" }, t("filter")));
  filter.addEventListener("submit", (event) => { event.preventDefault(); list.reload().catch(complain); });
  const content = h("div", { class: "page" },
    h("div", { class: "page-head" }, h("div", null, h("h1", null, t("audit.title")), h("p", { class: "hint" }, t("audit.hint")))),
    filter, list.element);
  return { title: t("audit.title"), content };
}
