/** Pictures of an answer: bars, gauges, the plane of moods, the timeline. */

import { drawing, element } from "./dom.js";
import { clock, percent, text } from "./language.js";
import { genreName, placeWords } from "./words.js";

export const SIDE = 200; // of the plane
const CORNERS = { tense: [0, 0], joyful: [100, 0], melancholy: [0, 100], serene: [100, 100] };
const HUES = 9; // colours of the timeline's genres; the style has as many
const MOST_BARS = 90; // of a timeline: they must fit on a phone

export function genreBars(genres, explain) {
	const rows = genres.map(({ genre, probability }) =>
		element(
			"li",
			{},
			element("button", { type: "button", class: "name", onclick: () => explain(genre) }, genreName(genre)),
			track(element("i", { class: "fill" }), probability),
			element("b", {}, percent(probability)),
		),
	);
	return element("ul", { class: "bars" }, rows);
}

/** Emotions as gauges: the place among the reference recordings; numbers on demand. */
export function gauges(emotions) {
	return element("dl", { class: "gauges" }, emotions.map(gauge));
}

function gauge({ name, value, low, high, percentile }) {
	const marks = element("div", { class: "track", "aria-hidden": "true" });
	if (low !== null && percentile === null) marks.append(placed("band", low, high));
	marks.append(placed("dot", percentile === null ? value : percentile / 100));
	return element(
		"div",
		{},
		element("dt", {}, text(name)),
		element("dd", { class: "value" }, percentile === null ? percent(value) : placeWords(name, percentile)),
		element(
			"dd",
			{ class: "scale" },
			element("span", {}, text(`${name}.low`)),
			marks,
			element("span", {}, text(`${name}.high`)),
		),
		numbers({ value, low, high, percentile }),
	);
}

function numbers({ value, low, high, percentile }) {
	if (low === null && percentile === null) return null;
	const scale = element("div", { class: "track", "aria-hidden": "true" });
	const figures = [percent(value)];
	if (low !== null) {
		scale.append(placed("band", low, high));
		figures.push(text("interval", { low: percent(low), high: percent(high) }));
	}
	scale.append(placed("dot", value));
	if (percentile !== null) figures.push(text("percentile", { share: percent(percentile / 100) }));
	return element(
		"dd",
		{ class: "note" },
		element("details", {}, element("summary", {}, text("numbers")), scale, element("p", {}, figures.join(" · "))),
	);
}

/** Measures and estimated traits, on demand; rows of a name and a value. */
export function measures(rows, traits) {
	const terms = rows.map(([term]) => term);
	const estimates = traits.length ? [element("h3", {}, text("traits")), listed(traits)] : [];
	if (traits.length) terms.push(text("traits"));
	return element("details", {}, element("summary", {}, terms.join(" · ")), listed(rows), estimates);
}

function listed(rows) {
	const parts = rows.map(([term, value]) => element("div", {}, element("dt", {}, term), element("dd", {}, value)));
	return element("dl", {}, parts);
}

function placed(kind, from, to = from) {
	const mark = element("i", { class: kind });
	mark.style.setProperty("inset-inline-start", `${from * 100}%`);
	if (to !== from) mark.style.setProperty("inline-size", `${(to - from) * 100}%`);
	return mark;
}

function track(fill, share) {
	fill.style.setProperty("inline-size", `${share * 100}%`);
	return element("div", { class: "track", "aria-hidden": "true" }, fill);
}

/** A point in the plane of moods; null where it has none. */
export function plane(emotions, mood) {
	const [x, y] = axes(emotions);
	if (!x || !y) return null;
	return field(
		[x, y].map(({ name, value }) => `${text(name)} ${percent(value)}`).join(", "),
		"-16 -2 218 220",
		...Object.keys(CORNERS).map((name) => corner(name, name === mood)),
		spread(x, y),
		drawing("circle", { cx: SIDE * x.value, cy: SIDE * (1 - y.value), r: 8, class: "point" }),
		drawing("text", { x: 100, y: 214 }, `${text("valence")} →`),
		drawing("text", { x: -100, y: -6, transform: "rotate(-90)" }, `${text("energy")} →`),
	);
}

