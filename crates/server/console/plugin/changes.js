// What changes who answers: saving, publishing, rolling back, withdrawing; each asked about in a dialog.
import { send } from "../base/api.js";
import { openDialog } from "../base/dialog.js";
import { h } from "../base/dom.js";
import { field, tick } from "../base/fields.js";
import { alertBox, announce } from "../base/notice.js";
import { counted, t } from "../base/text.js";

/** Stores the text as a version; answers it. */
export async function saveVersion({ where, source, note }) {
  const { value } = await send("POST", `${where}/versions`, { body: { source, note } });
  return value;
}

const noteField = () => field(t("changes.note"), { name: "note", maxlength: 500, autocomplete: "off" }, { hint: t("changes.noteHint") });

/** Asks for a note and stores the text. `saved` hears the new version. */
export function askToSave({ where, source, saved }) {
  const note = noteField();
  openDialog({
    title: t("changes.save"), body: note.element, confirm: t("changes.save"),
    submit: async () => saved(await saveVersion({ where, source, note: note.input.value })),
  });
}

/** The share of the requests that a version is to answer: all, or some. */
function shareFields(hasActive) {
  const name = "share";
  const all = h("input", { type: "radio", name, value: "all", checked: true });
  const some = h("input", { type: "radio", name, value: "some", disabled: !hasActive });
  const share = h("input", { disabled: !hasActive, class: "input is-short", type: "number", min: 1, max: 99, value: 5, "aria-label": t("changes.share"), onfocus: () => { some.checked = true; } });
  return {
    read: () => (some.checked ? Number(share.value) : undefined),
    element: h("fieldset", { class: "field" }, h("legend", null, t("changes.who")),
      h("label", { class: "tick" }, all, h("span", null, t("changes.everyone"))),
      h("div", { class: "tick" }, h("label", { class: "tick" }, some, h("span", null, t("changes.canary"))), share, h("span", null, "%")),
      h("p", { class: "hint" }, hasActive ? t("changes.canaryHint") : t("changes.canaryFirst"))),
  };
}

/**
 * Asks how to publish and does it. Without a `version` the text is stored first. `published` hears the plugin, `broken` a compile
 * error, `stored` the version that was made on the way.
 */
export function askToPublish({ where, etag, version, source, hasActive, forAll = false, stored, published, broken }) {
  const note = version ? null : noteField();
  const share = forAll ? null : shareFields(hasActive);
  const accept = tick(t("changes.accept"), { name: "accept" });
  let made = version;
  let tag = etag;
  openDialog({
    title: version ? t("changes.publishVersion", { version }) : t("changes.publish"),
    body: [note?.element, share?.element, !share && h("p", null, t("changes.publishAll"))], confirm: t("changes.publish"),
    submit: async () => {
      if (!made) {
        const saved = await saveVersion({ where, source, note: note.input.value });
        made = saved.version;
        tag = await stored(saved);
        if (saved.compileError) {
          broken(saved.compileError);
          announce(t("changes.notPublished"), "bad");
          return true;
        }
      }
      const body = { version: made };
      const canary = share?.read();
      if (canary) body.canarySharePercent = canary;
      if (accept.input.checked) body.acceptSchemaProblems = true;
      const answer = await send("POST", `${where}/publish`, { body, etag: tag });
      published(answer);
      const done = canary ? t("changes.publishedCanary", { version: made, share: canary }) : t("changes.published", { version: made });
      const [first, ...more] = answer.value.warnings ?? [];
      if (!first) announce(done);
      else announce(`${done} ${counted("changes.warned", more.length + 1, { first: `${first.method} ${first.route}: ${first.message}` })}`, "bad");
      return true;
    },
    refused: (problem) => {
      if (problem.code === "PLUGIN_BREAKS_SCHEMA") {
        const paths = problem.body.schemaProblems ?? problem.body.errors ?? [];
        return alertBox(h("p", null, counted("changes.breaks", paths.length)),
          h("ul", null, paths.map((one) => h("li", null, h("code", null, one.path ?? one.pointer ?? ""), " ", one.message ?? one.detail ?? ""))), accept.element);
      }
      return null;
    },
  });
}

/** Asks and rolls back: to a version; or else ends the trial of a `canary`, or goes to the version that answered before. */
export function askToRollBack({ where, etag, version, canary, rolledBack }) {
  const hint = version ? t("changes.rollBackTo", { version }) : canary ? t("changes.stopTrial", { version: canary.version }) : t("changes.rollBackHint");
  const title = !version && canary ? t("banner.stop") : t("changes.rollBack");
  openDialog({
    title, body: h("p", null, hint), confirm: title,
    submit: async () => {
      const answer = await send("POST", `${where}/rollback`, { body: version ? { version } : {}, etag });
      rolledBack(answer);
      announce(!version && canary ? t("changes.stopped", { version: canary.version }) : answer.value.activeVersion ? t("changes.rolledBack", { version: answer.value.activeVersion }) : t("changes.rolledBackToNone"));
    },
  });
}

/** Asks and withdraws the plugin. */
export function askToWithdraw({ where, etag, name, builtIn, withdrawn }) {
  openDialog({
    title: t("changes.withdraw"), danger: true, confirm: t("changes.withdraw"),
    body: h("p", null, builtIn ? t("changes.withdrawToBuiltIn", { name }) : t("changes.withdrawHint", { name })),
    submit: async () => {
      await send("DELETE", where, { etag });
      announce(t("changes.withdrawn", { name }));
      withdrawn();
    },
  });
}
