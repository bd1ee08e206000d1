/** The history as files: answers as JSON and CSV, labelled recordings as a ZIP. */

import { EMOTIONS, read as readAnswer } from "./answer.js";
import { headline, soundWords } from "./words.js";
import { zip } from "./zip.js";

const PLAIN = ["created", "name", "state", "label", "verdict", "genre", "mood", "seconds"];
const BOM = "\uFEFF"; // without it, Excel assumes another encoding

export function json(/** @type {Clip[]} */ clips) {
	const entries = clips.map(({ id, created, name, state, label = null, answer, problem }) => {
		return { id, created, name, state, label, answer, problem };
	});
	return file("json", "application/json", JSON.stringify(entries, null, 2));
}

/**
 * Read an export; null if it is none.
 * @returns {Promise<?Clip[]>}
 */
export async function read(/** @type {Blob} */ blob) {
	try {
		const entries = JSON.parse(await blob.text());
		const valid = Array.isArray(entries) && entries.every(isEntry);
		return valid ? entries.map(clipOf) : null;
	} catch {
		return null;
	}
}

const isEntry = (entry) =>
	typeof entry?.created === "string" &&
	!Number.isNaN(Date.parse(entry.created)) &&
	(isAnswer(entry.answer) || typeof entry.problem?.type === "string");

/** Whether it is an answer that the pages can show. */
function isAnswer(answer) {
	try {
		const { genres, sound, warnings, ...reading } = readAnswer(answer);
		if (sound) soundWords(sound);
		const strings = [headline({ genres, ...reading }), reading.verdict, ...warnings.map(({ type }) => type)];
		const valid = genres.length > 0 && genres.every(({ genre, probability }) => genre && probability >= 0);
		return valid && strings.every((each) => typeof each === "string");
	} catch {
		return false;
	}
}

/**
 * A waiting clip has no sound in an export, so it cannot be sent.
 * @returns {Clip}
 */
function clipOf({ id, created, name = null, label = null, answer = null, problem = null }) {
	id = String(id ?? `${Date.parse(created).toString(36)}-imported`);
	const state = answer ? "answered" : "refused";
	const rest = { audio: null, levels: null, why: null, retryAt: null };
	return { id, created, name, state, label, answer, problem, ...rest };
}

/** One line a clip, one column a genre (RFC 4180). */
export function csv(/** @type {Clip[]} */ clips) {
	const genres = clips.flatMap(({ answer }) => answer?.genres.map(({ genre }) => genre) ?? []);
	const columns = [...new Set(genres)].sort();
	const scores = EMOTIONS.flatMap((name) => [name, `${name}_low`, `${name}_high`]);
	const lines = clips.map(({ created, name, state, label, answer, problem }) => {
		const shares = new Map(answer?.genres.map(({ genre, probability }) => [genre, probability]));
		const known = { created, name, state, label, ...answer, seconds: answer?.audio?.duration_seconds };
		return [
			...PLAIN.map((column) => known[column]),
			...EMOTIONS.flatMap((each) => scoresOf(answer, each)),
			...columns.map((genre) => shares.get(genre)),
			problem?.type,
		];
	});
	return file("csv", "text/csv", BOM + table([[...PLAIN, ...scores, ...columns, "problem"], ...lines]));
}

const scoresOf = (answer, name) => {
	const range = answer?.emotion?.[name];
	return [answer?.[name], range?.low, range?.high];
};

/**
 * The recordings that have a label, as `label/recording/file`, which training and `teach` read, with
 * a table of them; null if there are none.
 */
export async function labelled(/** @type {Clip[]} */ clips) {
	const chosen = clips.filter(({ label, audio }) => label && audio?.size);
	if (!chosen.length) return null;
	const entries = [];
	const lines = [["file", "label", "answered", "created", "name"]];
	for (const { id, label, audio, name, created, answer } of chosen) {
		const path = `${safe(label)}/${safe(id)}/${safe(name ?? "recording")}${suffix(name, audio)}`;
		entries.push({ path, bytes: new Uint8Array(await audio.arrayBuffer()) });
		lines.push([path, label, answer?.genre, created, name]);
	}
	entries.push({ path: "labels.csv", bytes: new TextEncoder().encode(table(lines)) });
	return new File([zip(entries)], "fifteen-labels.zip", { type: "application/zip" });
}

const safe = (name) => name.replace(/[^\p{L}\p{N}._ -]/gu, "_").replace(/^\.+/, "_");

function suffix(name, { type }) {
	if (name && /\.\w+$/.test(name)) return "";
	return type.includes("mp4") ? ".m4a" : type.includes("webm") ? ".webm" : "";
}

const table = (lines) => lines.map((line) => `${line.map(cell).join(",")}\r\n`).join("");

function cell(value) {
	// A spreadsheet reads such a name as a formula.
	const string = String(value ?? "").replace(/^[=+\-@\t\r]/, "'$&");
	return /[",\r\n]/.test(string) ? `"${string.replaceAll('"', '""')}"` : string;
}

const file = (extension, type, content) => new File([content], `fifteen.${extension}`, { type });

export function save(/** @type {File} */ content) {
	const address = URL.createObjectURL(content);
	const link = document.createElement("a");
	link.href = address;
	link.download = content.name;
	link.click();
	setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
