// One plugin: its script in an editor, its history beside it, tests and failures below.
import { Problem, get, path, send } from "../base/api.js";
import { openDialog } from "../base/dialog.js";
import { debounce, fill, h } from "../base/dom.js";
import { button } from "../base/fields.js";
import { icon } from "../base/icon.js";
import { draft, keepDraft } from "../base/memory.js";
import { announce, complain, explain } from "../base/notice.js";
import { PLATFORM, address, go } from "../base/route.js";
import { tabs } from "../base/tabs.js";
import { percent, t } from "../base/text.js";
import { mountDiff, reveal, setText } from "../editor/mount.js";
import { mountScript } from "../editor/script.js";
import { rhai } from "../editor/rhai.js";
import { askToPublish, askToRollBack, askToSave, askToWithdraw } from "../plugin/changes.js";
import { failuresPanel } from "../plugin/failures.js";
import { openFunctions } from "../plugin/functions.js";
import { TEMPLATE } from "../plugin/sample.js";
import { stateBadges, switchedOffWords } from "../plugin/state.js";
import { mountTrial } from "../plugin/trial.js";
import { versionList } from "../plugin/versions.js";

/** The plugin as it is, with its tag; nothing where it has yet to be made. */
async function load(where) {
  try {
    const { value, etag } = await send("GET", where);
    return { plugin: value, etag };
  } catch (problem) {
    if (problem instanceof Problem && problem.status === 404) return { plugin: null, etag: null };
    throw problem;
  }
}

/** Whether it has versions here: a built-in has none, and what is offered to all has them with the platform. */
const isOwn = (plugin) => (plugin?.versions ?? []).length > 0;

