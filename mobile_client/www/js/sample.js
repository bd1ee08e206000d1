/** A few bars of house, always the same: a sample where no music plays. */

const { PI, asin, exp, sin } = Math;
const RATE = 22_050;
const SECONDS = 15;
const BEAT = 60 / 124; // seconds
const ROOTS = [55, 43.65, 49, 41.2]; // Hz, one a bar

export function sample() {
	return wav(Int16Array.from({ length: RATE * SECONDS }, (_, i) => 0x7fff * at(i / RATE)));
}

/** A second: a kick on each beat, a hat and a chord off it, a bass. */
function at(time) {
	const root = ROOTS[Math.floor(time / BEAT / 4) % ROOTS.length];
	const since = (place) => ((time / BEAT + 1 - place) % 1) * BEAT;
	const fade = (place, seconds) => 0.001 ** (since(place) / seconds);
	const triangle = (hertz) => (2 / PI) * asin(sin(2 * PI * hertz * time));
	const kick = sin(2 * PI * (45 * since(0) + 2.5 * (1 - exp(-since(0) / 0.026))));
	const chord = [8, 9.5, 12].reduce((sum, ratio) => sum + triangle(ratio * root), 0);
	const hat = (1e4 * sin(1e5 * time)) % 1;
	const bass = (fade(0.5, 0.2) + fade(0.75, 0.2)) * triangle(root);
	return 0.8 * fade(0, 0.28) * kick + 0.1 * fade(0.5, 0.06) * hat + 0.1 * fade(0.5, 0.9) * chord + 0.5 * bass;
}

function wav(/** @type {Int16Array<ArrayBuffer>} */ samples) {
	const size = samples.byteLength;
	const [riff, wave, format, data] = [0x46464952, 0x45564157, 0x20746d66, 0x61746164];
	const head = [riff, 36 + size, wave, format, 16, 0x10001, RATE, 2 * RATE, 0x100002, data, size];
	return new Blob([Uint32Array.from(head), samples], { type: "audio/wav" });
}
