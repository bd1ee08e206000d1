/**
 * The microphone: this module alone opens it, and every way out of it closes it.
 *
 * The state is idle, asking (for permission), listening or closing (the encoder's last bytes). The
 * picture and the meter come from a second reading of the same stream; where the browser cannot
 * give it, the recording goes on without them.
 *
 * A recording ends after 15 s, unless the person keeps listening: then several recorders take
 * turns on the stream, and the oldest has a whole file of the last 10 to 15 s at any time.
 */

import { emit } from "./events.js";
import { BANDS, COLUMNS, bandsOf } from "./spectrogram.js";

export const SECONDS = 15;
export const MIN_SECONDS = 3;
export const TURN_SECONDS = 5; // between two recorders of one that keeps listening

const MOST_SECONDS = 7200; // of one that keeps listening

const MARGIN_SECONDS = 0.3; // encoders drop some: a whole window of 15 s must remain
const CHUNK_MS = 500;
const BLANK = 3; // columns before the newest, where the ring goes round a second time
const FRAME_MS = 50; // the picture and the meter; faster is invisible and costs
const CONTAINERS = ["audio/webm;codecs=opus", "audio/mp4;codecs=mp4a.40.2", "audio/mp4"];
const UNPROCESSED = {
	echoCancellation: false,
	noiseSuppression: false,
	autoGainControl: false,
	channelCount: 1,
};

/** @typedef {"idle"|"asking"|"listening"|"closing"} State */
/**
 * @typedef {{blob: Blob, levels: ?Uint8Array, seconds: number, peak: ?number, cut: boolean, long: boolean}} Recorded
 *   `peak` is the loudest sample that the meter saw, 0..1, null where there was no meter; `cut` is
 *   true where the microphone ended by itself; `long`, after more than 15 s.
 */
/**
 * @typedef {{recorder: MediaRecorder, chunks: Blob[], started: number, peak: ?number}} Turn
 * @typedef {{cancelled: boolean, stream?: MediaStream, turns: Turn[], context?: ?AudioContext,
 *   levels: ?Uint8Array, started: number, cut: boolean, keeps: boolean,
 *   timer?: ReturnType<typeof setTimeout>}} Session
 *   The first turn is the oldest; there is one only, unless it `keeps` listening.
 */

/**
 * Fires "state" with the state; "frame" with `{seconds, level, levels, from, to, peak}` while it
 * listens, where columns beyond the last begin again at the first; "piece" with the next bytes of
 * the recording, and then "chunk" with the seconds so far;
 * "muted" by the system; "recorded" with a `Recorded`; "cancelled"; "failed" with the reason, which
 * ends a key of the messages.
 */
export const events = new EventTarget();

/** @type {State} */
let state = "idle";
/** @type {?Session} */
let session = null;

export const now = () => state;

export const seconds = () => (session?.started ? (performance.now() - session.started) / 1000 : 0);

export const isEnough = () => state === "listening" && seconds() >= MIN_SECONDS;

export const keeps = () => session?.keeps === true;

/** Go on after 15 s, until the person stops it or two hours are over. */
export function keep() {
	if (state !== "listening") return;
	clearTimeout(session.timer);
	session.keeps = true;
}

/** The recording so far, or its last 10 to 15 s: a file that can be decoded; null at first. */
export function soFar() {
	const turn = session?.turns[0];
	return turn?.chunks.length ? new Blob(turn.chunks, { type: turn.recorder.mimeType }) : null;
}

/**
 * Record a second file from now on, without an end; nothing of it is held.
 * @param {(piece: Blob) => void} take
 * @returns {() => void} Ends it.
 */
export function follow(take) {
	const recorder = recorderOf(session);
	recorder.addEventListener("dataavailable", ({ data }) => take(data));
	recorder.start(CHUNK_MS);
	return () => recorder.state === "inactive" || recorder.stop();
}

/**
 * Ask for the microphone, or for the sound of the device, and record.
 * @param {"microphone"|"device"} source
 */
export async function start(source = "microphone") {
	if (state !== "idle") return;
	/** @type {Session} */
	const mine = { cancelled: false, turns: [], levels: null, started: 0, cut: false, keeps: false };
	session = mine;
	enter("asking");
	try {
		const stream = await ask(source);
		mine.stream = stream;
		if (mine.cancelled) throw new Error("cancelled while the browser asked");
		record(mine);
		watch(mine);
	} catch (error) {
		release(mine);
		if (session !== mine) return; // cancelled and reported
		session = null;
		enter("idle");
		emit(events, "failed", error instanceof MicrophoneError ? error.reason : "failed");
	}
}

