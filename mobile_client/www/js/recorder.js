/**
 * The microphone: this module alone opens it, and every way out closes it. Picture and meter are a
 * second reading of its stream; the recording goes on without them.
 *
 * It ends after 15 s, unless the person keeps listening: then recorders take turns on the stream,
 * and the oldest always has a whole file of the last 10 to 15 s.
 */

import { emit } from "./events.js";
import { BANDS, COLUMNS, analyserIn, columnOf } from "./spectrogram.js";

export const SECONDS = 15;
export const MIN_SECONDS = 3;
export const TURN_SECONDS = 5; // between two recorders of one that keeps listening

const MOST_SECONDS = 7200; // of one that keeps listening
const MARGIN_SECONDS = 0.3; // encoders drop some: a whole window of 15 s must remain
const CHUNK_MS = 500;
const CLOSING_MS = 3000; // for the encoder's last bytes
const BLANK = 3; // columns before the newest, where the ring goes round a second time
const FRAME_MS = 50; // the picture and the meter; faster is invisible and costs
const CONTAINERS = ["audio/webm;codecs=opus", "audio/mp4;codecs=mp4a.40.2", "audio/mp4"];
const UNPROCESSED = { echoCancellation: false, noiseSuppression: false, autoGainControl: false, channelCount: 1 };

/**
 * Fires "state"; "frame" with `{seconds, level, levels, from, to, peak}`, where columns beyond the
 * last begin again at the first; "piece" with the next bytes, and then "chunk" with the seconds so
 * far; "muted"; "recorded" with a `Recorded`; "cancelled" with one, if it listened; "failed" with the end of a
 * message's key.
 */
export const events = new EventTarget();

/** @type {RecorderState} */
let state = "idle";
/** @type {?Taking} */
let session = null;

export const now = () => state;

export const seconds = () => (session?.started ? (performance.now() - session.started) / 1000 : 0);

export const isEnough = () => state === "listening" && seconds() >= MIN_SECONDS;

export const keeps = () => session?.keeps === true;

export function keep() {
	if (state !== "listening") return;
	clearTimeout(session.timer);
	session.keeps = true;
}

/** The recording so far, or its last 10 to 15 s, as a whole file; null at first. */
export function soFar() {
	const turn = session?.turns[0];
	return turn?.chunks.length ? new Blob(turn.chunks, { type: turn.recorder.mimeType }) : null;
}

/** Record a second file from now on, of which nothing is held; returns what ends it. */
export function follow(/** @type {(piece: Blob) => void} */ take) {
	const recorder = recorderOf(session);
	recorder.addEventListener("dataavailable", ({ data }) => take(data));
	recorder.start(CHUNK_MS);
	return () => recorder.state === "inactive" || recorder.stop();
}

export async function start(/** @type {"microphone"|"device"} */ source = "microphone") {
	if (state !== "idle") return;
	/** @type {Taking} */
	const mine = { turns: [], levels: null, started: 0, cut: false, keeps: false };
	session = mine;
	enter("asking");
	try {
		const stream = await ask(source);
		mine.stream = stream;
		if (session !== mine) throw new Error("cancelled while the browser asked");
		record(mine);
		watch(mine);
	} catch (error) {
		release(mine);
		if (session !== mine) return; // cancelled and reported
		session = null;
		enter("idle");
		emit(events, "failed", error instanceof MicrophoneError ? error.message : "failed");
	}
}

export function stop() {
	if (isEnough()) close();
}

export function cancel() {
	const mine = session;
	if (!mine || state === "closing" || state === "idle") return;
	const given = state === "listening" ? result(mine) : null;
	session = null;
	release(mine);
	enter("idle");
	emit(events, "cancelled", given);
}

/** Its message is the end of a message's key. */
class MicrophoneError extends Error {}

async function ask(source) {
	const devices = navigator.mediaDevices;
	if (!devices || !globalThis.MediaRecorder) throw new MicrophoneError("missing");
	try {
		if (source === "microphone") return await devices.getUserMedia({ audio: UNPROCESSED });
		return soundOf(await devices.getDisplayMedia({ audio: UNPROCESSED, video: true }));
	} catch (error) {
		if (error instanceof MicrophoneError) throw error;
		const reasons = { NotAllowedError: "denied", SecurityError: "denied", NotFoundError: "missing" };
		const unshared = source === "device" && error.name === "NotAllowedError";
		throw new MicrophoneError(unshared ? "soundless" : (reasons[error.name] ?? "busy"));
	}
}

function soundOf(shared) {
	for (const track of shared.getVideoTracks()) {
		track.stop();
		shared.removeTrack(track);
	}
	if (!shared.getAudioTracks().length) throw new MicrophoneError("soundless");
	return shared;
}

function record(mine) {
	for (const track of mine.stream.getAudioTracks()) {
		track.addEventListener("ended", () => interrupt(mine));
		track.addEventListener("mute", () => session === mine && emit(events, "muted", null));
	}
	begin(mine);
	mine.started = mine.turns[0].started;
	mine.timer = setTimeout(close, (SECONDS + MARGIN_SECONDS) * 1000);
	enter("listening");
}

