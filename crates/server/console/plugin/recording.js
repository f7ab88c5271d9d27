// Whether a tenant's answers are recorded for tests, and the switch for it.
import { path, send } from "../base/api.js";
import { fill, h } from "../base/dom.js";
import { complain } from "../base/notice.js";
import { number, t } from "../base/text.js";

// How many answers are kept where nothing else was chosen.
const MAXIMUM = 50;

/** What is recorded at present, in words, with the switch. */
export function recordingSwitch(owner) {
  const where = `${path("tenants", owner)}/plugins/recording`;
  const element = h("span", { class: "recording" });
  const turn = async (body, etag) => {
    try { draw(await send("PUT", where, { body, etag })); } catch (problem) { complain(problem); }
  };
  function draw({ value, etag }) {
    const { enabled, maximum } = value;
    fill(element, h("span", { class: "hint" }, enabled ? t("recording.on", { count: number(maximum) }) : t("recording.off")),
      h("button", { type: "button", class: "button", onclick: () => turn({ enabled: !enabled, maximum: maximum || MAXIMUM }, etag) }, enabled ? t("recording.stop") : t("recording.start")));
  }
  send("GET", where).then(draw, complain);
  return element;
}
