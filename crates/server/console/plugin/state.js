// What a plugin and its versions are at present, as badges.
import { badge } from "../base/fields.js";
import { t } from "../base/text.js";

/** Where a plugin stands back; nothing where it answers nowhere. */
export function switchedOffWords(plugin) {
  const place = (off) => t("state.switchedOff.at", { version: off.version, route: off.route, system: off.sysId, code: off.code });
  return (plugin.switchedOffAt ?? []).map(place).join(" ");
}

/** What a plugin is at present. */
export function stateBadges(plugin) {
  const badges = [];
  if (plugin.switchedOff) badges.push(badge(t("state.switchedOff"), "bad", switchedOffWords(plugin) || t("state.switchedOff.hint", { code: plugin.switchedOff.code })));
  if (plugin.activeVersion) badges.push(badge(t("state.active", { version: plugin.activeVersion }), "good"));
  else if (plugin.builtIn) badges.push(badge(t("state.builtIn"), "plain"));
  else if (!plugin.switchedOff) badges.push(badge(t("state.draft"), "plain"));
  if (plugin.canary) badges.push(badge(t("state.canary", { version: plugin.canary.version, share: plugin.canary.sharePercent }), "warn"));
  return badges;
}


const STATES = { active: ["active", "good"], canary: ["canary", "warn"], "switched-off": ["switchedOff", "bad"], retired: ["published", "plain"], draft: ["draft", "faint"] };

/** What a version is at present. */
export function versionBadge(version) {
  const [name, kind] = STATES[version.state];
  return badge(t(`version.${name}`), kind);
}
