/** The page of one recording: its answer, its refusal or its wait. */

import { read } from "../answer.js";
import { genreBars, gauges, measures, plane, timeline } from "../charts.js";
import { button, byId, element, fit } from "../dom.js";
import * as feedback from "../feedback.js";
import { clock, moment, text } from "../language.js";
import * as player from "../player.js";
import * as ring from "../ring.js";
import * as route from "../route.js";
import * as sender from "../sender.js";
import { mayPass } from "../service.js";
import * as settings from "../settings.js";
import * as store from "../store.js";
import { advice, certaintyWords, headline, moodOf, problemWords, reason, slug, soundWords, summary, title, traitWords, warningWords } from "../words.js";
import { correction } from "./correction.js";
import { explain } from "./explain.js";
import { removeWithUndo } from "./removal.js";

const KEPT = "kept-listening"; // the note of a clip whose timeline is longer than its sound
const STEP_SECONDS = 1; // of an arrow key on the ring

const page = byId("clip");

let shown = null; // the id of the clip that is shown
let drawn = null; // a key of the drawn content, which a change alters
let ticking = null;

player.events.addEventListener("change", follow);

export function show({ id }) {
	leave();
	shown = id;
	const clip = store.get(id);
	build(clip);
	if (clip.audio?.size) player.load(clip.audio, page);
	sender.prefer(id);
}

export function changed({ id }) {
	if (id !== shown) return;
	const focused = page.contains(document.activeElement);
	const clip = store.get(id);
	if (JSON.stringify(lookOf(clip)) === drawn) draw(clip);
	else build(clip);
	if (focused && !page.contains(document.activeElement)) page.querySelector("h1").focus();
}

export function leave() {
	clearInterval(ticking);
	player.unload();
	shown = null;
	drawn = null;
}

export function redraw() {
	const clip = store.get(shown);
	if (clip) draw(clip);
}

const lookOf = (/** @type {Clip} */ { id, state, why, retryAt, label, tell, told, name, audio, levels }) => [
	...[state, why, retryAt, label, tell, told, feedback.word(), name, !audio, !levels, store.isKept(id)],
];

function build(clip) {
	clearInterval(ticking);
	drawn = JSON.stringify(lookOf(clip));
	page.dataset.state = clip.state;
	page.dataset.mood = moodOf(clip);
	const sound = page.querySelector("audio");
	page.replaceChildren(...(clip.state === "answered" ? answered : unanswered)(clip));
	if (sound) page.append(sound);
	draw(clip);
	follow();
}

function draw({ levels }) {
	const canvas = page.querySelector("canvas");
	if (levels) ring.draw(canvas, levels);
}

function answered(clip) {
	const reading = read(clip.answer);
	const mood = reading.mood && text(`mood.${reading.mood}`);
	const play = clip.audio && clip.note !== KEPT ? player.part : null;
	const figures = [
		panel("genres", genreBars(reading.genres, (genre) => explain(genre, reading.model))),
		reading.emotions.length ? panel("feel", gauges(reading.emotions)) : null,
		panel("valence", plane(reading.emotions, reading.mood)),
		reading.sound && soundPanel(reading.sound),
		reading.windows.length > 1 ? panel("timeline", timeline(reading.windows, play)) : null,
	];
	return [
		element(
			"div",
			{ class: "glance" },
			medallion(headline(reading), mood, clip),
			controls(clip),
			paragraph("certainty", certaintyWords(reading)),
			paragraph("verdict", reason(reading)), // if the verdict is not the usual one
			...notesOf(reading, clip).map((words) => paragraph("warning", words)),
			...(reading.verdict === "silence" ? [] : correction(clip, reading)),
		),
		reading.hasGenre
			? element("div", { class: "figures" }, figures)
			: element("details", { class: "figures" }, element("summary", {}, text("anyway")), figures),
		keeping(clip),
	];
}

const soundPanel = (sound) =>
	element("section", { class: "panel sound" }, measures(soundWords(sound), traitWords(sound)));

const paragraph = (kind, words) => words && element("p", { class: kind }, words);

function notesOf({ warnings, verdict, truncated, analysed, windows }, { note }) {
	// Silence is quiet: one message is enough.
	const some = warnings.filter(({ type }) => verdict !== "silence" || type !== "very_quiet");
	const notes = some.map(warningWords);
	if (truncated) notes.push(text("truncated", { time: clock(analysed) }));
	if (note) notes.push(text(note, { time: clock(windows.at(-1)?.end ?? 0) }));
	return notes;
}

function unanswered(clip) {
	const { problem, state, audio } = clip;
	const words = element("p", { class: "verdict" }, clip.why === "offline" ? text("offline.reason") : "");
	if (clip.why === "busy" || clip.why === "failed") countDown(words, clip);
	const again = state !== "sending" && audio?.size > 0 && (!problem || mayPass(problem));
	return [
		element(
			"div",
			{ class: "glance" },
			medallion(text(clip.why ?? state), null, clip),
			controls(clip),
			problem ? refusal(problem, clip) : words,
		),
		keeping(clip, again && button("again", text("retry"), () => sender.retry(clip.id))),
	];
}

