/** An answer in words, the same in the title, the history, the picture and for screen readers. */

import { certainty, named, read } from "./answer.js";
import { current, either, number, percent, text, textOr } from "./language.js";

const TORN = 0.5; // of the best candidate's probability, from which another is named too
const DOUBTFUL = 0.4; // probability below which it is "perhaps"
const OCTAVE = 0.06; // tolerance, in octaves, of half and double
const HARDLY = 0.35; // share below which a trait is hardly there
const CLEARLY = 0.65; // share from which it is
const QUIET_LUFS = -24;
const LOUD_LUFS = -14;

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

/** The mood of a clip's answer; empty without one. */
export const moodOf = ({ answer }) => (answer && read(answer).mood) ?? "";

export const title = (clip) => clip.name ?? text("recording");

export function reason({ verdict, reason: words, genres }) {
	if (verdict === "confident") return null;
	const names = genres.slice(0, 2).map(({ genre }) => genreName(genre));
	return textOr(`verdict.${verdict}.reason`, words, { both: either(names), first: names[0] });
}

export function certaintyWords(reading) {
	const level = certainty(reading);
	return level && text(`certainty.${level}`, { share: percent(reading.genres[0].probability) });
}

export function soundWords(/** @type {Sound} */ { tempo, key, lufs }) {
	const level = lufs < QUIET_LUFS ? "quiet" : lufs < LOUD_LUFS ? "medium" : "loud";
	const rows = {
		tempo: tempo ? tempoWords(tempo) : text("unclear"),
		tonality: key ? keyWords(key) : text("unclear"),
		loudness: lufs === null ? text("unclear") : `${text(`loudness.${level}`)} (${number(lufs)} LUFS)`,
	};
	return Object.entries(rows).map(([name, value]) => [text(name), value]);
}

export function traitWords(/** @type {Sound} */ { traits }) {
	const level = (share) => (share < HARDLY ? "low" : share < CLEARLY ? "medium" : "high");
	return traits.map(({ name, share }) => [
		text(`traits.${name}`),
		text(`traits.${level(share)}`, { share: percent(share) }),
	]);
}

function tempoWords({ bpm, confidence, candidates }) {
	const isOther = (each) => Math.abs(Math.abs(Math.log2(each.bpm / bpm)) - 1) < OCTAVE;
	const other = candidates.find((each) => isOther(each) && each.probability >= TORN * confidence);
	const value = text("tempo.value", { bpm: either([bpm, ...(other ? [other.bpm] : [])].map(number)) });
	return other ? value : doubted(value, confidence);
}

function keyWords({ probability, candidates }) {
	const close = candidates.slice(0, 2).filter((each) => each.probability >= TORN * probability);
	return close.length > 1 ? either(close.map(keyName)) : doubted(keyName(close[0]), probability);
}

function keyName({ tonic: [letter, accidental], mode }) {
	const name = text("tonality.tonics").split(" ")["CDEFGAB".indexOf(letter)];
	return text(`tonality.${mode}`, { tonic: name + ({ "#": "♯", b: "♭" }[accidental] ?? "") });
}

const doubted = (value, probability) => (probability < DOUBTFUL ? text("perhaps", { value }) : value);

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
