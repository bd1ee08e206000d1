/** A few bars of house, synthesised in the browser: a sample where no music plays. */

const RATE = 22_050;
const BEAT = 60 / 124; // seconds
const BEATS = 32;
const ROOTS = [55, 43.65, 49, 41.2]; // Hz, one a bar

/** @returns {Promise<Blob>} A WAV file. */
export async function sample() {
	const context = new OfflineAudioContext(1, Math.ceil(RATE * BEAT * BEATS), RATE);
	const noise = context.createBuffer(1, RATE / 10, RATE);
	noise.copyToChannel(Float32Array.from({ length: RATE / 10 }, () => 2 * Math.random() - 1), 0);
	const tone = (type, frequency) => new OscillatorNode(context, { type, frequency });
	for (let beat = 0; beat < BEATS; beat++) {
		const at = beat * BEAT;
		const root = ROOTS[Math.floor(beat / 4) % ROOTS.length];
		const drum = tone("sine", 140);
		drum.frequency.setValueAtTime(140, at);
		drum.frequency.exponentialRampToValueAtTime(45, at + 0.09);
		play(context, drum, at, 0.28, 0.8);
		play(context, new AudioBufferSourceNode(context, { buffer: noise }), at + BEAT / 2, 0.06, 0.15);
		for (const part of [0.5, 0.75]) play(context, tone("triangle", root), at + part * BEAT, 0.2, 0.5);
		for (const ratio of [8, 9.5, 12]) play(context, tone("triangle", ratio * root), at + BEAT / 2, 0.2, 0.1);
	}
	return wav((await context.startRendering()).getChannelData(0));
}

/** Play a source from some second on, and let it fade. */
function play(context, source, at, seconds, loudness) {
	const gain = new GainNode(context, { gain: 0 });
	gain.gain.setValueAtTime(loudness, at);
	gain.gain.exponentialRampToValueAtTime(0.001, at + seconds);
	source.connect(gain).connect(context.destination);
	source.start(at);
	source.stop(at + seconds);
}

/** Samples of 16 bits, one channel, under the header of a WAV file. */
function wav(/** @type {Float32Array} */ samples) {
	const pcm = Int16Array.from(samples, (each) => Math.max(-1, Math.min(1, each)) * 0x7fff);
	const size = pcm.byteLength;
	const [riff, wave, format, data] = [0x46464952, 0x45564157, 0x20746d66, 0x61746164];
	const head = [riff, 36 + size, wave, format, 16, 0x10001, RATE, 2 * RATE, 0x100002, data, size];
	return new Blob([Uint32Array.from(head), pcm], { type: "audio/wav" });
}
