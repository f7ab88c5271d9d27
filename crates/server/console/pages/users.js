// The users of a tenant, with the way to each one's sessions.
import { path } from "../base/api.js";
import { h } from "../base/dom.js";
import { badge, field, when } from "../base/fields.js";
import { pagedList } from "../base/list.js";
import { complain } from "../base/notice.js";
import { address } from "../base/route.js";
import { t } from "../base/text.js";

/** The page. */
export async function usersPage({ owner, signal }) {
  const account = field(t("users.account"), { name: "account", spellcheck: "false", autocomplete: "off" });
  const list = pagedList({
    caption: t("users.title"), where: `${path("tenants", owner)}/users`, signal, empty: [t("users.none"), t("users.noneHint")],
    query: () => ({ limit: 50, account: account.input.value.trim() }),
    columns: [
      { title: t("users.account"), heads: true, class: "mono", cell: (one) => one.account },
      { title: t("users.name"), cell: (one) => one.name },
      { title: t("users.id"), class: "mono faint", cell: (one) => one.userId },
      { title: t("users.state"), cell: (one) => (one.disabled ? badge(t("users.disabled"), "bad") : badge(t("users.enabled"), "good")) },
      { title: t("users.areas"), class: "mono faint grows", cell: (one) => (one.areaCodes ?? []).join(" ") || t("users.allAreas") },
      { title: t("users.updated"), class: "faint", cell: (one) => when(one.updatedAt) },
      { label: t("nav.sessions"), cell: (one) => h("a", { class: "link", href: address(owner, "sessions", one.userId), "aria-label": `${t("nav.sessions")} ${one.account}` }, t("nav.sessions")) },
    ],
  });
  await list.reload();
  const filter = h("form", { class: "filter" }, account.element, h("button", { type: "submit", class: "button" }, t("filter")));
  filter.addEventListener("submit", (event) => { event.preventDefault(); list.reload().catch(complain); });
  const content = h("div", { class: "page" },
    h("div", { class: "page-head" }, h("div", null, h("h1", null, t("users.title")), h("p", { class: "hint" }, t("users.hint")))),
    filter, list.element);
  return { title: t("users.title"), content };
}
