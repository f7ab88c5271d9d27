// The plugins of a tenant: what answers, how often it ran and failed, and the way to a new one.
import { get, path } from "../base/api.js";
import { h } from "../base/dom.js";
import { openDialog } from "../base/dialog.js";
import { button, field, when } from "../base/fields.js";
import { table } from "../base/list.js";
import { emptyBox } from "../base/notice.js";
import { PLATFORM, address, go } from "../base/route.js";
import { number, percent, t } from "../base/text.js";
import { stateBadges } from "../plugin/state.js";

function source(plugin, owner) {
  if (plugin.builtIn && plugin.activeVersion) return t("source.shadows");
  if (plugin.builtIn) return t("source.builtIn");
  if (plugin.platform && owner !== PLATFORM) return t("source.platform");
  return owner === PLATFORM ? t("source.platform") : t("source.own");
}

function askName(owner) {
  const name = field(t("plugins.name"), { name: "name", required: true, pattern: "[A-Za-z0-9_\\-]{1,64}", maxlength: 64, spellcheck: "false", autocapitalize: "none", autocomplete: "off" }, { hint: t("plugins.nameHint") });
  openDialog({ title: t("plugins.new"), body: name.element, confirm: t("plugins.begin"), submit: () => go(owner, "plugins", name.input.value) });
}

/** The page. */
export async function pluginsPage({ owner, admin }) {
  const items = [];
  let cursor = "";
  do {
    const page = await get(`${path("tenants", owner)}/plugins`, { limit: 200, cursor });
    items.push(...page.items);
    cursor = page.nextCursor;
  } while (cursor);
  const columns = [
    { title: t("plugins.name"), heads: true, cell: (one) => h("a", { href: address(owner, "plugins", one.name), class: "mono" }, one.name) },
    { title: t("plugins.state"), cell: (one) => h("span", { class: "badges" }, stateBadges(one)) },
    { title: t("plugins.source"), class: "faint", cell: (one) => source(one, owner) },
    { title: t("plugins.runs"), class: "figure", cell: (one) => number(one.runs ?? 0) },
    { title: t("plugins.failures"), class: "figure", cell: (one) => (one.failures ? h("span", { class: "is-bad" }, number(one.failures)) : "0") },
    { title: t("plugins.rate"), class: "figure faint", cell: (one) => (one.runs ? percent(one.failures / one.runs) : "—") },
    { title: t("plugins.updated"), class: "faint", cell: (one) => when(one.updatedAt) },
  ];
  const mayWrite = owner !== PLATFORM || admin.role === "platform";
  const content = h("div", { class: "page" },
    h("div", { class: "page-head" },
      h("div", null, h("h1", null, t("plugins.title")), h("p", { class: "hint" }, owner === PLATFORM ? t("plugins.hintPlatform") : t("plugins.hint"))),
      mayWrite && button("add", t("plugins.new"), () => askName(owner), { class: "button is-primary", id: "new-plugin" })),
    items.length ? table(t("plugins.title"), columns, items).element : emptyBox(t("plugins.none"), t("plugins.noneHint")));
  return { title: t("plugins.title"), content };
}
