/** Answers on this device: decodes in the page, which alone can, and analyses in a worker. */

import { RefusedError, UnreachableError } from "../js/service.js";
import { ensure } from "./keep.js";
import { load } from "./numbers.js";
import { rateOf } from "./rate.js";

const ANSWER_MS = 60_000; // beyond the length of the recording, on a slow phone
const DECODED = 48_000; // Hz, where the recording's own rate is not known

/** @typedef {{answer?: any, short?: boolean, error?: string}} Reply */

/** @type {?{ask: (sound: object, timeline: boolean) => Promise<Reply>, stop: () => void}} */
let analyser = null;

/**
 * Analyse a recording.
 * @param {Blob} audio
 * @param {boolean} timeline
 * @returns {Promise<?any>} The answer, with `device: true`; null where a service has to be asked, as
 *   this browser cannot decode the recording, or the files are gone.
 * @throws {RefusedError | UnreachableError}
 */
export async function analyze(audio, timeline) {
	const numbers = await load().catch(() => null);
	if (!numbers) return null;
	await ensure(numbers).catch((error) => {
		throw new UnreachableError("not downloaded", { cause: error });
	});
	const sound = await decode(new Uint8Array(await audio.arrayBuffer()), numbers);
	if (!sound && !numbers.alone) return null;
	if (!sound) throw refused("not-audio", numbers);
	analyser ??= start();
	const { answer, short, error } = await analyser.ask(sound, timeline);
	if (answer) return answer;
	if (short) throw refused("clip-too-short", numbers);
	analyser?.stop(); // the next recording starts again
	analyser = null;
	throw new RefusedError({ type: "about:blank", detail: error });
}

const refused = (slug, { problems }) => new RefusedError({ type: problems + slug, detail: "" });

/** Decode at the recording's own rate, so that the browser does not resample. */
async function decode(bytes, { audio, resampling }) {
	const own = rateOf(bytes);
	const known = own === audio.sample_rate || (own !== null && own in resampling.responses);
	const rate = known ? own : DECODED;
	try {
		const buffer = await new OfflineAudioContext(1, 1, rate).decodeAudioData(bytes.buffer);
		const channels = Array.from({ length: buffer.numberOfChannels }, (_, i) => buffer.getChannelData(i).slice());
		return { channels, rate };
	} catch {
		return null; // a container or a codec that this browser does not have
	}
}

/** Start the worker; it answers one recording after the other. */
function start() {
	const worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
	/** @type {Map<number, (reply: Reply) => void>} */
	const waiting = new Map();
	worker.addEventListener("message", ({ data }) => {
		waiting.get(data.id)?.(data);
		waiting.delete(data.id);
	});
	worker.addEventListener("error", ({ message }) => {
		for (const resolve of waiting.values()) resolve({ error: message });
	});
	let count = 0;
	const ask = (sound, timeline) =>
		new Promise((resolve) => {
			count += 1;
			waiting.set(count, resolve);
			const seconds = sound.channels[0].length / sound.rate;
			setTimeout(resolve, ANSWER_MS + 1000 * seconds, { error: "This device does not answer." });
			const parts = sound.channels.map(({ buffer }) => buffer);
			worker.postMessage({ id: count, sound, timeline }, parts);
		});
	return { ask, stop: () => worker.terminate() };
}
