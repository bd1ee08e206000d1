/**
 * Live answers: from the third second on, the recording so far is sent every few seconds, and the
 * answer is shown. A recording of silence is not sent.
 */

import { isSure, read } from "./answer.js";
import { on, emit } from "./events.js";
import * as recorder from "./recorder.js";
import { analyzeSoFar } from "./service.js";

const PAUSE_SECONDS = 2.5; // between two answers
const SURE_TIMES = 2; // one after the other, with the same genre
const SILENCE = 1e-3; // -60 dBFS, where the service's verdict is silence too

/**
 * Fires "answer" with `{reading, seconds, sure}`, where `sure` says that it stays the same; and
 * "quiet" with true or false, once sound is expected.
 */
export const events = new EventTarget();

let controller = null; // of the open request
let last = -Infinity; // second at which the last one was sent
let same = 0; // sure answers with the same genre, one after the other
let genre = null;
let peak = null;
let refused = false;

/** Whether the loudest sample means silence. */
export const isSilent = (/** @type {?number} */ loudest) => loudest !== null && loudest <= SILENCE;

/** Begin to follow the recorder. */
export function start() {
	on(recorder.events, "state", (state) => {
		controller?.abort();
		controller = null;
		if (state === "listening") reset();
	});
	on(recorder.events, "frame", (frame) => {
		peak = frame.peak;
	});
	on(recorder.events, "chunk", next);
}

function reset() {
	[last, same, genre, peak, refused] = [-Infinity, 0, null, null, false];
}

function next(seconds) {
	if (seconds < recorder.MIN_SECONDS) return;
	const quiet = isSilent(peak);
	emit(events, "quiet", quiet);
	if (quiet || refused || controller || seconds - last < PAUSE_SECONDS) return;
	last = seconds;
	answer(recorder.soFar(), seconds);
}

async function answer(audio, seconds) {
	const mine = new AbortController();
	controller = mine;
	try {
		const reading = read(await analyzeSoFar(audio, mine.signal));
		if (mine.signal.aborted) return;
		same = isSure(reading) && (reading.genre === genre || !same) ? same + 1 : Number(isSure(reading));
		genre = reading.genre;
		emit(events, "answer", { reading, seconds, sure: same >= SURE_TIMES });
	} catch {
		// On any failure: the whole recording is sent at the end. The first part may be too short,
		// because the encoder buffers.
		refused = seconds > 1.5 * recorder.MIN_SECONDS;
	} finally {
		if (controller === mine) controller = null;
	}
}
