/** The person's language: texts, numbers and dates. */

const LANGUAGES = ["en", "it", "el", "ru", "es"];

let locale = LANGUAGES[0]; // with the person's region, for numbers and dates
let messages = {};

/** Take the first of the browser's languages that there is, and put its texts into the page. */
export async function load() {
  const language = (tag) => tag.split("-")[0];
  locale = navigator.languages.find((tag) => LANGUAGES.includes(language(tag))) ?? locale;
  messages = (await import(`../messages/${language(locale)}.js`)).default;
  document.documentElement.lang = locale;
  for (const node of document.querySelectorAll("[data-text]")) {
    node.textContent = text(node.dataset.text);
  }
  for (const node of document.querySelectorAll("[data-label]")) {
    node.setAttribute("aria-label", text(node.dataset.label));
  }
}

/**
 * A text in the person's language.
 * @param {string} key
 * @param {Object<string, string>} values Take the places of their names in braces.
 */
export function text(key, values = {}) {
  return messages[key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

/** A text if there is one of that key, else another: for names that a service may add to. */
export function textOr(key, other, values = {}) {
  return key in messages ? text(key, values) : other;
}

/** A share of 1 in per cent. */
export function percent(share) {
  const format = new Intl.NumberFormat(locale, { style: "percent" });
  return share > 0 && share < 0.005 ? `<${format.format(0.01)}` : format.format(share);
}

/** Seconds as a clock shows them. */
export function clock(seconds) {
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

/** A moment, short. */
export function moment(iso) {
  const format = { day: "numeric", month: "short", hour: "numeric", minute: "2-digit" };
  return new Intl.DateTimeFormat(locale, format).format(new Date(iso));
}

/** Names as a list: one, two or three. */
export function either(names) {
  return new Intl.ListFormat(locale, { type: "disjunction" }).format(names);
}
