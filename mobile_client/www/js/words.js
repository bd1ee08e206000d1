/** An answer in words, the same in the title, the history, the picture and for screen readers. */

import { certainty, named, read } from "./answer.js";
import { current, either, percent, text, textOr } from "./language.js";

export const genreName = (genre) => textOr(`genre.${genre}`, genre);

/** The name of an answer: its genre, both genres, or that it has none. */
export function headline(reading) {
	const names = named(reading).map(genreName);
	return names.length ? either(names) : textOr(`verdict.${reading.verdict}`, genreName(reading.genre));
}

export function summary(clip) {
	if (clip.state !== "answered") return text(clip.why ?? clip.state);
	const reading = read(clip.answer);
	const { mood } = reading;
	return mood ? `${headline(reading)}, ${text(`mood.${mood}`)}` : headline(reading);
}

/** The name of a clip in lists: the person's name for it, or the file's. */
export const title = (clip) => clip.name ?? text("recording");

/** The reason of an unusual verdict, else null. */
export function reason({ verdict, reason: words, genres }) {
	if (verdict === "confident") return null;
	const names = genres.slice(0, 2).map(({ genre }) => genreName(genre));
	return textOr(`verdict.${verdict}.reason`, words, { both: either(names), first: names[0] });
}

/** How certain an answer is, in words and as a number; null where it names no single genre. */
export function certaintyWords(reading) {
	const level = certainty(reading);
	return level && text(`certainty.${level}`, { share: percent(reading.genres[0].probability) });
}

/** A problem in the person's language: the service's own words are English, and have figures. */
export function problemWords({ type, detail }) {
	if (detail && current() === "en") return detail;
	return textOr(`problem.${slug(type)}`, detail || text("refused"));
}

export const advice = ({ type }) => textOr(`advice.${slug(type)}`, text("advice"));

export const slug = (type) => (type ?? "").split(":").at(-1);

export const warningWords = ({ type, detail }) => textOr(`warning.${type}`, detail);

/** A score's place among the reference recordings, in words. */
export function placeWords(name, percentile) {
	const count = Math.min(9, Math.round(percentile / 10));
	return count > 0 ? text(`${name}.more`, { count: String(count) }) : text(`${name}.least`);
}
