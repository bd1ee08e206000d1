/**
 * Live answers: from the third second on, the recording so far, or the end of a long one, is sent
 * every few seconds, and the answer is shown. A recording of silence is not sent.
 */

import { isSure, read } from "./answer.js";
import { on, emit } from "./events.js";
import * as recorder from "./recorder.js";
import { BusyError, analyzeSoFar } from "./service.js";

const PAUSE_SECONDS = 2.5; // between two answers
const SURE_TIMES = 2; // one after the other, with the same genre
const FAILED_SECONDS = 15; // after a failure, where the recorder keeps listening
const SILENCE = 1e-3; // -60 dBFS, where the service's verdict is silence too

/**
 * Fires "answer" with `{answer, reading, audio, seconds, sure}`, where `sure` says that it stays
 * the same; "quiet" with true or false, once sound is expected; and "failed", where the recorder
 * keeps listening.
 */
export const events = new EventTarget();

let controller = null; // of the open request
let due = 0; // second from which the next one is sent
let same = 0; // sure answers with the same genre, one after the other
let genre = null;
let peak = null;
let refused = false;

export const isSilent = (/** @type {?number} */ loudest) => loudest !== null && loudest <= SILENCE;

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
	[due, same, genre, peak, refused] = [recorder.MIN_SECONDS, 0, null, null, false];
}

function next(seconds) {
	if (seconds < recorder.MIN_SECONDS) return;
	const quiet = isSilent(peak) && !document.hidden; // a hidden page measures nothing
	emit(events, "quiet", quiet);
	if (quiet || controller || seconds < due || (refused && !recorder.keeps())) return;
	due = seconds + (recorder.keeps() ? recorder.TURN_SECONDS : PAUSE_SECONDS);
	ask(recorder.soFar(), seconds);
}

async function ask(audio, seconds) {
	const mine = new AbortController();
	controller = mine;
	try {
		const answer = await analyzeSoFar(audio, mine.signal);
		const reading = read(answer);
		if (mine.signal.aborted) return;
		same = isSure(reading) && (reading.genre === genre || !same) ? same + 1 : Number(isSure(reading));
		genre = reading.genre;
		emit(events, "answer", { answer, reading, audio, seconds, sure: same >= SURE_TIMES });
	} catch (error) {
		if (mine.signal.aborted) return;
		if (recorder.keeps()) {
			due = seconds + (error instanceof BusyError ? error.seconds : FAILED_SECONDS);
			emit(events, "failed", null);
		} else {
			// The whole recording is sent at the end. The first part may be too short, because the
			// encoder buffers.
			refused = seconds > 1.5 * recorder.MIN_SECONDS;
		}
	} finally {
		if (controller === mine) controller = null;
	}
}
