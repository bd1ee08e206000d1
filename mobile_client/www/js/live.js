/**
 * Live answers, from the third second on. The recording goes over a live connection while it grows;
 * without one, what there is, or the end of a long one, is posted every few seconds. Silence is not
 * sent.
 */

import { isSure, read } from "./answer.js";
import { connect } from "./connection.js";
import { on, emit } from "./events.js";
import * as recorder from "./recorder.js";
import { BusyError, address, analyzeSoFar } from "./service.js";
import * as settings from "./settings.js";

const PAUSE_SECONDS = 2.5; // between two answers
const SURE_TIMES = 2; // one after the other, with the same genre
const ROLLING_SECONDS = 15; // of sound, which an answer is about where the recorder keeps listening
const FAILED_SECONDS = 15; // after a failure, where the recorder keeps listening
const SILENCE = 1e-3; // -60 dBFS, where the service's verdict is silence too

/**
 * Fires "answer" with `{answer, reading, audio, seconds, sure}`, sure if it stays the same; "quiet"
 * with true or false, once sound is expected; "failed", where the recorder keeps listening.
 */
export const events = new EventTarget();

let controller = null; // of the open request
let due = 0; // second from which the next one is sent
let same = 0; // sure answers with the same genre, one after the other
let genre = null;
let peak = null;
let refused = false;
/** @type {?(ReturnType<typeof connect> & {rolling: boolean, stop: () => void})} Over which the recording goes. */
let connection = null;
let broken = false; // whole recordings are posted
/** @type {WeakMap<Blob, ReturnType<typeof connect>>} By the recording that it was about. */
const ended = new WeakMap();

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
	on(recorder.events, "piece", (piece) => connection?.rolling === false && connection.send(piece));
	on(recorder.events, "chunk", next);
	on(recorder.events, "recorded", ({ blob }) => {
		if (connection?.rolling === false) {
			connection.end();
			ended.set(blob, connection);
			connection = null;
		}
		drop();
	});
	on(recorder.events, "cancelled", drop);
	on(recorder.events, "failed", drop);
}

/** The answer to a recording that was sent as it grew; null if there is none. */
export function finalOf(/** @type {?Blob} */ audio, /** @type {AbortSignal} */ signal) {
	const its = ended.get(audio);
	if (!its) return null;
	signal.addEventListener("abort", its.close);
	return its.final;
}

function reset() {
	[due, same, genre, peak, refused] = [recorder.MIN_SECONDS, 0, null, null, false];
	broken = false;
}

function next(seconds) {
	if (seconds < recorder.MIN_SECONDS) return;
	const quiet = isSilent(peak) && !document.hidden; // a hidden page measures nothing
	emit(events, "quiet", quiet);
	if (connection && (quiet || connection.rolling !== recorder.keeps())) drop();
	if (quiet) return;
	if (!connection && !broken && !settings.get("device")) open(); // the device's answers need no service
	if (connection || controller || seconds < due || (refused && !recorder.keeps())) return;
	due = seconds + (recorder.keeps() ? recorder.TURN_SECONDS : PAUSE_SECONDS);
	ask(recorder.soFar(), seconds);
}

function open() {
	const rolling = recorder.keeps();
	const key = settings.get("key") ?? undefined;
	const options = { key, ...(rolling ? { rolling, rolling_seconds: ROLLING_SECONDS } : { timeline: true }) };
	try {
		const heard = (running) => connection === mine && tell(running, recorder.soFar(), recorder.seconds());
		const failed = () => connection === mine && lose();
		const mine = Object.assign(connect(address(""), options, heard, failed), { rolling, stop: () => null });
		connection = mine;
		if (rolling) mine.stop = recorder.follow(mine.send);
		else mine.send(recorder.soFar());
	} catch {
		lose();
	}
}

function lose() {
	broken = true;
	drop();
}

function drop() {
	const its = connection;
	connection = null;
	its?.stop();
	its?.close();
}

function tell(answer, audio, seconds) {
	const reading = read(answer);
	same = isSure(reading) && (reading.genre === genre || !same) ? same + 1 : Number(isSure(reading));
	genre = reading.genre;
	emit(events, "answer", { answer, reading, audio, seconds, sure: same >= SURE_TIMES });
}

async function ask(audio, seconds) {
	const mine = new AbortController();
	controller = mine;
	try {
		const answer = await analyzeSoFar(audio, mine.signal);
		if (!mine.signal.aborted) tell(answer, audio, seconds);
	} catch (error) {
		if (mine.signal.aborted) return;
		if (recorder.keeps()) {
			due = seconds + (error instanceof BusyError ? error.seconds : FAILED_SECONDS);
			emit(events, "failed", null);
		} else {
			// The first part may be too short, because the encoder buffers.
			refused = seconds > 1.5 * recorder.MIN_SECONDS;
		}
	} finally {
		if (controller === mine) controller = null;
	}
}
