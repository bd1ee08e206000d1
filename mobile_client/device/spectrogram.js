/** A window -> its log-mel spectrogram: the model's input, as `service.audio.spectrogram` computes it. */

import { transform } from "./fourier.js";

/**
 * Prepare the spectrograms of a front-end.
 * @param {import("./numbers.js").Numbers["audio"]} audio
 * @returns {(window: Float32Array) => Float32Array} Of a window, the levels in dB, in [-span_db, 0]:
 *   each mel band has `n_frames` levels, one after the other.
 */
export function logMel(audio) {
	const { n_fft, n_frames, n_mels, hop } = audio;
	const hann = Float32Array.from({ length: n_fft }, (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / n_fft));
	const bands = triangles(audio);
	const apply = transform(n_fft);
	const [real, imaginary] = [new Float64Array(n_fft), new Float64Array(n_fft)];
	return (window) => {
		const power = new Float64Array(n_mels * n_frames);
		for (let frame = 0; frame < n_frames; frame += 2) {
			take(window, frame * hop - n_fft / 2, hann, real);
			take(window, (frame + 1) * hop - n_fft / 2, hann, imaginary);
			apply(real, imaginary);
			spread(real, imaginary, bands, power, frame, n_frames);
		}
		return levelled(power, audio);
	};
}

/** Copy a frame under the Hann window; beyond the edges there is silence. */
function take(window, start, hann, into) {
	for (let i = 0; i < hann.length; i += 1) into[i] = (window[start + i] ?? 0) * hann[i];
}

/** Add the power of two frames, whose transforms are the even and the odd part, to the mel bands. */
function spread(real, imaginary, bands, power, frame, frames) {
	const length = real.length;
	const [first, second] = [new Float64Array(length / 2 + 1), new Float64Array(length / 2 + 1)];
	for (let k = 0; k <= length / 2; k += 1) {
		const mirror = (length - k) % length;
		const [a, b, c, d] = [real[k], real[mirror], imaginary[k], imaginary[mirror]];
		first[k] = ((a + b) ** 2 + (c - d) ** 2) / 4;
		second[k] = ((c + d) ** 2 + (b - a) ** 2) / 4;
	}
	bands.forEach(({ start, weights }, band) => {
		let [one, two] = [0, 0];
		for (let i = 0; i < weights.length; i += 1) {
			one += weights[i] * first[start + i];
			two += weights[i] * second[start + i];
		}
		power[band * frames + frame] = one;
		if (frame + 1 < frames) power[band * frames + frame + 1] = two;
	});
}

/** Levels below the loudest point of the window. */
function levelled(power, { quietest_power, span_db }) {
	const level = power.map((each) => 10 * Math.log10(Math.max(each, quietest_power)));
	const quietest = 10 * Math.log10(quietest_power);
	const peak = level.reduce((most, each) => Math.max(most, each), quietest + span_db);
	return Float32Array.from(level, (each) => Math.max(each - peak, -span_db));
}

/**
 * Triangles of equal area between the edges of the mel bands, from the first bin above zero.
 * @returns {{start: number, weights: Float32Array}[]}
 */
function triangles({ mel_edges, n_fft, n_mels, sample_rate }) {
	const hertz = Array.from({ length: n_fft / 2 + 1 }, (_, k) => (k * sample_rate) / n_fft);
	return Array.from({ length: n_mels }, (_, band) => {
		const [low, middle, high] = mel_edges.slice(band, band + 3);
		const weights = hertz.map((at) =>
			Math.max(0, (Math.min((at - low) / (middle - low), (high - at) / (high - middle)) * 2) / (high - low)),
		);
		const start = Math.max(0, weights.findIndex((each) => each > 0));
		const end = weights.findLastIndex((each) => each > 0) + 1;
		return { start, weights: Float32Array.from(weights.slice(start, end)) };
	});
}