/** The emotions that are the axes of the plane, across and up. */
export const axes = (emotions) => ["valence", "energy"].map((name) => emotions.find((each) => each.name === name));

export function field(label, viewBox, ...parts) {
	return drawing(
		"svg",
		{ class: "plane", viewBox, role: "img", "aria-label": label, direction: "ltr" },
		drawing("rect", { width: SIDE, height: SIDE, rx: 14, class: "field" }),
		drawing("path", { d: "M100 0V200M0 100H200", class: "axis" }),
		...parts,
	);
}

function corner(name, here) {
	const [x, y] = CORNERS[name];
	return drawing(
		"g",
		{ class: here && "here" },
		drawing("rect", { x, y, width: SIDE / 2, height: SIDE / 2, rx: 14 }),
		drawing("text", { x: x + SIDE / 4, y: y ? SIDE - 12 : 20 }, text(`mood.${name}`)),
	);
}

function spread(x, y) {
	const [left, right] = [x.low ?? x.value, x.high ?? x.value];
	const [bottom, top] = [y.low ?? y.value, y.high ?? y.value];
	const place = { x: SIDE * left, y: SIDE * (1 - top) };
	const size = { width: SIDE * (right - left), height: SIDE * (top - bottom) };
	return drawing("rect", { ...place, ...size, rx: 8, class: "range" });
}

/**
 * A long recording, window by window: colour is the genre, height the energy.
 * @param {Span[]} windows
 * @param {?((from: number, to: number) => void)} play What a tap does; null where nothing can play.
 */
export function timeline(windows, play) {
	const genres = byTime(windows);
	const hue = (genre) => (genre === null ? "none" : String(genres.indexOf(genre) % HUES));
	const bars = gathered(windows).map(({ start, end, genre, energy }) => {
		const bar = element("i", { "data-hue": hue(genre), onclick: play && (() => play(start, end)) });
		bar.style.setProperty("block-size", `${20 + 80 * (energy ?? 1)}%`);
		return bar;
	});
	const legend = genres.map((genre) =>
		element("span", {}, element("i", { "data-hue": hue(genre) }), genreName(genre)),
	);
	const parts = runs(windows).map(({ genre, verdict, start, end }) => {
		const name = element("span", {}, genre === null ? text(`verdict.${verdict}`) : genreName(genre));
		const span = element("time", {}, `${clock(start)} – ${clock(end)}`);
		const onclick = () => play(start, end);
		return element("li", {}, play ? element("button", { type: "button", onclick }, name, span) : [name, span]);
	});
	return element(
		"div",
		{ class: "timeline" },
		element("div", { class: "windows", "aria-hidden": "true" }, bars),
		element("p", { class: "legend", "aria-hidden": "true" }, legend),
		element("ol", {}, parts),
	);
}

function byTime(windows) {
	const seconds = new Map();
	for (const { genre, start, end } of windows) {
		if (genre !== null) seconds.set(genre, (seconds.get(genre) ?? 0) + end - start);
	}
	return [...seconds.keys()].sort((a, b) => seconds.get(b) - seconds.get(a));
}

function runs(windows) {
	const found = [];
	for (const { genre, verdict, start, end } of windows) {
		const last = found.at(-1);
		if (last && last.genre === genre && (genre !== null || last.verdict === verdict)) last.end = end;
		else found.push({ genre, verdict, start, end });
	}
	return found;
}

function gathered(windows) {
	const size = Math.ceil(windows.length / MOST_BARS);
	if (size === 1) return windows;
	const groups = [];
	for (let at = 0; at < windows.length; at += size) groups.push(windows.slice(at, at + size));
	return groups.map((group) => ({
		start: group[0].start,
		end: group.at(-1).end,
		genre: byTime(group)[0] ?? null,
		energy: group.reduce((sum, { energy }) => sum + (energy ?? 0), 0) / group.length,
	}));
}
