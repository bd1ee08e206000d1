/** The spectrum of a recording as a picture: levels by column (time) and band (frequency). */

export const COLUMNS = 150;
export const BANDS = 40;

const LOWEST_HZ = 60;
const HIGHEST_HZ = 10_000;
const WINDOW = 2048; // samples that an AnalyserNode takes
const LARGEST_BYTES = 48 * 2 ** 20; // of a file that is decoded for its picture

/** What an analyser hears now, 0..255, gathered into [BANDS] of equal ratio. */
export function columnOf(/** @type {AnalyserNode} */ analyser) {
	const spectrum = new Uint8Array(analyser.frequencyBinCount);
	analyser.getByteFrequencyData(spectrum);
	const hertz = analyser.context.sampleRate / analyser.fftSize;
	const edge = (band) => (LOWEST_HZ * (HIGHEST_HZ / LOWEST_HZ) ** (band / BANDS)) / hertz;
	return Uint8Array.from({ length: BANDS }, (_, band) => {
		const from = Math.floor(edge(band));
		const to = Math.max(from + 1, Math.floor(edge(band + 1)));
		return spectrum.subarray(from, to).reduce((most, level) => Math.max(most, level), 0);
	});
}

/** An analyser on the scale of the picture: -90..-30 dB is 0..255. */
export const analyserIn = (/** @type {BaseAudioContext} */ context, smoothingTimeConstant = 0) =>
	new AnalyserNode(context, { smoothingTimeConstant, minDecibels: -90, fftSize: WINDOW });

/**
 * Decode a recording for its picture; null if this browser cannot.
 * @param {Blob} blob
 * @returns {Promise<?{levels: Uint8Array, peak: number}>} [COLUMNS * BANDS], and the loudest sample, 0..1.
 */
export async function ofFile(blob) {
	if (blob.size > LARGEST_BYTES) return null;
	try {
		const context = new OfflineAudioContext(1, WINDOW, 2 * HIGHEST_HZ);
		const sound = await context.decodeAudioData(await blob.arrayBuffer());
		const analysers = columnsOf(sound, context);
		await context.startRendering();
		const levels = Uint8Array.from(analysers.flatMap((analyser) => [...columnOf(analyser)]));
		const peak = sound.getChannelData(0).reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
		return { levels, peak };
	} catch {
		return null; // the service may know the format
	}
}

/** An analyser for each column: each has a source that begins at its place. */
function columnsOf(buffer, context) {
	const last = Math.max(0, buffer.duration - WINDOW / context.sampleRate);
	return Array.from({ length: COLUMNS }, (_, column) => {
		const source = new AudioBufferSourceNode(context, { buffer });
		const analyser = analyserIn(context);
		source.connect(analyser).connect(context.destination);
		source.start(0, (column / COLUMNS) * last);
		return analyser;
	});
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
