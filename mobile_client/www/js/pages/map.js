/** All recordings on one plane of moods: another view of the list, for pointers. */

import { read } from "../answer.js";
import { SIDE, axes, field } from "../charts.js";
import { drawing } from "../dom.js";
import { text } from "../language.js";
import * as route from "../route.js";
import { summary } from "../words.js";

/** The plane; null for fewer than two recordings. */
export function map(clips) {
	const points = clips.flatMap(pointOf);
	if (points.length < 2) return null;
	const name = drawing("text", { x: 100, y: 214 }, text("map"));
	return field(text("map"), "-4 -4 208 222", name, ...points);
}

function pointOf(clip) {
	if (!clip.answer) return [];
	const { emotions, hasGenre, mood } = read(clip.answer);
	const [x, y] = axes(emotions);
	if (!hasGenre || !x || !y) return [];
	const place = ({ value, percentile }) => (percentile === null ? value : percentile / 100);
	const at = { cx: SIDE * place(x), cy: SIDE * (1 - place(y)), r: 7 };
	const onclick = () => route.go("clip", clip.id);
	const title = drawing("title", {}, summary(clip));
	return [drawing("circle", { ...at, class: "point", "data-mood": mood, onclick }, title)];
}