const isKeyless = ({ problem }) => slug(problem?.type) === "unauthorized";

function refusal(problem, clip) {
	return [
		element("p", { class: "verdict" }, problemWords(problem)),
		mayPass(problem) ? null : element("p", {}, advice(problem)),
		isKeyless(clip) ? keyForm() : null,
	];
}

function keyForm() {
	const attributes = { class: "entry", type: "password", autocomplete: "off", required: true };
	const input = element("input", attributes);
	const onsubmit = (event) => {
		event.preventDefault();
		settings.setKey(input.value);
		for (const clip of store.all()) if (isKeyless(clip) && clip.audio?.size) sender.retry(clip.id);
	};
	return element(
		"form",
		{ class: "key", onsubmit },
		element("label", {}, text("key"), input),
		element("button", { class: "plain" }, text("key.use")),
	);
}

function keeping(clip, again = null) {
	const { id, created } = clip;
	const notes = store.isKept(id) ? [] : [text("unkept")];
	const here = clip.answer && read(clip.answer).here;
	if (here) notes.push(text("by.device"));
	else if (clip.answer && settings.get("device")) notes.push(text("by.service"));
	return element(
		"div",
		{ class: "keeping" },
		element("p", { class: "note" }, [title(clip), moment(created), ...notes].join(" · ")),
		element(
			"div",
			{ class: "actions" },
			again,
			button("rename", text("rename"), () => rename(clip)),
			button("delete", text("delete"), () => {
				route.go("history");
				removeWithUndo(id);
			}),
		),
	);
}

function rename({ id, name }) {
	const given = prompt(text("rename"), name ?? "");
	if (given?.trim()) store.change(id, { name: given.trim() });
}

function countDown(node, { retryAt }) {
	const tick = () => {
		const seconds = Math.max(0, Math.ceil((retryAt - Date.now()) / 1000));
		node.textContent = text("next-try", { seconds: String(seconds) });
	};
	tick();
	ticking = setInterval(tick, 1000);
}

/** The ring with a name and a mood in it; the longest word must fit. */
function medallion(name, mood, clip) {
	const heading = element("h1", { tabindex: "-1" }, name);
	fit(heading);
	heading.style.setProperty("--words", String(name.split(" ").length));
	return element(
		"div",
		{ class: "medallion" },
		clip.audio?.size && clip.levels ? slider() : element("canvas", { "aria-hidden": "true" }),
		element("i", { class: "playhead", "aria-hidden": "true" }),
		element("div", { class: "words" }, heading, mood && element("p", { class: "mood" }, mood)),
	);
}

function slider() {
	const canvas = element("canvas", {
		...{ role: "slider", tabindex: "0", "aria-label": text("place"), "aria-valuemin": "0" },
		onpointerdown: (event) => {
			canvas.setPointerCapture(event.pointerId);
			seek(event);
		},
		onpointermove: (event) => canvas.hasPointerCapture(event.pointerId) && seek(event),
		onkeydown: (event) => {
			const step = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
			if (step) player.seek(player.place() + step * STEP_SECONDS);
			else if (event.key === " ") player.toggle();
			else return;
			event.preventDefault();
		},
	});
	const seek = (event) => player.length() && player.seek(ring.placeOf(canvas, event) * player.length());
	return canvas;
}

function controls({ audio }) {
	if (!audio?.size) return null;
	return element(
		"div",
		{ class: "controls" },
		button("play", "", player.toggle, { class: "plain round", "aria-label": text("play") }),
		element("span", { class: "time note" }, ""),
	);
}

function follow() {
	const time = page.querySelector(".time");
	if (!time) return;
	const [at, length] = [player.place(), player.length()];
	time.closest("div").hidden = player.isBroken();
	time.textContent = length ? `${clock(at)} / ${clock(length)}` : "";
	const toggle = page.querySelector(".controls button");
	toggle.setAttribute("aria-label", text(player.isPlaying() ? "pause" : "play"));
	toggle.querySelector("use").setAttribute("href", `#icon-${player.isPlaying() ? "pause" : "play"}`);
	const moved = length && (at > 0 || player.isPlaying());
	const head = /** @type {HTMLElement} */ (page.querySelector(".playhead"));
	head.hidden = !moved;
	if (moved) head.style.transform = `rotate(${(at / length).toFixed(4)}turn)`;
	const canvas = page.querySelector("canvas[role]");
	const values = { max: Math.round(length ?? 0), now: Math.round(at), text: `${clock(at)} / ${clock(length ?? 0)}` };
	for (const [name, value] of Object.entries(values)) canvas?.setAttribute(`aria-value${name}`, value);
}

function panel(name, figure) {
	if (!figure) return null;
	return element("section", { class: `panel ${name}` }, element("h2", {}, text(name)), figure);
}

export const news = (clip) => (clip.problem ? `${summary(clip)}. ${problemWords(clip.problem)}` : summary(clip));
