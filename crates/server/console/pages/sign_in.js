// Sign in, with a picture's code where the server asks for one.
import { send } from "../base/api.js";
import { fill, h } from "../base/dom.js";
import { field } from "../base/fields.js";
import { mark } from "../base/icon.js";
import { alertBox, explain } from "../base/notice.js";
import { t } from "../base/text.js";
import { languageSwitch, themeSwitch } from "../shell.js";

// `crypto.randomUUID` is there under TLS only.
const newGuid = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

/** The picture's code, once the server asks for one. */
export function captchaField() {
  const element = h("div", { class: "captcha" });
  let asked = null;
  const ask = () => {
    const code = field(t("signIn.code"), { name: "code", autocomplete: "off", required: true, autocapitalize: "none", spellcheck: "false" });
    asked = { guid: newGuid(), input: code.input };
    fill(element, code.element, h("img", { src: `/admin/api/v1/captchas/${asked.guid}`, alt: t("signIn.picture"), height: 48 }),
      h("button", { type: "button", class: "button", onclick: () => { ask(); asked.input.focus(); } }, t("signIn.otherPicture")));
  };
  return {
    element,
    /** The members of a request. */
    answer: () => (asked ? { verifyGuid: asked.guid, verifyCode: asked.input.value } : {}),
    /** Shows another picture where one is needed after a refusal, and whether it was what was refused. An attempt that must wait keeps its own. */
    askAgain: (problem) => {
      const isWanted = /^CAPTCHA/.test(problem.code);
      if (isWanted || (asked && problem.code !== "RATE_LIMITED")) ask();
      if (isWanted) asked.input.focus();
      return isWanted;
    },
  };
}

/** The page. `signedIn` hears who it was. */
export function signInPage({ signedIn, redraw }) {
  const account = field(t("signIn.account"), { name: "account", autocomplete: "username", required: true, autocapitalize: "none", spellcheck: "false" });
  const password = field(t("signIn.password"), { name: "password", type: "password", autocomplete: "current-password", required: true });
  const trouble = h("div");
  const captcha = captchaField();

  const submit = h("button", { type: "submit", class: "button is-primary is-wide" }, t("signIn.submit"));
  const form = h("form", { class: "sign-in-form" },
    h("h1", null, t("signIn.title")), h("p", { class: "hint" }, t("signIn.hint")),
    account.element, password.element, captcha.element, trouble, submit);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (submit.disabled) return;
    submit.disabled = true;
    fill(trouble);
    const body = { account: account.input.value, password: password.input.value, ...captcha.answer() };
    try {
      const { value } = await send("POST", "/sessions", { body, expects401: true });
      await signedIn(value.admin);
    } catch (problem) {
      fill(trouble, alertBox(explain(problem)));
      if (!captcha.askAgain(problem)) password.input.focus();
      password.input.select();
    } finally {
      submit.disabled = false;
    }
  });
  queueMicrotask(() => account.input.focus());
  return h("div", { class: "sign-in" },
    h("header", { class: "sign-in-top" }, languageSwitch(redraw), themeSwitch()),
    h("main", { id: "main", class: "sign-in-card" }, h("div", { class: "sign-in-brand" }, mark(), "bo-auth"), form));
}
