// The texts, one file a language, and how numbers and instants are written in it.
import { remember, setting } from "./memory.js";

const FILES = { en: "/console/text/en.json", zh: "/console/text/zh.json" };
const TAGS = { en: "en", zh: "zh-CN" };

let language = "en";
let texts = {};

/** The languages there are, each in its own name. */
export const LANGUAGES = { zh: "中文", en: "English" };

/** The language that is shown: `en` or `zh`. */
export const currentLanguage = () => language;

/** The same, as the API and the browser take it. */
export const languageTag = () => TAGS[language];

/** The language that was chosen here, or else the first of the browser's that there is. */
export function preferredLanguage() {
  const chosen = setting("language");
  if (chosen in FILES) return chosen;
  return navigator.languages.map((tag) => tag.slice(0, 2).toLowerCase()).find((tag) => tag in FILES) ?? "en";
}

/** Reads a language's texts and shows them from now on. */
export async function useLanguage(next) {
  const answer = await fetch(FILES[next], { headers: { Accept: "application/json" } });
  if (!answer.ok) throw new Error(`no texts: ${answer.status}`);
  texts = await answer.json();
  language = next;
  document.documentElement.lang = languageTag();
}

/** Remembers what was chosen. */
export const chooseLanguage = (next) => remember("language", next);

/** Whether there is such a text. */
export const has = (key) => Object.hasOwn(texts, key);

/** The text of a key, with `{name}` replaced by values. */
export const t = (key, values = {}) =>
  (texts[key] ?? key).replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));

/** A text that depends on a count: `key.one` or `key.other`. */
export const counted = (key, count, values = {}) =>
  t(`${key}.${count === 1 ? "one" : "other"}`, { count: number(count), ...values });

/** A number as this language groups its digits. */
export const number = (value) => new Intl.NumberFormat(languageTag()).format(value);

/** A share of one, in percent. */
export const percent = (share) =>
  new Intl.NumberFormat(languageTag(), { style: "percent", maximumSignificantDigits: 2 }).format(share);

/** An instant, in this browser's time zone. */
export const instant = (at) => new Intl.DateTimeFormat(languageTag(), { dateStyle: "medium", timeStyle: "medium" }).format(at);

/** The hour and minute of an instant. */
export const clock = (at) => new Intl.DateTimeFormat(languageTag(), { hour: "2-digit", minute: "2-digit", hour12: false }).format(at);

const UNITS = [["year", 31_536_000], ["month", 2_592_000], ["day", 86_400], ["hour", 3_600], ["minute", 60]];

/** How long ago an instant was, or in how long it comes. */
export function ago(at, now = Date.now()) {
  const seconds = Math.round((at - now) / 1000);
  const format = new Intl.RelativeTimeFormat(languageTag(), { numeric: "auto", style: "long" });
  const [unit, length] = UNITS.find(([, length]) => Math.abs(seconds) >= length) ?? ["second", 1];
  return unit === "second" && Math.abs(seconds) < 10 ? t("time.now") : format.format(Math.trunc(seconds / length), unit);
}

/** A duration given in microseconds. */
export const duration = (microseconds) =>
  microseconds < 1000 ? `${number(microseconds)} µs` : `${number(Math.round(microseconds / 100) / 10)} ms`;
