// Runs and failures over time, drawn by hand: one column for each span, failures at its foot.
import { h, svg } from "../base/dom.js";
import { clock, counted, number, percent, t } from "../base/text.js";

const WIDTH = 720;
const HEIGHT = 84;
const COLUMNS = 48;

/** Gathers the API's spans into columns of equal length that end now. */
export function gather(buckets, hours, now) {
  const length = (hours * 3_600_000) / COLUMNS;
  const begin = now - hours * 3_600_000;
  const columns = Array.from({ length: COLUMNS }, (_, index) => ({ at: begin + index * length, runs: 0, failures: 0 }));
  for (const { at, runs, failures } of buckets) {
    const column = columns[Math.min(Math.max(Math.floor((at - begin) / length), 0), COLUMNS - 1)];
    column.runs += runs;
    column.failures += failures;
  }
  return columns;
}

/** One version's chart, with what it says in words. */
export function chart({ title, runs, failures, buckets, hours, now = Date.now() }) {
  const columns = gather(buckets, hours, now);
  const most = Math.max(1, ...columns.map((column) => column.runs));
  const step = WIDTH / COLUMNS;
  const height = (count) => (count === 0 ? 0 : Math.max(2, (count / most) * (HEIGHT - 6)));
  const bar = (name, x, y, tall) => tall > 0 && svg("rect", { class: name, x: x + 1, y, width: step - 2, height: tall, rx: 1.5 });
  const bars = columns.map((column, index) => {
    const x = index * step;
    const failed = height(column.failures);
    const good = Math.max(0, height(column.runs) - failed);
    const words = `${clock(column.at)}  ${counted("failures.runs", column.runs)}, ${counted("failures.failed", column.failures)}`;
    return svg("g", null, svg("title", null, words), svg("rect", { class: "chart-hit", x, y: 0, width: step, height: HEIGHT }),
      bar("chart-run", x, HEIGHT - failed - good, good), bar("chart-failure", x, HEIGHT - failed, failed));
  });
  const says = `${title}: ${counted("failures.runs", runs)}, ${counted("failures.failed", failures)}`;
  const labels = [0, 0.25, 0.5, 0.75, 1].map((part) => h("span", null, part === 1 ? t("failures.now") : clock(now - (1 - part) * hours * 3_600_000)));
  return h("figure", { class: "chart" },
    h("figcaption", null, h("strong", null, title), h("span", { class: "faint" }, counted("failures.runs", runs)),
      h("span", { class: failures ? "is-bad" : "faint" }, counted("failures.failed", failures), runs ? ` (${percent(failures / runs)})` : ""),
      h("span", { class: "faint chart-most" }, t("failures.most", { count: number(most) }))),
    svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": says },
      svg("line", { class: "chart-base", x1: 0, x2: WIDTH, y1: HEIGHT - 0.5, y2: HEIGHT - 0.5 }), bars),
    h("div", { class: "chart-labels", "aria-hidden": "true" }, labels));
}
