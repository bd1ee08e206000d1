/** The person's language: texts, numbers and dates. */

const LANGUAGES = ["en", "it", "el", "ru", "es"];

let language = "en";
let messages = {};

/** Take the first of the browser's languages that there is, and put its texts into the page. */
export async function load() {
  const wanted = navigator.languages.map((tag) => tag.split("-")[0]);
  language = wanted.find((each) => LANGUAGES.includes(each)) ?? LANGUAGES[0];
  messages = (await import(`../messages/${language}.js`)).default;
  document.documentElement.lang = language;
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
export function textOr(key, other) {
  return key in messages ? text(key) : other;
}

/** A share of 1 in per cent. */
export function percent(share) {
  return new Intl.NumberFormat(language, { style: "percent" }).format(share);
}

/** Seconds as a clock shows them. */
export function clock(seconds) {
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

/** A moment, short. */
export function moment(iso) {
  const format = { dateStyle: "medium", timeStyle: "short" };
  return new Intl.DateTimeFormat(language, format).format(new Date(iso));
}

/** Names as a list: one, two or three. */
export function either(names) {
  return new Intl.ListFormat(language, { type: "disjunction" }).format(names);
}
