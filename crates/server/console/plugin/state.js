// What a plugin and its versions are at present, as badges.
import { badge } from "../base/fields.js";
import { t } from "../base/text.js";

/** What a plugin is at present. */
export function stateBadges(plugin) {
  const badges = [];
  if (plugin.switchedOff) badges.push(badge(t("state.switchedOff"), "bad", t("state.switchedOff.hint", { code: plugin.switchedOff.code })));
  if (plugin.activeVersion) badges.push(badge(t("state.active", { version: plugin.activeVersion }), "good"));
  else if (plugin.builtIn) badges.push(badge(t("state.builtIn"), "plain"));
  else if (!plugin.switchedOff) badges.push(badge(t("state.draft"), "plain"));
  if (plugin.canary) badges.push(badge(t("state.canary", { version: plugin.canary.version, share: plugin.canary.sharePercent }), "warn"));
  return badges;
}


/** What a version is at present, as the name of a state. */
export function versionState(plugin, version) {
  if (version.version === plugin.activeVersion) return "active";
  if (version.version === plugin.canary?.version) return "canary";
  if (version.switchedOffAt) return "switchedOff";
  return version.publishedAt ? "published" : "draft";
}

const KINDS = { active: "good", canary: "warn", switchedOff: "bad", published: "plain", draft: "faint" };

/** The same as a badge. */
export function versionBadge(plugin, version) {
  const state = versionState(plugin, version);
  return badge(t(`version.${state}`), KINDS[state]);
}
