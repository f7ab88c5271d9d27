// Modal dialogs: the browser's own, so that focus stays within and Escape closes.
import { fill, h, newId } from "./dom.js";
import { alertBox, explain } from "./notice.js";
import { t } from "./text.js";

const opened = new Set();

/** Closes what is open: it belongs to a page that is left. */
export function closeDialogs() {
  for (const dialog of opened) {
    dialog.close();
    dialog.remove();
  }
  opened.clear();
}

/**
 * Opens a dialog. `submit` is called when it is confirmed; the dialog stays open and says why when that fails, unless
 * `refused` deals with the problem. Focus returns to where it was.
 */
export function openDialog({ title, body, confirm, danger = false, wide = false, submit, refused }) {
  const heading = newId("dialog");
  const trouble = h("div", { class: "dialog-trouble" });
  const button = confirm && h("button", { type: "submit", class: danger ? "button is-danger" : "button is-primary" }, confirm);
  const before = document.activeElement;
  const close = () => dialog.close();
  const form = h("form", { method: "dialog", novalidate: false },
    h("h2", { id: heading }, title), h("div", { class: "dialog-body" }, body), trouble,
    h("div", { class: "dialog-buttons" }, h("button", { type: "button", class: "button", onclick: close }, confirm ? t("cancel") : t("close")), button));
  const dialog = h("dialog", { "aria-labelledby": heading, class: wide ? "is-wide" : null }, form);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (!submit || button.disabled) return;
    button.disabled = true;
    fill(trouble);
    try {
      if ((await submit()) !== false) close();
    } catch (problem) {
      fill(trouble, refused?.(problem) ?? alertBox(explain(problem)));
    } finally {
      button.disabled = false;
    }
  });
  dialog.addEventListener("close", () => {
    dialog.remove();
    // Where a page was left, the focus is the next page's.
    if (!opened.delete(dialog)) return;
    if (before?.isConnected) before.focus();
  });
  document.body.append(dialog);
  opened.add(dialog);
  dialog.showModal();
  return { close, dialog };
}
