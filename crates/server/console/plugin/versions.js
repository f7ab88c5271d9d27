// The history of a plugin: every version with who wrote it, when and why, and what can be done with it.
import { h } from "../base/dom.js";
import { when } from "../base/fields.js";
import { t } from "../base/text.js";
import { versionBadge } from "./state.js";

/** The list, the newest first. */
export function versionList({ plugin, opened, open, compare, publish, rollBack, mayWrite }) {
  const versions = plugin?.versions ?? [];
  if (versions.length === 0) return h("p", { class: "hint versions-none" }, t("versions.none"));
  const item = (version) => {
    const name = `v${version.version}`;
    const action = (text, run) => h("button", { type: "button", class: "link", "aria-label": `${text} ${name}`, onclick: run }, text);
    return h("li", { class: "version", "aria-current": version.version === opened ? "true" : null },
      h("div", { class: "version-head" }, h("strong", null, name), versionBadge(version), h("span", { class: "faint version-when" }, when(version.createdAt))),
      version.note && h("p", { class: "version-note" }, version.note),
      h("p", { class: "faint version-author" }, version.author),
      h("div", { class: "version-actions" },
        action(t("versions.open"), () => open(version.version)),
        action(t("versions.compare"), () => compare(version.version)),
        mayWrite && version.state !== "active" && (version.state === "draft" || version.state === "canary"
          ? action(t("versions.publish"), () => publish(version.version))
          : action(t("versions.rollBack"), () => rollBack(version.version)))));
  };
  return h("ol", { class: "versions" }, versions.map(item));
}
