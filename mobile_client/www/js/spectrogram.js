/** The spectrum of a recording as a picture: levels by column (time) and band (frequency). */

export const COLUMNS = 150;
export const BANDS = 40;

const LOWEST_HZ = 60;
const HIGHEST_HZ = 10_000;
const FFT = 2048;
const LARGEST_BYTES = 48 * 2 ** 20; // of a file that is decoded for its picture

/** Gather levels by frequency, 0..255 and so many hertz apart, into [BANDS] of equal ratio. */
export function bandsOf(/** @type {Uint8Array} */ spectrum, /** @type {number} */ hertz) {
	const edge = (band) => (LOWEST_HZ * (HIGHEST_HZ / LOWEST_HZ) ** (band / BANDS)) / hertz;
	return Uint8Array.from({ length: BANDS }, (_, band) => {
		const from = Math.floor(edge(band));
		const to = Math.max(from + 1, Math.floor(edge(band + 1)));
		return spectrum.subarray(from, to).reduce((most, level) => Math.max(most, level), 0);
	});
}

/**
 * Decode a recording for its picture; null if this browser cannot.
 * @param {Blob} blob
 * @returns {Promise<?{levels: Uint8Array, seconds: number, peak: number}>} [COLUMNS * BANDS], and the
 *   loudest sample, 0..1.
 */
export async function ofFile(blob) {
	if (blob.size > LARGEST_BYTES) return null;
	const rate = 2 * HIGHEST_HZ;
	let sound;
	try {
		const context = new OfflineAudioContext(1, 1, rate);
		sound = (await context.decodeAudioData(await blob.arrayBuffer())).getChannelData(0);
	} catch {
		return null; // the service may know the format
	}
	const levels = new Uint8Array(COLUMNS * BANDS);
	for (let column = 0; column < COLUMNS; column++) {
		const at = Math.round((column / COLUMNS) * Math.max(0, sound.length - FFT));
		levels.set(bandsOf(spectrumOf(sound.subarray(at, at + FFT)), rate / FFT), column * BANDS);
	}
	const peak = sound.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
	return { levels, seconds: sound.length / rate, peak };
}

/** A pattern for the ring when there is no recording yet. */
export function idle() {
	return Uint8Array.from({ length: COLUMNS * BANDS }, (_, at) => {
		const [column, band] = [Math.floor(at / BANDS), at % BANDS];
		const near = (middle, width) => Math.exp(-((band - middle) ** 2) / width);
		const kick = 0.75 * Math.exp(-0.6 * (column % 10)) * near(5, 30);
		const hat = 0.75 * Math.exp(-0.9 * ((column + 5) % 10)) * near(33, 40);
		const tone = 0.62 + 0.38 * Math.sin(band * 0.9 + Math.floor(column / 20) * 2.1);
		const chord = tone * near(18 + 5 * Math.sin(column / 24), 70);
		return 255 * Math.min(1, Math.max(kick, hat, chord, 0.5));
	});
}

/** Levels by frequency, as an AnalyserNode scales them: -90..-30 dB is 0..255. */
function spectrumOf(sound) {
	const real = new Float32Array(FFT);
	const imaginary = new Float32Array(FFT);
	sound.forEach((sample, i) => {
		real[i] = sample * (0.5 - 0.5 * Math.cos((2 * Math.PI * i) / FFT));
	});
	transform(real, imaginary);
	return Uint8Array.from({ length: FFT / 2 }, (_, i) => {
		const decibels = 20 * Math.log10(Math.hypot(real[i], imaginary[i]) / FFT + 1e-9);
		return Math.max(0, Math.min(255, ((decibels + 90) / 60) * 255));
	});
}

function transform(real, imaginary) {
	const length = real.length;
	for (let i = 1, j = 0; i < length; i++) {
		let bit = length >> 1;
		for (; j & bit; bit >>= 1) j ^= bit;
		j ^= bit;
		if (i < j) {
			[real[i], real[j]] = [real[j], real[i]];
			[imaginary[i], imaginary[j]] = [imaginary[j], imaginary[i]];
		}
	}
	for (let half = 1; half < length; half *= 2) {
		for (let k = 0; k < half; k++) {
			const cos = Math.cos((-Math.PI * k) / half);
			const sin = Math.sin((-Math.PI * k) / half);
			for (let i = k; i < length; i += 2 * half) {
				const j = i + half;
				const re = real[j] * cos - imaginary[j] * sin;
				const im = real[j] * sin + imaginary[j] * cos;
				real[j] = real[i] - re;
				imaginary[j] = imaginary[i] - im;
				real[i] += re;
				imaginary[i] += im;
			}
		}
	}
}
