/** The person's language: texts, numbers and dates. */

import * as settings from "./settings.js";

export const LANGUAGES = { en: "English", it: "Italiano", el: "Ελληνικά", ru: "Русский", es: "Español" };

const PATIENCE_MS = 4000; // for texts; without, the page is in English

let locale = "en"; // with the person's region, for numbers and dates
let messages = pageTexts();

/** Take the person's language, and put its texts into the page, which has its own in English. */
export async function load() {
	const wanted = settings.get("language");
	const tags = wanted ? [wanted, ...navigator.languages] : navigator.languages;
	const chosen = tags.find((tag) => language(tag) in LANGUAGES) ?? "en";
	for (const name of new Set([language(chosen), "en"])) {
		try {
			messages = { ...messages, ...(await textsOf(name)) };
			locale = name === language(chosen) ? (navigator.languages.find((tag) => language(tag) === name) ?? name) : name;
			break;
		} catch {
			// Not reached: the page keeps the texts it has.
		}
	}
	const genres = Object.keys(messages).filter((key) => key.startsWith("genre."));
	if (genres.length) messages.what = text("what", { genres: list("conjunction", genres.map((key) => text(key))) });
	document.documentElement.lang = locale;
	for (const node of document.querySelectorAll("[data-text]")) {
		node.textContent = text(node.getAttribute("data-text"));
	}
}

export const current = () => language(locale);

export function text(key, values = {}) {
	const message = messages[key] ?? key.split(".").at(-1);
	return message.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

export function textOr(key, other, values = {}) {
	return key in messages ? text(key, values) : other;
}

/** A name with a capital, as it stands at the beginning of a line. */
export const capital = (name) => name.charAt(0).toLocaleUpperCase(locale) + name.slice(1);

/** A share of 1 in per cent; never "100 %", and "0 %" only for 0. */
export function percent(share) {
	const format = new Intl.NumberFormat(locale, { style: "percent" });
	if (share > 0 && share < 0.005) return `<${format.format(0.01)}`;
	return share < 0.995 ? format.format(share) : `>${format.format(0.99)}`;
}

export function megabytes(bytes) {
	const format = { style: "unit", unit: "megabyte", maximumFractionDigits: 1 };
	return new Intl.NumberFormat(locale, /** @type {any} */ (format)).format(bytes / 1e6);
}

export const number = (/** @type {number} */ value) => new Intl.NumberFormat(locale, { maximumFractionDigits: 0 }).format(value);

export function clock(seconds) {
	const whole = Math.round(seconds);
	return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

export function moment(iso) {
	return date(iso, { day: "numeric", month: "short", hour: "numeric", minute: "2-digit" });
}

export const time = (iso) => date(iso, { hour: "numeric", minute: "2-digit" });

export const day = (iso) => date(iso, { weekday: "long", day: "numeric", month: "long" });

export const either = (names) => list("disjunction", names);

const list = (type, names) => new Intl.ListFormat(locale, { type }).format(names);

const language = (tag) => tag.split("-")[0];

/** The texts of a language: a line is `key: text`, and indented, `group.key`. */
async function textsOf(name) {
	const response = await fetch(`messages/${name}.txt`, { signal: AbortSignal.timeout(PATIENCE_MS) });
	if (!response.ok) throw new Error(`HTTP ${response.status}`);
	/** @type {Object<string, string>} */
	const texts = {};
	let group = "";
	for (const [, indent, key, words] of (await response.text()).matchAll(/^(\t?)([\w.-]+):(?: (.*))?$/gm)) {
		if (!indent) group = key;
		if (words) texts[indent ? `${group}.${key}` : key] = words;
	}
	return texts;
}

const date = (iso, format) => new Intl.DateTimeFormat(locale, format).format(new Date(iso));

/** The English texts that are in the page, by key: enough for the first page, and nowhere else. */
function pageTexts() {
	const nodes = [...document.querySelectorAll("[data-text]")];
	const texts = document.querySelector("template")?.content.querySelectorAll("[data-text]") ?? [];
	return Object.fromEntries(
		[...nodes, ...texts].map((node) => [node.getAttribute("data-text"), node.textContent]),
	);
}
