// What stands around every page: the way past it, where one is, where one can go, language, colours and the way out.
import { get, send } from "./base/api.js";
import { fill, h } from "./base/dom.js";
import { iconButton } from "./base/fields.js";
import { icon, mark } from "./base/icon.js";
import { remember, setting } from "./base/memory.js";
import { complain } from "./base/notice.js";
import { ADMINISTRATORS, PLATFORM, address, go } from "./base/route.js";
import { LANGUAGES, chooseLanguage, currentLanguage, t, useLanguage } from "./base/text.js";
import { pages } from "./pages/index.js";
import { changePassword } from "./pages/password.js";

const THEMES = ["auto", "light", "dark"];
let tenants = null;

const isScope = (owner) => owner === PLATFORM || owner === ADMINISTRATORS;

/** Whether a tenant, or what stands in its place, has a page. */
const isOpen = (owner, page) => Boolean(page) && (owner === ADMINISTRATORS ? page.ofAdministrators : owner !== PLATFORM || page.ofPlatform);

/** The page that a tenant, or what stands in its place, begins with. */
const homePage = (owner) => (owner === ADMINISTRATORS ? "audit" : "plugins");

/** Where an admin begins. */
export const homeOf = (admin) => admin.ownerId ?? setting("tenant") ?? PLATFORM;

/** The switch of languages; `redraw` draws the page anew. */
export function languageSwitch(redraw) {
  const next = currentLanguage() === "zh" ? "en" : "zh";
  const onclick = async () => {
    chooseLanguage(next);
    try { await useLanguage(next); } catch (problem) { complain(problem); }
    await redraw();
    document.getElementById("language")?.focus();
  };
  return h("button", { type: "button", id: "language", class: "button is-quiet", lang: next === "zh" ? "zh-CN" : "en", onclick }, icon("language"), h("span", null, LANGUAGES[next]));
}

/** The switch of colours: the system's, light, dark. */
export function themeSwitch() {
  const chosen = () => document.documentElement.dataset.theme ?? "auto";
  const name = () => t("theme", { name: t(`theme.${chosen()}`) });
  const button = iconButton("theme", name(), () => {
    const next = THEMES[(THEMES.indexOf(chosen()) + 1) % THEMES.length];
    if (next === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = next;
    remember("theme", next === "auto" ? null : next);
    button.setAttribute("aria-label", name());
    button.title = name();
  }, { class: "button is-icon is-quiet", id: "theme" });
  return button;
}

function tenantChoice(admin, place) {
  if (admin.role !== "platform") return h("span", { class: "tenant-name" }, admin.ownerId);
  const select = h("select", { class: "input", "aria-label": t("shell.tenant"), id: "tenant" });
  const offer = (items) => {
    const options = items.map((one) => h("option", { value: one.ownerId }, one.name && one.name !== one.ownerId ? `${one.name} — ${one.ownerId}` : one.ownerId));
    if (!isScope(place.owner) && !items.some((one) => one.ownerId === place.owner)) options.unshift(h("option", { value: place.owner }, place.owner));
    fill(select, h("option", { value: PLATFORM }, t("shell.platform")), h("option", { value: ADMINISTRATORS }, t("shell.administrators")), options);
    select.value = place.owner;
  };
  offer(tenants ?? []);
  allTenants().then((items) => { tenants = items; offer(items); }, complain);
  select.addEventListener("change", () => {
    if (select.value !== ADMINISTRATORS) remember("tenant", select.value);
    go(select.value, isOpen(select.value, pages[place.page]) ? place.page : homePage(select.value));
  });
  return select;
}

async function allTenants() {
  const items = [];
  let cursor = "";
  do {
    const page = await get("/tenants", { limit: 200, cursor });
    items.push(...page.items);
    cursor = page.nextCursor;
  } while (cursor && items.length < 2000);
  return items;
}

/** The whole frame with `main` in it. */
export function shell({ admin, place, main, signedOut, redraw }) {
  const leave = async () => {
    try { await send("DELETE", "/sessions/current"); } catch (problem) { if (problem.status !== 401) return complain(problem); }
    tenants = null;
    return signedOut();
  };
  const items = Object.entries(pages).filter(([, page]) => page.inMenu && isOpen(place.owner, page));
  const link = ([name]) =>
    h("a", { href: address(place.owner, name), "aria-current": place.page === name ? (place.name ? "true" : "page") : null }, icon(name), h("span", null, t(`nav.${name}`)));
  // A link to a fragment would be taken for a place of ours.
  const skip = h("a", { href: "#main", class: "skip", onclick: (event) => { event.preventDefault(); main.focus(); } }, t("shell.skip"));
  return h("div", { class: "shell" },
    skip,
    h("header", { class: "top" },
      h("a", { class: "brand", href: address(place.owner, homePage(place.owner)), "aria-label": t("shell.home") }, mark(), h("span", null, "bo-auth")),
      h("div", { class: "top-tenant" }, tenantChoice(admin, place)),
      h("div", { class: "top-tools" },
        languageSwitch(redraw), themeSwitch(),
        h("button", { type: "button", class: "button is-quiet who", id: "password", title: `${t(`role.${admin.role}`)} · ${t("password.title")}`, onclick: () => changePassword() }, admin.name || admin.account),
        h("button", { type: "button", class: "button is-quiet", id: "sign-out", onclick: leave }, icon("leave"), h("span", null, t("shell.signOut"))))),
    h("nav", { class: "rail", "aria-label": t("shell.pages") }, items.map(link)),
    main);
}