export function stop() {
	if (isEnough()) close();
}

export function cancel() {
	const mine = session;
	if (!mine || state === "closing" || state === "idle") return;
	mine.cancelled = true;
	session = null;
	release(mine);
	enter("idle");
	emit(events, "cancelled", null);
}

class MicrophoneError extends Error {
	constructor(reason) {
		super(reason);
		this.reason = reason;
	}
}

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

/** Only the sound of what is shared. */
function soundOf(/** @type {MediaStream} */ shared) {
	for (const track of shared.getVideoTracks()) {
		track.stop();
		shared.removeTrack(track);
	}
	if (!shared.getAudioTracks().length) throw new MicrophoneError("soundless");
	return shared;
}

function record(/** @type {Session} */ mine) {
	for (const track of mine.stream.getAudioTracks()) {
		track.addEventListener("ended", () => interrupt(mine));
		track.addEventListener("mute", () => session === mine && emit(events, "muted", null));
	}
	begin(mine);
	mine.started = mine.turns[0].started;
	mine.timer = setTimeout(close, (SECONDS + MARGIN_SECONDS) * 1000);
	enter("listening");
}

/** Begin a recorder on the stream. */
function begin(/** @type {Session} */ mine) {
	const recorder = recorderOf(mine);
	/** @type {Turn} */
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

function recorderOf(/** @type {Session} */ { stream }) {
	const mimeType = CONTAINERS.find((type) => MediaRecorder.isTypeSupported(type));
	return new MediaRecorder(stream, { mimeType, audioBitsPerSecond: 96_000 });
}

/** Let the next recorder begin, and the oldest end, when it is time; timers of hidden pages lag. */
function change(/** @type {Session} */ mine) {
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
function interrupt(/** @type {Session} */ mine) {
	if (session !== mine || state !== "listening") return;
	mine.cut = true;
	close();
}

function close() {
	if (state !== "listening" || !session) return;
	const { recorder } = session.turns[0];
	enter("closing");
	clearTimeout(session.timer);
	if (recorder.state === "inactive") finish(session);
	else recorder.stop();
}

/** All bytes are there. */
function finish(/** @type {Session} */ mine) {
	if (session !== mine) return;
	const recorded = {
		blob: soFar() ?? new Blob([]),
		levels: mine.levels,
		seconds: Math.min(seconds(), SECONDS),
		peak: mine.turns[0].peak,
		cut: mine.cut,
		long: mine.keeps && seconds() > SECONDS,
	};
	session = null;
	release(mine);
	enter("idle");
	if (recorded.seconds < MIN_SECONDS) emit(events, "failed", "stopped");
	else emit(events, "recorded", recorded);
}

function release(/** @type {Session} */ mine) {
	clearTimeout(mine.timer);
	for (const track of mine.stream?.getTracks() ?? []) track.stop();
	for (const { recorder } of mine.turns) if (recorder.state !== "inactive") recorder.stop();
	mine.context?.close().catch(() => null);
}

/** Follow level and spectrum, where the browser gives them; the time goes on in any case. */
function watch(/** @type {Session} */ mine) {
	let analyser = null;
	try {
		const context = new AudioContext();
		mine.context = context;
		context.resume().catch(() => null); // Safari may start it suspended after a prompt
		analyser = new AnalyserNode(context, { smoothingTimeConstant: 0.5, minDecibels: -90 });
		context.createMediaStreamSource(mine.stream).connect(analyser);
	} catch {
		analyser = null;
	}
	picture(mine, analyser);
}

function picture(/** @type {Session} */ mine, /** @type {?AnalyserNode} */ analyser) {
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

function loudestOf(/** @type {AnalyserNode} */ analyser) {
	const waveform = new Float32Array(analyser.fftSize);
	analyser.getFloatTimeDomainData(waveform);
	return waveform.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
}

function columnOf(/** @type {AnalyserNode} */ analyser) {
	const spectrum = new Uint8Array(analyser.frequencyBinCount);
	analyser.getByteFrequencyData(spectrum);
	return bandsOf(spectrum, analyser.context.sampleRate / analyser.fftSize);
}

function enter(/** @type {State} */ next) {
	state = next;
	emit(events, "state", next);
}
