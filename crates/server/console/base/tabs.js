// Tabs after the pattern of the ARIA practices: arrows move, and what is moved to is shown.
import { fill, h, newId } from "./dom.js";

/** `tabs` are `{ name, title, open }`; `open` answers what is on the panel, and is asked each time. */
export function tabs(label, items) {
  const panelId = newId("panel");
  const panel = h("div", { id: panelId, role: "tabpanel", class: "tab-panel" });
  const buttons = items.map(({ name, title }) =>
    h("button", { type: "button", role: "tab", id: `tab-${name}`, class: "tab", "aria-controls": panelId, onclick: () => select(name) }, title));
  function select(name) {
    const at = items.findIndex((item) => item.name === name);
    buttons.forEach((button, index) => {
      button.setAttribute("aria-selected", index === at);
      button.tabIndex = index === at ? 0 : -1;
    });
    panel.setAttribute("aria-labelledby", buttons[at].id);
    fill(panel, items[at].open());
  }
  const list = h("div", { role: "tablist", "aria-label": label, class: "tab-list", onkeydown: (event) => {
    const at = buttons.indexOf(event.target);
    const next = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: buttons.length - 1 }[event.key];
    if (at < 0 || next === undefined) return;
    event.preventDefault();
    const index = (next + buttons.length) % buttons.length;
    select(items[index].name);
    buttons[index].focus();
  } }, buttons);
  select(items[0].name);
  return { list, panel, select };
}
