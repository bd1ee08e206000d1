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
 * @typedef {{size: number, starts: Uint32Array, pixels: Uint32Array, bands: Uint8Array,
 *   cover: Uint8Array, boxes: Int16Array}} Table
 *   The pixels of column c are `pixels[starts[c]]` to before `pixels[starts[c + 1]]`; each column
 *   lies in the box of four numbers from `boxes[4 * c]`.
 */

/** @type {Map<number, Table>} */
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
	if (!image || image.width !== table.size || from === 0) {
		image = context.createImageData(table.size, table.size);
		images.set(canvas, image);
	}
	paint(image, table, levels, colourOf(canvas), { from, to, rim });
	if (from === 0) context.putImageData(image, 0, 0);
	else for (let column = from; column < to; column++) put(context, image, table, column);
}

/** Make the canvas empty, and as large as its pixels on the screen. */
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
	const { starts, pixels, bands, cover } = table;
	const out = image.data;
	for (let column = from; column < to; column++) {
		for (let at = starts[column]; at < starts[column + 1]; at++) {
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

function put(context, image, { boxes }, column) {
	const [left, top, width, height] = boxes.subarray(4 * column, 4 * column + 4);
	context.putImageData(image, 0, 0, left, top, width, height);
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

/** @returns {Table} */
function tableOf(size) {
	const known = tables.get(size);
	if (known) return known;
	const table = computed(size);
	if (tables.size > 4) tables.clear();
	tables.set(size, table);
	return table;
}

function computed(size) {
	/** @type {number[][]} */
	const columns = Array.from({ length: COLUMNS }, () => []);
	const middle = size / 2;
	for (let y = 0; y < size; y++) {
		for (let x = 0; x < size; x++) {
			const [dx, dy] = [x + 0.5 - middle, y + 0.5 - middle];
			const radius = Math.hypot(dx, dy) / middle;
			const band = bandAt(radius);
			if (band === null) continue;
			const turn = (Math.atan2(dx, -dy) / (2 * Math.PI) + 1) % 1;
			const column = Math.min(COLUMNS - 1, Math.floor(turn * COLUMNS));
			columns[column].push(x, y, band, coverage(turn * COLUMNS - column, radius * middle, band));
		}
	}
	return packed(size, columns);
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
	return 255 * Math.max(0, Math.min(1, edge + 0.5));
}

/** @returns {Table} */
function packed(size, columns) {
	const count = columns.reduce((sum, column) => sum + column.length / 4, 0);
	const table = {
		size,
		starts: new Uint32Array(COLUMNS + 1),
		pixels: new Uint32Array(count),
		bands: new Uint8Array(count),
		cover: new Uint8Array(count),
		boxes: new Int16Array(4 * COLUMNS),
	};
	let at = 0;
	columns.forEach((column, place) => {
		let [left, top, right, bottom] = [size, size, 0, 0];
		for (let i = 0; i < column.length; i += 4, at++) {
			const [x, y] = [column[i], column[i + 1]];
			table.pixels[at] = y * size + x;
			table.bands[at] = column[i + 2];
			table.cover[at] = column[i + 3];
			[left, top] = [Math.min(left, x), Math.min(top, y)];
			[right, bottom] = [Math.max(right, x), Math.max(bottom, y)];
		}
		table.starts[place + 1] = at;
		table.boxes.set([left, top, right - left + 1, bottom - top + 1], 4 * place);
	});
	return table;
}
