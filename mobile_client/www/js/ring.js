/**
 * The ring: a spectrogram that goes round clockwise from the top, low tones inside, and a rim that
 * shows how much of the time is over.
 *
 * It is drawn pixel by pixel from a table that says which column and band each pixel shows: one
 * table for each size, a tenth of the time of as many strokes.
 */

import { BANDS, COLUMNS } from "./spectrogram.js";

const INNER = 0.52; // of the radius
const OUTER = 0.955;
const RIM = BANDS; // the band beyond the last: the rim
const RIM_FROM = 0.975;
const GAP = 0.14; // of a column
const SHOWN = 0.2; // of the highest level: lower levels are not drawn
const LARGEST = 960; // pixels across

/**
 * @typedef {{pixels: number[], bands: number[], cover: number[], left: number, top: number,
 *   right: number, bottom: number}} Column
 *   Where each pixel of a column is, its band, and how much of it is drawn, 0..255; and their box.
 */

/** @type {Map<number, Column[]>} By the size of the canvas. */
const tables = new Map();
/** @type {WeakMap<HTMLCanvasElement, ImageData>} */
const images = new WeakMap();

/**
 * Draw columns of the ring on a canvas, in its text colour.
 * @param {HTMLCanvasElement} canvas
 * @param {Uint8Array} levels [COLUMNS * BANDS], 0..255
 * @param {{from?: number, to?: number, rim?: boolean}} options Columns from the first to before
 *   the last; from 0 the canvas is cleared before. With `rim`, theirs is filled, too.
 */
export function draw(canvas, levels, { from = 0, to = COLUMNS, rim = false } = {}) {
	const context = canvas.getContext("2d");
	if (from === 0) clear(canvas);
	const table = tableOf(canvas.width);
	let image = images.get(canvas);
	if (!image || image.width !== canvas.width || from === 0) {
		image = context.createImageData(canvas.width, canvas.width);
		images.set(canvas, image);
	}
	paint(image, table, levels, colourOf(canvas), { from, to, rim });
	if (from === 0) context.putImageData(image, 0, 0);
	else for (const each of table.slice(from, to)) put(context, image, each);
}

export function clear(canvas) {
	const size = Math.min(LARGEST, Math.round(canvas.clientWidth * devicePixelRatio) || 480);
	canvas.width = size;
	canvas.height = size;
	images.delete(canvas);
}

/**
 * A ring as a picture of its own.
 * @param {Uint8Array} levels
 * @param {number} size Pixels across.
 * @param {string} colour
 */
export function picture(levels, size, colour) {
	const canvas = document.createElement("canvas");
	[canvas.width, canvas.height] = [size, size];
	const context = canvas.getContext("2d");
	const image = context.createImageData(size, size);
	const all = { from: 0, to: COLUMNS, rim: false };
	paint(image, tableOf(size), levels, rgb(colour), all);
	context.putImageData(image, 0, 0);
	return canvas;
}

/** Where on the ring a point of its canvas lies: 0 at the top, clockwise to 1. */
export function placeOf(canvas, { clientX, clientY }) {
	const box = canvas.getBoundingClientRect();
	const [x, y] = [clientX - box.x - box.width / 2, clientY - box.y - box.height / 2];
	return (Math.atan2(x, -y) / (2 * Math.PI) + 1) % 1;
}

function paint(image, table, levels, [red, green, blue], { from, to, rim }) {
	const out = image.data;
	for (let column = from; column < to; column++) {
		const { pixels, bands, cover } = table[column];
		for (let at = 0; at < pixels.length; at++) {
			const band = bands[at];
			if (band === RIM && !rim) continue;
			const level = band === RIM ? 1 : levels[column * BANDS + band] / 255;
			const pixel = 4 * pixels[at];
			out[pixel] = red;
			out[pixel + 1] = green;
			out[pixel + 2] = blue;
			out[pixel + 3] = level < SHOWN ? 0 : level ** 2.6 * cover[at];
		}
	}
}

function put(context, image, { left, top, right, bottom }) {
	context.putImageData(image, 0, 0, left, top, right - left, bottom - top);
}

const colourOf = (canvas) => rgb(getComputedStyle(canvas).color);

/**
 * A colour of CSS as red, green and blue.
 * @returns {[number, number, number]}
 */
function rgb(colour) {
	const canvas = document.createElement("canvas");
	[canvas.width, canvas.height] = [1, 1];
	const context = canvas.getContext("2d");
	context.fillStyle = colour.trim();
	context.fillRect(0, 0, 1, 1);
	const [red, green, blue] = context.getImageData(0, 0, 1, 1).data;
	return [red, green, blue];
}

/** @returns {Column[]} */
function tableOf(size) {
	const known = tables.get(size);
	if (known) return known;
	const table = computed(size);
	if (tables.size > 4) tables.clear();
	tables.set(size, table);
	return table;
}

function computed(size) {
	const empty = { left: size, top: size, right: 0, bottom: 0 };
	/** @type {Column[]} */
	const columns = Array.from({ length: COLUMNS }, () => ({ ...empty, pixels: [], bands: [], cover: [] }));
	const middle = size / 2;
	for (let y = 0; y < size; y++) {
		for (let x = 0; x < size; x++) {
			const [dx, dy] = [x + 0.5 - middle, y + 0.5 - middle];
			const radius = Math.hypot(dx, dy) / middle;
			const band = bandAt(radius);
			if (band === null) continue;
			const turn = ((Math.atan2(dx, -dy) / (2 * Math.PI) + 1) % 1) * COLUMNS;
			const place = Math.min(COLUMNS - 1, Math.floor(turn));
			const column = columns[place];
			column.pixels.push(y * size + x);
			column.bands.push(band);
			column.cover.push(coverage(turn - place, radius * middle, band));
			column.left = Math.min(column.left, x);
			column.top = Math.min(column.top, y);
			column.right = Math.max(column.right, x + 1);
			column.bottom = Math.max(column.bottom, y + 1);
		}
	}
	return columns;
}

function bandAt(radius) {
	if (radius >= RIM_FROM && radius < 1) return RIM;
	if (radius < INNER || radius >= OUTER) return null;
	return Math.floor(((radius - INNER) / (OUTER - INNER)) * BANDS);
}

/** How much of a pixel is drawn, 0..255: columns have a gap between them, with a soft edge. */
function coverage(place, radius, band) {
	if (band === RIM) return 255;
	const edge = Math.min(place, 1 - GAP - place) * ((2 * Math.PI * radius) / COLUMNS);
	return Math.floor(255 * Math.max(0, Math.min(1, edge + 0.5)));
}
