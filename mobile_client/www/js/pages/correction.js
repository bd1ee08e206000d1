/** "Not jazz?": the person's own label. It stays on the device, unless the service may learn from it. */

import { choice, element, plain } from "../dom.js";
import * as feedback from "../feedback.js";
import { text } from "../language.js";
import * as store from "../store.js";
import { genreName, headline, problemWords } from "../words.js";

const OTHERS = { other: "verdict.unknown_genre", not_music: "verdict.not_music" };

export function correction(clip, reading) {
	const { id, label } = clip;
	const names = [...reading.genres.map(({ genre }) => genre).sort(), ...Object.keys(OTHERS)];
	const choose = (name) => store.change(id, { label: name, tell: feedback.isOn() });
	const choices = names.map((name) =>
		choice(labelName(name), name === label, () => choose(name === label ? null : name)),
	);
	return [
		element(
			"details",
			{ class: "correction" },
			element("summary", {}, label ? text("label.yours", { label: labelName(label) }) : question(reading)),
			element("p", { class: "note" }, text(feedback.isOn() ? "learn.waiting" : "label.ask")),
			element("div", { class: "choices" }, choices),
		),
		feedback.isGenre(clip) && learning(clip),
	];
}

/** What the service learns of a label; the first time, the question whether it may. */
function learning({ id, tell, told }) {
	if (feedback.mayAsk()) return request(id);
	if (!tell || !(told || feedback.isOn())) return null;
	const state = told?.problem ? "refused" : told ? "sent" : "waiting";
	const reason = told?.problem && problemWords(told.problem);
	return element("p", { class: "note" }, text(`learn.${state}`, { reason }));
}

function request(id) {
	const decide = (said) => {
		feedback.decide(said);
		store.change(id, { tell: feedback.isOn() });
	};
	const answers = ["yes", "no"].map((said) => plain(text(`learn.${said}`), () => decide(said)));
	return element("div", { class: "correction" }, element("p", {}, text("learn.ask")), element("div", { class: "choices" }, answers));
}

const question = (reading) =>
	reading.verdict === "confident"
		? text("label.not", { genre: headline(reading) })
		: text("label.what");

const labelName = (label) => (label in OTHERS ? text(OTHERS[label]) : genreName(label));
