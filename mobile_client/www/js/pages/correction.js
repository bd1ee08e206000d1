/** "Not jazz?": the person's own label. It stays on the device and can be exported. */

import { choice, element } from "../dom.js";
import { text } from "../language.js";
import * as store from "../store.js";
import { genreName, headline } from "../words.js";

const OTHERS = ["other", "not_music"];

export function correction(clip, reading) {
	const { id, label } = clip;
	const names = [...reading.genres.map(({ genre }) => genre).sort(), ...OTHERS];
	const choose = (name) => store.change(id, { label: name });
	const choices = names.map((name) =>
		choice(labelName(name), name === label, () => choose(name === label ? null : name)),
	);
	return element(
		"details",
		{ class: "correction", open: false },
		element("summary", {}, label ? text("label.yours", { label: labelName(label) }) : question(reading)),
		element("p", { class: "note" }, text("label.ask")),
		element("div", { class: "choices" }, choices),
	);
}

const question = (reading) =>
	reading.verdict === "confident"
		? text("label.not", { genre: headline(reading) })
		: text("label.what");

const labelName = (label) =>
	OTHERS.includes(label) ? text(`label.${label}`) : genreName(label);
