/** A waveform -> windows with their positions and levels, as `service.audio.windowing` cuts them. */

/** The recording is too short: less than `min_seconds`. */
export class TooShortError extends Error {}

/**
 * Cut a waveform.
 * @param {Float32Array} waveform
 * @param {import("./numbers.js").Numbers["audio"]} audio
 * @returns {{windows: Float32Array[], starts: number[], ends: number[], peaks: number[], lasting: number[]}}
 *   Positions in samples; levels in dBFS, of the part of a window that no earlier one covers.
 * @throws {TooShortError}
 */
export function cut(waveform, audio) {
	const { length } = waveform;
	const starts = windowStarts(length, audio);
	const ends = starts.map((start) => Math.min(start + audio.n_samples, length));
	const own = ends.map((end, i) => waveform.subarray(ends[i - 1] ?? 0, end));
	return {
		windows: starts.map((start, i) => filled(waveform.subarray(start, ends[i]), audio.n_samples)),
		starts,
		ends,
		peaks: own.map((part) => peakDbfs(part, audio)),
		lasting: own.map((part) => lastingDbfs(part, audio)),
	};
}

/** Which windows hold sound: those with a lasting peak above a level or, if none has, with any peak. */
export function sounding({ peaks, lasting }, silence) {
	const found = lasting.map((each) => each > silence);
	return found.includes(true) ? found : peaks.map((each) => each > silence);
}

/** The peak level of a waveform, dBFS. */
export function peakDbfs(waveform, audio) {
	return dbfs(waveform.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0), audio);
}

/** The RMS level of a waveform, dBFS. */
export function rmsDbfs(waveform, audio) {
	const energy = waveform.reduce((sum, sample) => sum + sample ** 2, 0);
	return dbfs(Math.sqrt(energy / Math.max(1, waveform.length)), audio);
}

function dbfs(magnitude, { silent_dbfs }) {
	return Math.max(20 * Math.log10(magnitude), silent_dbfs);
}

function windowStarts(length, { n_samples, min_seconds, sample_rate }) {
	const least = min_seconds * sample_rate;
	if (length < least) throw new TooShortError(String(length / sample_rate));
	const count = Math.max(1, Math.floor(length / n_samples));
	const starts = Array.from({ length: count }, (_, i) => i * n_samples);
	if (length - count * n_samples >= least) starts.push(length - n_samples);
	return starts;
}

/** A whole window: a shorter waveform is repeated. */
function filled(samples, length) {
	if (samples.length === length) return samples;
	return Float32Array.from({ length }, (_, i) => samples[i % samples.length]);
}

/** The level that the loudest pieces reach, so that a codec's smear does not count. */
function lastingDbfs(waveform, audio) {
	const { piece, lasting } = audio;
	const peaks = Float32Array.from({ length: Math.floor(waveform.length / piece) }, (_, i) =>
		waveform.subarray(i * piece, (i + 1) * piece).reduce((most, sample) => Math.max(most, Math.abs(sample)), 0),
	).sort();
	return peakDbfs(peaks.slice(-lasting).slice(0, 1), audio);
}
