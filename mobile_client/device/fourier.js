/** The fast Fourier transform of two real signals at a time, as the two parts of one complex signal. */

/**
 * Plan transforms of a length, a power of two.
 * @param {number} length
 * @returns {(real: Float64Array, imaginary: Float64Array) => void} Transforms in place.
 */
export function transform(length) {
	const cosines = Float64Array.from({ length: length / 2 }, (_, k) => Math.cos((2 * Math.PI * k) / length));
	const sines = Float64Array.from({ length: length / 2 }, (_, k) => -Math.sin((2 * Math.PI * k) / length));
	const places = reversed(length);
	return (real, imaginary) => {
		for (let at = 0; at < length; at += 1) {
			const other = places[at];
			if (other <= at) continue;
			[real[at], real[other]] = [real[other], real[at]];
			[imaginary[at], imaginary[other]] = [imaginary[other], imaginary[at]];
		}
		for (let half = 1; half < length; half *= 2) pass(real, imaginary, half, cosines, sines);
	};
}

/** The places of a signal's samples, their bits in reverse. */
function reversed(/** @type {number} */ length) {
	const places = new Uint32Array(length);
	for (let at = 1; at < length; at += 1) places[at] = (places[at >> 1] >> 1) | (at & 1 ? length >> 1 : 0);
	return places;
}

/** Join transforms of half a length, all over the signal. */
function pass(real, imaginary, half, cosines, sines) {
	const stride = cosines.length / half;
	for (let start = 0; start < real.length; start += 2 * half) {
		for (let k = 0; k < half; k += 1) {
			const [low, high] = [start + k, start + k + half];
			const [cosine, sine] = [cosines[k * stride], sines[k * stride]];
			const x = real[high] * cosine - imaginary[high] * sine;
			const y = real[high] * sine + imaginary[high] * cosine;
			real[high] = real[low] - x;
			imaginary[high] = imaginary[low] - y;
			real[low] += x;
			imaginary[low] += y;
		}
	}
}
