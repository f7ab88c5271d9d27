// An administrator's own password.
import { send } from "../base/api.js";
import { openDialog } from "../base/dialog.js";
import { h } from "../base/dom.js";
import { field } from "../base/fields.js";
import { alertBox, announce, explain } from "../base/notice.js";
import { t } from "../base/text.js";
import { captchaField } from "./sign_in.js";

/** Opens the dialog that changes it. */
export function changePassword() {
  const current = field(t("password.current"), { name: "current", type: "password", autocomplete: "current-password", required: true });
  const fresh = field(t("password.new"), { name: "new", type: "password", autocomplete: "new-password", required: true, minlength: 10 });
  const again = field(t("password.again"), { name: "again", type: "password", autocomplete: "new-password", required: true });
  const captcha = captchaField();
  const body = [h("p", { class: "hint" }, t("password.hint")), current.element, fresh.element, again.element, captcha.element];
  const submit = async () => {
    if (fresh.input.value !== again.input.value) {
      again.input.focus();
      throw new Error(t("password.differ"));
    }
    const sent = { currentPassword: current.input.value, newPassword: fresh.input.value, ...captcha.answer() };
    const { value } = await send("POST", "/sessions/current/password", { body: sent, expects401: true });
    announce(t("password.done", { count: value.endedSessions }));
  };
  const refused = (problem) => {
    captcha.askAgain(problem);
    return alertBox(problem.code ? explain(problem) : problem.message);
  };
  openDialog({ title: t("password.title"), body, confirm: t("password.confirm"), submit, refused });
  current.input.focus();
}
