// Tables that grow by pages of the API.
import { fill, h } from "./dom.js";
import { complain, emptyBox } from "./notice.js";
import { get } from "./api.js";
import { t } from "./text.js";

/** A table: `columns` are `{ title, cell, class, label }`, `rows` answers the cells' elements. */
export function table(caption, columns, items) {
  const head = columns.map(({ title, label, class: name }) => h("th", { scope: "col", class: name }, title ?? h("span", { class: "unseen" }, label)));
  const body = h("tbody");
  const add = (more) => body.append(...more.map((item) => h("tr", null, columns.map(({ cell, class: name, heads }) =>
    heads ? h("th", { scope: "row", class: name }, cell(item)) : h("td", { class: name }, cell(item))))));
  add(items);
  const element = h("div", { class: "table-frame", tabindex: 0, role: "region", "aria-label": caption },
    h("table", null, h("caption", { class: "unseen" }, caption), h("thead", null, h("tr", null, head)), body));
  return { element, add };
}

/** A list that is asked for page by page, as `{ element, reload }`. */
export function pagedList({ caption, columns, where, query, empty, signal }) {
  const element = h("div", { class: "list" });
  async function reload() {
    const asked = query();
    const first = await get(where, asked);
    if (signal.aborted) return;
    if (first.items.length === 0) {
      fill(element, emptyBox(...empty));
      return;
    }
    const shown = table(caption, columns, first.items);
    const more = h("button", { type: "button", class: "button" }, t("more"));
    let cursor = first.nextCursor;
    more.hidden = !cursor;
    more.addEventListener("click", async () => {
      more.disabled = true;
      try {
        const next = await get(where, { ...asked, cursor });
        shown.add(next.items);
        cursor = next.nextCursor;
        more.hidden = !cursor;
      } catch (problem) {
        complain(problem);
      }
      more.disabled = false;
    });
    fill(element, shown.element, more);
  }
  return { element, reload };
}
