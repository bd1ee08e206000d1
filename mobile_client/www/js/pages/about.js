/** The page on what this is: privacy, limits, licences, the interface; language and theme. */

import { part } from "../device.js";
import { byId, choice, element } from "../dom.js";
import * as feedback from "../feedback.js";
import { LANGUAGES, current, text } from "../language.js";
import { address, loadLimits } from "../service.js";
import * as settings from "../settings.js";
import { offerInstall } from "../install.js";

const THEMES = ["light", "dark"];

const page = byId("about");
const learn = element("div", {});

export function show() {
	const parts = [
		element("h1", { tabindex: "-1" }, text("about")),
		element("p", {}, text("what")),
		section("about.privacy", element("p", { "data-text": "privacy" }, text("privacy")), learn),
		section("about.limits", element("p", {}, text("about.limits.text"))),
		section("settings", choices("language", Object.entries(LANGUAGES), settings.get("language") ?? current())),
		section("theme", choices("theme", themes(), settings.get("theme") ?? "")),
		offerInstall(),
		section("about.more", element("ul", { class: "links" }, links())),
	];
	page.replaceChildren(...parts.filter((part) => part));
	loadLimits().then(offerFeedback);
	part("offer").then(({ show }) => show(page)).catch(() => null);
}

function offerFeedback() {
	const words = ["yes", "no"].map((word) => [word, text(`learn.${word}`)]);
	const parts = [element("p", {}, text("learn.ask")), choices("feedback", words, feedback.word() ?? "no")];
	learn.replaceChildren(...(feedback.isOffered() ? parts : []));
}

export const leave = () => null;

const section = (key, ...children) =>
	element("section", { class: "panel" }, element("h2", {}, text(key)), children);

const themes = () => [["", text("theme.system")], ...THEMES.map((name) => [name, text(`theme.${name}`)])];

function choices(name, values, chosen) {
	const lang = (value) => (name === "language" ? { lang: value } : {});
	const choose = (value) => ({ currentTarget }) => {
		for (const each of buttons) each.setAttribute("aria-pressed", String(each === currentTarget));
		take(name, value);
	};
	const buttons = values.map(([value, label]) => choice(label, value === chosen, choose(value), lang(value)));
	return element("div", { class: "choices" }, buttons);
}

function take(name, value) {
	settings.set(name, value || null);
	// All pages still have the old language: a reload changes all of it.
	if (name === "language") location.reload();
	settings.applyTheme();
	feedback.drain();
}

function links() {
	const targets = { "about.api": "docs", "about.models": "v1/models" };
	return Object.entries(targets).map(([key, path]) =>
		element("li", {}, element("a", { href: address(path).href }, text(key))),
	);
}
