/** A ZIP archive of files as they are: sound is compressed already. */

const LOCAL = 0x04034b50;
const CENTRAL = 0x02014b50;
const END = 0x06054b50;
const VERSION = 20;
const UTF_8 = 0x0800; // names are in UTF-8
const DAY = 0x21; // 1 January 1980, the first that the format knows

const TABLE = Uint32Array.from({ length: 256 }, (_, value) => {
	for (let bit = 0; bit < 8; bit++) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
	return value;
});

export function zip(/** @type {{path: string, bytes: Uint8Array}[]} */ entries) {
	/** @type {any[]} */
	const files = [];
	/** @type {any[]} */
	const directory = [];
	let offset = 0;
	for (const { path, bytes } of entries) {
		const name = new TextEncoder().encode(path);
		const common = [...words(VERSION, UTF_8, 0, 0, DAY), ...longs(crc(bytes), bytes.length, bytes.length)];
		const lengths = words(name.length, 0);
		files.push(Uint8Array.from([...longs(LOCAL), ...common, ...lengths]), name, bytes);
		const place = [...words(0, 0, 0), ...longs(0, offset)];
		const central = [...longs(CENTRAL), ...words(VERSION), ...common, ...lengths, ...place];
		directory.push(Uint8Array.from(central), name);
		offset += 30 + name.length + bytes.length;
	}
	const size = directory.reduce((sum, part) => sum + part.length, 0);
	const counts = words(0, 0, entries.length, entries.length);
	const end = Uint8Array.from([...longs(END), ...counts, ...longs(size, offset), ...words(0)]);
	return new Blob([...files, ...directory, end]);
}

function crc(bytes) {
	let sum = 0xffffffff;
	for (const byte of bytes) sum = TABLE[(sum ^ byte) & 0xff] ^ (sum >>> 8);
	return (sum ^ 0xffffffff) >>> 0;
}

const words = (...values) => values.flatMap((value) => [value & 0xff, (value >>> 8) & 0xff]);

const longs = (...values) =>
	values.flatMap((value) => words(value & 0xffff, Math.floor(value / 0x10000) & 0xffff));
