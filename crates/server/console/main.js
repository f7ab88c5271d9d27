// The console: finds out who is signed in, and shows the page that the address names.
import { get, onSignedOut } from "./base/api.js";
import { closeDialogs } from "./base/dialog.js";
import { fill, h } from "./base/dom.js";
import { dropDrafts } from "./base/memory.js";
import { alertBox, explain, hush } from "./base/notice.js";
import { go, here } from "./base/route.js";
import { preferredLanguage, t, useLanguage } from "./base/text.js";
import { pages } from "./pages/index.js";
import { signInPage } from "./pages/sign_in.js";
import { homeOf, shell } from "./shell.js";

const root = document.getElementById("root");
let admin = null;
let leave = () => {};

/** Draws what the address names. `focus` moves to its heading, except when the page is drawn for the first time. */
async function show({ focus = true } = {}) {
  leave();
  leave = () => {};
  closeDialogs();
  if (!admin) {
    document.title = `${t("signIn.title")} · bo-auth`;
    fill(root, signInPage({ signedIn, redraw }));
    return;
  }
  const place = here();
  if (!place.owner || !pages[place.page]) {
    go(homeOf(admin), "plugins");
    return;
  }
  const main = h("main", { id: "main", tabindex: -1 }, h("p", { class: "loading", role: "status" }, t("loading")));
  fill(root, shell({ admin, place, main, signedOut, redraw }));
  const current = new AbortController();
  leave = () => current.abort();
  try {
    const { title, content } = await pages[place.page].open({ ...place, admin, signal: current.signal, refresh: show });
    if (current.signal.aborted) return;
    document.title = `${title} · bo-auth`;
    fill(main, content);
    main.dispatchEvent(new Event("shown"));
  } catch (problem) {
    if (current.signal.aborted) return;
    document.title = "bo-auth";
    fill(main, h("div", { class: "page" }, alertBox(explain(problem))));
  }
  if (focus) main.focus({ preventScroll: true });
}

async function redraw() {
  // It would go on being said in the other language.
  hush();
  await show({ focus: false });
}

async function signedIn(who) {
  admin = who;
  await show();
}

function signedOut() {
  admin = null;
  dropDrafts();
  show();
}

onSignedOut(() => {
  if (!admin) return;
  admin = null;
  show();
});

addEventListener("hashchange", () => show());
await useLanguage(preferredLanguage());
try {
  admin = await get("/sessions/current");
} catch {
  admin = null;
}
await show({ focus: false });
