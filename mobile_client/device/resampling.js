/**
 * One channel of any sample rate -> the front-end's, by the filter that the service's resampler has.
 *
 * `numbers.resampling` has the frequency response of that filter for each usual rate, as
 * `tools.device` measured it: its values at whole multiples of `1 / grid` cycles a sample of the
 * lower rate. The filter is their cosine series.
 */

/**
 * Resample.
 * @param {Float32Array} samples
 * @param {number} rate Hz, one of `numbers.resampling.responses`, or the front-end's own.
 * @param {import("./numbers.js").Numbers} numbers
 * @returns {Float32Array}
 */
export function resample(samples, rate, { audio, resampling }) {
	const to = audio.sample_rate;
	if (rate === to) return samples;
	const [up, down] = [to, rate].map((each) => each / divisor(rate, to));
	const scale = Math.min(rate, to) / rate; // samples of the lower rate in one of these
	const reach = 2 * Math.ceil(resampling.reach / scale / 2);
	const phases = filters(resampling, rate, { up, scale, reach });
	const padded = new Float32Array(samples.length + 2 * reach + 4);
	padded.set(samples, reach);
	const found = new Float32Array(Math.round((samples.length * up) / down));
	for (let i = 0; i < found.length; i += 1) {
		const at = Math.floor((i * down) / up);
		found[i] = product(phases[(i * down) % up], padded, at);
	}
	return found;
}

/** The weights of the samples around a place that is `phase / up` samples after one of them. */
function filters({ responses, grid }, rate, { up, scale, reach }) {
	const response = responses[rate];
	return Array.from({ length: up }, (_, phase) =>
		Float32Array.from({ length: 2 * reach + 4 }, (_, i) => {
			const time = (i - reach - phase / up) * scale;
			return scale * series(response, (2 * Math.PI * time) / grid) / grid;
		}),
	);
}

/** The cosine series of a response, by the recurrence of Chebyshev's polynomials. */
function series(response, angle) {
	const twice = 2 * Math.cos(angle);
	let [before, now] = [1, twice / 2];
	let sum = response[0];
	for (let k = 1; k < response.length; k += 1) {
		sum += 2 * response[k] * now;
		[before, now] = [now, twice * now - before];
	}
	return sum;
}

/** Four sums, since each addition waits for the one before. */
function product(weights, samples, at) {
	let [a, b, c, d] = [0, 0, 0, 0];
	for (let i = 0; i < weights.length; i += 4) {
		a += weights[i] * samples[at + i];
		b += weights[i + 1] * samples[at + i + 1];
		c += weights[i + 2] * samples[at + i + 2];
		d += weights[i + 3] * samples[at + i + 3];
	}
	return a + b + (c + d);
}

function divisor(a, b) {
	return b ? divisor(b, a % b) : a;
}
