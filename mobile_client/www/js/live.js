/**
 * Answers while it listens: from the third second on, what is recorded so far is sent every few
 * seconds, and the answer shown. A recording of silence is not sent.
 */

import { isSure, read } from "./answer.js";
import { on, tell } from "./events.js";
import * as recorder from "./recorder.js";
import { analyzeSoFar } from "./service.js";

const PAUSE_SECONDS = 2.5; // between two answers
const SURE_TIMES = 2; // one after the other, with the same genre
const SILENCE = 1e-3; // -60 dBFS, where the service's verdict is silence too

/**
 * Fires "answer" with `{reading, seconds, sure}`, where `sure` says that it stays the same; and
 * "quiet" with true or false, once there should be something.
 */
export const events = new EventTarget();

let controller = null; // of what is on its way
let last = -Infinity; // second at which the last one was sent
let same = 0; // sure answers with the same genre, one after the other
let genre = null;
let peak = null;
let refused = false;

/** Whether a loudest sample is that of silence. */
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
	tell(events, "quiet", quiet);
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
		tell(events, "answer", { reading, seconds, sure: same >= SURE_TIMES });
	} catch {
		// Busy, away or of another mind: the whole recording is sent in any case. The first one may
		// be too short by what the encoder holds back.
		refused = seconds > 1.5 * recorder.MIN_SECONDS;
	} finally {
		if (controller === mine) controller = null;
	}
}