function begin(mine) {
	const recorder = recorderOf(mine);
	const turn = { recorder, chunks: [], started: 0, peak: null };
	recorder.addEventListener("dataavailable", ({ data }) => {
		if (data.size) turn.chunks.push(data);
		if (session === mine && turn === mine.turns[0]) emit(events, "piece", data);
		if (session !== mine || state !== "listening" || turn !== mine.turns[0]) return;
		emit(events, "chunk", seconds());
		if (mine.keeps) change(mine);
	});
	recorder.addEventListener("stop", () => turn === mine.turns[0] && finish(mine));
	recorder.addEventListener("error", () => interrupt(mine));
	recorder.start(CHUNK_MS);
	turn.started = performance.now();
	mine.turns.push(turn);
}

function recorderOf(mine) {
	const mimeType = CONTAINERS.find((type) => MediaRecorder.isTypeSupported(type));
	return new MediaRecorder(mine.stream, { mimeType, audioBitsPerSecond: 96_000 });
}

/** Let the next recorder begin, and the oldest end, when it is time. */
function change(mine) {
	const age = (turn) => (turn ? (performance.now() - turn.started) / 1000 : 0);
	try {
		if (age(mine.turns.at(-1)) >= TURN_SECONDS) begin(mine);
	} catch {
		interrupt(mine); // else the oldest would grow without a bound
	}
	if (state !== "listening") return;
	if (age(mine.turns[1]) >= SECONDS - TURN_SECONDS) mine.turns.shift()?.recorder.stop();
	if (seconds() >= MOST_SECONDS) close();
}

/** The system took the microphone away: the recorded part stays. */
function interrupt(mine) {
	if (session !== mine || state !== "listening") return;
	mine.cut = true;
	close();
}

function close() {
	if (state !== "listening" || !session) return;
	const { recorder } = session.turns[0];
	enter("closing");
	clearTimeout(session.timer);
	session.timer = setTimeout(finish, CLOSING_MS, session);
	if (recorder.state === "inactive") finish(session);
	else recorder.stop();
}

function finish(mine) {
	if (session !== mine) return;
	const recorded = result(mine);
	session = null;
	release(mine);
	enter("idle");
	if (recorded.seconds < MIN_SECONDS) emit(events, "failed", "stopped");
	else emit(events, "recorded", recorded);
}

/** @returns {Recorded} */
function result({ levels, turns, cut, keeps }) {
	const blob = soFar() ?? new Blob([]);
	const long = keeps && seconds() > SECONDS;
	return { blob, levels, seconds: Math.min(seconds(), SECONDS), peak: turns[0].peak, cut, long };
}

function release(mine) {
	clearTimeout(mine.timer);
	for (const track of mine.stream?.getTracks() ?? []) track.stop();
	for (const { recorder } of mine.turns) if (recorder.state !== "inactive") recorder.stop();
	mine.context?.close().catch(() => null);
}

function watch(mine) {
	let analyser = null;
	try {
		const context = new AudioContext();
		mine.context = context;
		context.resume().catch(() => null); // Safari may start it suspended after a prompt
		analyser = analyserIn(context, 0.5);
		context.createMediaStreamSource(mine.stream).connect(analyser);
	} catch {
		analyser = null;
	}
	picture(mine, analyser);
}

function picture(mine, analyser) {
	const levels = new Uint8Array(COLUMNS * BANDS);
	let drawn = 0;
	let last = 0;
	const frame = () => {
		if (session !== mine || state !== "listening") return;
		requestAnimationFrame(frame);
		if (performance.now() - last < FRAME_MS) return;
		last = performance.now();
		const end = Math.ceil((seconds() / SECONDS) * COLUMNS);
		const to = mine.keeps ? end : Math.min(COLUMNS, end);
		const blank = mine.keeps && to > COLUMNS ? BLANK : 0;
		const from = drawn;
		drawn = to;
		// A suspended meter measures nothing, which is not silence.
		const loudest = analyser?.context.state === "running" ? loudestOf(analyser) : null;
		if (loudest !== null) {
			mine.levels = levels;
			for (const turn of mine.turns) turn.peak = Math.max(turn.peak ?? 0, loudest);
			// A hidden page draws nothing: missed columns stay empty, not copies of later ones.
			const column = columnOf(analyser);
			const first = to - from > 3 ? to - 1 : from;
			for (let at = from; at < to + blank; at++) {
				const place = (at % COLUMNS) * BANDS;
				if (at < first || at >= to) levels.fill(0, place, place + BANDS);
				else levels.set(column, place);
			}
		}
		const level = 1 + Math.log10(Math.max(loudest ?? 0, 1e-3)) / 3;
		const { peak } = mine.turns[0];
		emit(events, "frame", { seconds: seconds(), level, levels, from, to: to + blank, peak });
	};
	requestAnimationFrame(frame);
}

function loudestOf(analyser) {
	const waveform = new Float32Array(analyser.fftSize);
	analyser.getFloatTimeDomainData(waveform);
	return waveform.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
}

function enter(/** @type {RecorderState} */ next) {
	state = next;
	emit(events, "state", next);
}
