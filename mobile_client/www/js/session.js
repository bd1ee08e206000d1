/** A session that keeps listening: its timeline, the last answer and its few seconds of sound. */

import { named } from "./answer.js";
import { on, emit } from "./events.js";
import * as live from "./live.js";
import * as recorder from "./recorder.js";

const SILENCE = { verdict: "silence", genre: null, mood: null, energy: null };

/** Fires "change" with the timeline so far. */
export const events = new EventTarget();

/** @type {any[]} Windows with the members of the service's, and a verdict. */
let timeline = [];
let last = null; // the last answer and its sound

export function start() {
	on(recorder.events, "state", (state) => {
		if (state === "listening") [timeline, last] = [[], null];
	});
	on(live.events, "answer", ({ answer, reading, audio, seconds }) => {
		last = { answer, audio };
		add({ verdict: answer.verdict, genre: named(reading)[0] ?? null, mood: reading.mood, energy: answer.energy }, seconds);
	});
	on(live.events, "quiet", (nothing) => nothing && add(SILENCE, recorder.seconds()));
}

/** @returns {?Partial<Clip>} The session as a clip, null without an answer. */
export function clip() {
	if (!last) return null;
	const { answer, audio } = last;
	return { audio, state: "answered", answer: { ...answer, timeline }, note: "kept-listening" };
}

function add(found, seconds) {
	const before = timeline.at(-1);
	if (found === SILENCE && before?.verdict === "silence") {
		before.end_seconds = seconds;
	} else {
		const start = Math.max(before?.end_seconds ?? 0, seconds - recorder.SECONDS);
		timeline.push({ start_seconds: start, end_seconds: seconds, ...found });
	}
	emit(events, "change", timeline);
}
