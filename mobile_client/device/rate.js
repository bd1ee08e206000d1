/**
 * The sample rate of an encoded recording.
 *
 * A browser decodes to the rate of its context, with a resampler of its own. At the rate of the
 * recording it changes nothing.
 */

const OPUS = 48_000; // Hz, always
const ADTS = [96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350];
const MPEG = [44_100, 48_000, 32_000]; // of version 1; version 2 has half of it, 2.5 a quarter
const HALVED = 24_000; // AAC at this rate or below may carry twice the rate, for other decoders to leave out

/**
 * Read the rate of a recording.
 * @param {Uint8Array} bytes
 * @returns {?number} Hz; null if it is not known.
 */
export function rateOf(bytes) {
	const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
	for (const [name, at, read] of /** @type {const} */ ([
		["RIFF", 0, wav],
		["fLaC", 0, (_, all) => flac(all, 0)],
		["OggS", 0, xiph],
		["\x1aE\xdf\xa3", 0, xiph], // Matroska, and so WebM
		["ftyp", 4, mp4],
		["ID3", 0, id3],
	])) {
		if (isAt(bytes, name, at)) return read(view, bytes) || null;
	}
	return frame(bytes, 0) || null;
}

function wav(view, bytes) {
	const at = find(bytes, "fmt ");
	return at < 0 ? 0 : view.getUint32(at + 12, true);
}

/** The first block of FLAC; its rate has 20 bits. */
const flac = (bytes, at) => (bytes[at + 18] << 12) | (bytes[at + 19] << 4) | (bytes[at + 20] >> 4);

/** The header of a codec of Xiph, in any container. */
function xiph(view, bytes) {
	if (find(bytes, "OpusHead") >= 0 || find(bytes, "A_OPUS") >= 0) return OPUS;
	const vorbis = find(bytes, "\x01vorbis");
	if (vorbis >= 0) return view.getUint32(vorbis + 12, true);
	const at = find(bytes, "fLaC");
	return at < 0 ? 0 : flac(bytes, at);
}

function mp4(view, bytes) {
	const table = find(bytes, "stsd");
	if (table < 0) return 0;
	if (isAt(bytes, "Opus", table + 16)) return OPUS;
	if (isAt(bytes, "mp4a", table + 16)) return doubled(view.getUint16(table + 16 + 28));
	return isAt(bytes, "fLaC", table + 16) ? view.getUint16(table + 16 + 28) : 0;
}

const doubled = (rate) => (rate <= HALVED ? 2 * rate : rate);

/** What follows a tag, whose length has seven bits a byte. */
function id3(view, bytes) {
	const length = [6, 7, 8, 9].reduce((sum, at) => (sum << 7) | bytes[at], 0);
	return frame(bytes, 10 + length) || (isAt(bytes, "fLaC", 10 + length) ? flac(bytes, 10 + length) : 0);
}

/** A frame of AAC or of MPEG audio. */
function frame(bytes, at) {
	if (bytes[at] !== 0xff || (bytes[at + 1] & 0xe0) !== 0xe0) return 0;
	if ((bytes[at + 1] & 0xf6) === 0xf0) return doubled(ADTS[(bytes[at + 2] >> 2) & 15] ?? 0);
	const version = (bytes[at + 1] >> 3) & 3;
	return (MPEG[(bytes[at + 2] >> 2) & 3] ?? 0) / ([4, 0, 2, 1][version] || 1);
}

const isAt = (bytes, name, at) => [...name].every((letter, i) => bytes[at + i] === letter.charCodeAt(0));

function find(bytes, name) {
	const first = name.charCodeAt(0);
	for (let at = bytes.indexOf(first); at >= 0; at = bytes.indexOf(first, at + 1)) {
		if (isAt(bytes, name, at)) return at;
	}
	return -1;
}
