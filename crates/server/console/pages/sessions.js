// The sessions of a tenant: found by user or system, ended one by one or many at once, each with a reason.
import { Problem, path, send } from "../base/api.js";
import { openDialog } from "../base/dialog.js";
import { h } from "../base/dom.js";
import { badge, button, field, tick, when } from "../base/fields.js";
import { pagedList } from "../base/list.js";
import { announce, complain } from "../base/notice.js";
import { counted as countedText, has, t } from "../base/text.js";

const REASONS = ["KICKED", "LOGGED_OUT", "PASSWORD_CHANGED", "EXPIRED"];

/** What a reason means. */
export const reasonText = (reason) => (has(`reason.${reason}`) ? t(`reason.${reason}`) : reason);

const reasonField = () => field(t("sessions.reason"), { name: "reason" }, { tag: "select", options: REASONS.map((one) => h("option", { value: one }, reasonText(one))) });

function state(one) {
  if (one.endedAt) return h("span", { class: "badges" }, badge(t("sessions.ended"), "faint"), h("span", { class: "faint" }, reasonText(one.endReason)));
  return badge(t("sessions.live"), "good");
}

/** The page; `#/tenant/sessions/user` shows one user's. */
export async function sessionsPage({ owner, name, signal }) {
  const where = `${path("tenants", owner)}/sessions`;
  const user = field(t("sessions.user"), { name: "userId", value: name, spellcheck: "false", autocomplete: "off" });
  const system = field(t("sessions.system"), { name: "sysId", spellcheck: "false", autocomplete: "off" });

  const ended = tick(t("sessions.showEnded"), { name: "ended" });

  function endOne(session) {
    const reason = reasonField();
    openDialog({
      title: t("sessions.endOne"), body: [h("p", null, t("sessions.endOneHint", { user: session.userId, system: session.sysId })), reason.element], confirm: t("sessions.end"), danger: true,
      submit: async () => {
        await send("DELETE", `${where}${path(session.sessionId)}`, { query: { reason: reason.input.value } });
        announce(t("sessions.endedOne"));
        await list.reload();
      },
    });
  }

  /** What the list shows, as the API takes it; the whole tenant if nothing narrows it. */
  function target() {
    const userId = user.input.value.trim();
    const sysId = system.input.value.trim();
    return { ...(userId && { userId }), ...(sysId && { sysId }), ...(!userId && !sysId && { all: true }) };
  }

  function whose({ userId, sysId }) {
    if (userId && sysId) return t("sessions.endUserInSystem", { user: userId, system: sysId });
    if (userId) return t("sessions.endUser", { user: userId });
    return sysId ? t("sessions.endSystem", { system: sysId }) : t("sessions.endAll", { owner });
  }

  /** Counts first: exactly those that were counted end, save for those that have ended by then. */
  async function endMany() {
    const those = target();
    let counted;
    try {
      // The list and the dialog speak of the same.
      await list.reload();
      counted = (await send("POST", `${where}/end`, { body: { ...those, dryRun: true } })).value;
    } catch (problem) {
      complain(problem);
      return;
    }
    if (signal.aborted) return;
    const count = counted.liveSessions;
    if (count === 0) {
      announce(t("sessions.noneHint"), "bad");
      return;
    }
    const reason = reasonField();
    const typed = those.all && field(t("sessions.typeOwner", { owner }), { name: "owner", required: true, autocomplete: "off", spellcheck: "false" });
    const number = counted.more ? t("sessions.moreThan", { count }) : countedText("sessions.thoseEnd", count);
    openDialog({
      title: t("sessions.endMany"), body: [h("p", null, whose(those)), h("p", null, h("strong", null, number)), reason.element, typed?.element],
      confirm: t("sessions.end"), danger: true,
      submit: async () => {
        if (typed && typed.input.value.trim() !== owner) throw new Problem(422, { detail: t("sessions.typeOwner", { owner }) });
        const { value } = await send("POST", `${where}/end`, { body: { ...those, before: counted.before, reason: reason.input.value } });
        announce(countedText("sessions.endedMany", value.endedSessions ?? count));
        await list.reload();
      },
    });
  }

  const list = pagedList({
    caption: t("sessions.title"), where, signal, empty: [t("sessions.none"), t("sessions.noneHint")],
    query: () => ({ limit: 50, userId: user.input.value.trim(), sysId: system.input.value.trim(), ended: ended.input.checked ? "true" : "" }),
    columns: [
      { title: t("sessions.user"), heads: true, class: "mono", cell: (one) => one.userId },
      { title: t("sessions.system"), class: "mono", cell: (one) => one.sysId },
      { title: t("sessions.state"), cell: state },
      { title: t("sessions.opened"), class: "faint", cell: (one) => when(one.createdAt) },
      { title: t("sessions.refreshed"), class: "faint", cell: (one) => when(one.refreshedAt) },
      { title: t("sessions.from"), class: "faint mono", cell: (one) => one.address ?? "—" },
      { title: t("sessions.device"), class: "faint grows cut", cell: (one) => h("span", { title: one.userAgent }, one.userAgent ?? "—") },
      { label: t("sessions.actions"), cell: (one) => (one.endedAt ? null
        : h("button", { type: "button", class: "link is-danger", "aria-label": `${t("sessions.end")} ${one.userId}`, onclick: () => endOne(one) }, t("sessions.end"))) },
    ],
  });
  await list.reload();
  const filter = h("form", { class: "filter" }, user.element, system.element, ended.element, h("button", { type: "submit", class: "button" }, t("filter")));
  filter.addEventListener("submit", (event) => { event.preventDefault(); list.reload().catch(complain); });
  const content = h("div", { class: "page" },
    h("div", { class: "page-head" }, h("div", null, h("h1", null, t("sessions.title")), h("p", { class: "hint" }, t("sessions.hint"))),
      button("leave", t("sessions.endManyOpen"), endMany, { class: "button is-danger-quiet" })),
    filter, list.element);
  return { title: t("sessions.title"), content };
}