/** The page. */
export async function pluginPage({ owner, name, admin, signal }) {
  const where = `${path("tenants", owner)}/plugins${path(name)}`;
  const key = `${owner}/${name}`;
  const mayWrite = owner !== PLATFORM || admin.role === "platform";
  let { plugin, etag } = await load(where);
  let opened = isOwn(plugin) ? (plugin.canary?.version ?? plugin.activeVersion ?? plugin.versions[0].version) : null;
  const sourceOf = async (version) => (await get(`${where}/versions/${version}`)).source;
  let stored = opened ? await sourceOf(opened) : TEMPLATE;

  const head = h("div", { class: "plugin-head" });
  const banners = h("div", { class: "banners" });
  const history = h("div", { class: "history-body" });
  const from = h("span", { class: "faint" });
  const verdict = h("p", { class: "verdict", role: "status", "aria-live": "polite" });
  const isChanged = () => script.view.state.doc.toString() !== stored;

  const keep = debounce(300, (text) => { if (!signal.aborted) keepDraft(key, text === stored ? null : text); });
  const drawFrom = () => {
    const base = opened ? t("script.from", { version: opened }) : t("script.new");
    fill(from, base, isChanged() ? h("span", { class: "changed" }, t("script.changed")) : null);
  };
  const showError = (error, problem) => {
    verdict.className = `verdict is-${problem ? "faint" : error ? "bad" : "good"}`;
    if (problem) fill(verdict, explain(problem));
    else if (error) {
      const place = t("script.errorAt", { line: error.line ?? 1, column: error.column ?? 1 });
      fill(verdict, icon("failed"), h("button", { type: "button", class: "link", onclick: () => reveal(script.view, error.line ?? 1, error.column ?? 1) }, place), h("span", null, error.message));
    } else fill(verdict, icon("good"), t("script.compiles"));
  };
  const commands = [
    { key: "Mod-s", preventDefault: true, run: () => { save(); return true; } },
    { key: "Mod-Enter", run: () => { panel.select("test"); trial.run(); return true; } },
  ];
  const script = mountScript({
    owner, label: t("script.label", { name }), text: draft(key) ?? stored, commands, checked: showError,
    changed: (text) => { keep(text); drawFrom(); },
  });
  const trial = mountTrial({ key, where, owner, script: () => script.view.state.doc.toString(), goTo: (line, column) => reveal(script.view, line, column) });

  async function open(version, then) {
    try {
      const source = await sourceOf(version);
      opened = version;
      stored = source;
      setText(script.view, source);
      keepDraft(key, null);
      draw();
      if (then) then();
      else script.view.focus();
    } catch (problem) { complain(problem); }
  }

  async function compare(version) {
    try {
      const { element, merge } = mountDiff({
        before: await sourceOf(version), after: script.view.state.doc.toString(), language: rhai, className: "diff is-tall",
        beforeLabel: `v${version}`, afterLabel: t("script.label", { name }),
      });
      const { dialog } = openDialog({ title: t("versions.compareTitle", { version }), wide: true, body: [h("div", { class: "stage-legend" }, h("span", null, `v${version}`), h("span", null, t("versions.editor"))), element] });
      dialog.addEventListener("close", () => merge.destroy());
    } catch (problem) { complain(problem); }
  }

  /** After something changed on the server. */
  async function reload() {
    ({ plugin, etag } = await load(where));
    draw();
    return etag;
  }
  async function afterSave(version) {
    opened = version.version;
    stored = script.view.state.doc.toString();
    keepDraft(key, null);
    const tag = await reload();
    showError(version.compileError);
    return tag;
  }
  const save = () => mayWrite && askToSave({ where, source: script.view.state.doc.toString(), saved: async (version) => {
    await afterSave(version);
    announce(t("changes.saved", { version: version.version }));
  } });
  const broken = (error) => { showError(error); reveal(script.view, error.line ?? 1, error.column ?? 1); };
  const publish = (version, forAll) => askToPublish({
    where, etag, version: version ?? (isChanged() || !opened ? undefined : opened), source: script.view.state.doc.toString(), forAll,
    hasActive: isOwn(plugin) && Boolean(plugin.activeVersion),
    stored: afterSave, published: reload, broken,
  });
  const rollBack = (version) => askToRollBack({ where, etag, version, canary: plugin.canary, rolledBack: async () => {
    await reload();
    if (plugin?.activeVersion && !isChanged()) await open(plugin.activeVersion);
  } });
  const withdraw = () => askToWithdraw({ where, etag, name, builtIn: plugin.builtIn, withdrawn: () => { keepDraft(key, null); go(owner, "plugins"); } });

  function drawBanners() {
    if (!isOwn(plugin)) return;
    const off = plugin.switchedOff && h("div", { class: "banner is-bad" }, icon("failed"),
      h("div", null, h("strong", null, t("state.switchedOff")), " ", plugin.switchedOffAt?.length ? `${switchedOffWords(plugin)} ${t("banner.offThere")}` : plugin.activeVersion ? t("banner.offBack", { version: plugin.activeVersion, code: plugin.switchedOff.code }) : t("banner.off", { code: plugin.switchedOff.code })),
      h("button", { type: "button", class: "button", onclick: () => { panel.select("failures"); document.getElementById("tab-failures").focus(); } }, t("banner.see")));
    const canary = plugin.canary && h("div", { class: "banner is-warn" }, icon("compare"), h("div", { class: "canary-words" }, t("banner.canary", { version: plugin.canary.version, share: plugin.canary.sharePercent })),
      mayWrite && h("button", { type: "button", class: "button", onclick: () => publish(plugin.canary.version, true) }, t("banner.promote")),
      mayWrite && plugin.activeVersion && h("button", { type: "button", class: "button", onclick: () => rollBack() }, t("banner.stop")));
    fill(banners, off, canary);
    if (canary) compareRates(canary.querySelector(".canary-words"));
  }
  async function compareRates(place) {
    try {
      const { active, canary } = await get(`${where}/statistics`, { hours: 24 });
      const rate = (figures) => (figures?.runs ? percent(figures.failures / figures.runs) : "—");
      if (!signal.aborted) place.append(" ", t("banner.rates", { canary: rate(canary), active: rate(active) }));
    } catch { /* The tab of failures says why. */ }
  }

  function draw() {
    fill(head,
      h("div", { class: "plugin-title" }, h("a", { href: address(owner, "plugins"), class: "crumb" }, t("plugins.title")), h("span", { class: "faint", "aria-hidden": "true" }, "/"),
        h("h1", { class: "mono" }, name), h("span", { class: "badges" }, plugin ? stateBadges(plugin) : null)),
      h("div", { class: "plugin-tools" },
        button("book", t("functions.open"), openFunctions, { class: "button is-quiet", id: "functions" }),
        mayWrite && isOwn(plugin) && (plugin.activeVersion || plugin.switchedOff) && button("withdraw", t("changes.withdrawOpen"), withdraw, { id: "withdraw" }),
        mayWrite && isOwn(plugin) && plugin.activeVersion && button("back", t("changes.rollBackOpen"), () => rollBack(), { id: "roll-back" }),
        mayWrite && button("save", t("changes.saveOpen"), save, { id: "save", title: "Ctrl+S" }),
        mayWrite && button("publish", t("changes.publishOpen"), () => publish(), { class: "button is-primary", id: "publish" })));
    fill(history, versionList({ plugin, opened, open, compare, publish, rollBack, mayWrite }));
    drawBanners();
    drawFrom();
  }

  const failures = () => (isOwn(plugin) ? failuresPanel({ where, plugin, signal, openAt: (version, line, column) => open(version, () => reveal(script.view, line, column)) }) : h("p", { class: "hint" }, t("versions.none")));
  const panel = tabs(t("plugin.below"), [
    { name: "test", title: t("trial.title"), open: () => trial.element },
    { name: "failures", title: t("failures.title"), open: failures },
  ]);
  draw();
  const content = h("div", { class: "plugin" }, head, banners,
    h("section", { class: "card script", "aria-label": t("script.title") },
      h("div", { class: "card-head" }, h("h2", null, t("script.title")), from, h("span", { class: "hint keys" }, t("script.keys"))), script.element, verdict),
    h("section", { class: "card history", "aria-label": t("versions.title") }, h("div", { class: "card-head" }, h("h2", null, t("versions.title"))), history),
    h("section", { class: "card below", "aria-label": t("plugin.below") }, panel.list, panel.panel));
  return { title: name, content };
}
