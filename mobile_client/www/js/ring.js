/**
 * The ring: a spectrogram that goes round clockwise from the top, low tones inside, and a rim for
 * the time. A table for each size says what each pixel shows: a tenth of the time of strokes.
 */

import { BANDS, COLUMNS } from "./spectrogram.js";

const INNER = 0.52; // of the radius
const OUTER = 0.955;
const RIM = BANDS; // the band beyond the last: the rim
const RIM_FROM = 0.975;
const GAP = 0.14; // of a column
const SHOWN = 0.2; // of the highest level: lower levels are not drawn
const LARGEST = 960; // pixels across

/** @type {Map<number, Column[]>} By the size of the canvas. */
const tables = new Map();
/** @type {WeakMap<HTMLCanvasElement, ImageData>} */
const images = new WeakMap();

/**
 * Draw columns `from`..`to` on a canvas, in its text colour; from 0 it is cleared before.
 * @param {HTMLCanvasElement} canvas
 * @param {Uint8Array} levels [COLUMNS * BANDS], 0..255
 * @param {{from?: number, to?: number, rim?: boolean}} options
 */
export function draw(canvas, levels, { from = 0, to = COLUMNS, rim = false } = {}) {
	const context = canvas.getContext("2d");
	if (from === 0) clear(canvas);
	let image = images.get(canvas);
	if (!image || image.width !== canvas.width || from === 0) {
		image = context.createImageData(canvas.width, canvas.width);
		images.set(canvas, image);
	}
	paint(image, levels, colourOf(canvas), { from, to, rim });
	context.putImageData(image, 0, 0);
}

export function clear(canvas) {
	const size = Math.min(LARGEST, Math.round(canvas.clientWidth * devicePixelRatio) || 480);
	canvas.width = size;
	canvas.height = size;
	images.delete(canvas);
}

/** A ring as a picture of its own, so many pixels across. */
export function picture(levels, size, colour) {
	const context = blank(size, size);
	const image = context.createImageData(size, size);
	paint(image, levels, rgb(colour), { from: 0, to: COLUMNS, rim: false });
	context.putImageData(image, 0, 0);
	return context.canvas;
}

/** The context of a new canvas. */
export function blank(width, height) {
	const canvas = document.createElement("canvas");
	[canvas.width, canvas.height] = [width, height];
	return canvas.getContext("2d");
}

/** Where on the ring a point of its canvas lies: 0 at the top, clockwise to 1. */
export function placeOf(canvas, { clientX, clientY }) {
	const box = canvas.getBoundingClientRect();
	const [x, y] = [clientX - box.x - box.width / 2, clientY - box.y - box.height / 2];
	return (Math.atan2(x, -y) / (2 * Math.PI) + 1) % 1;
}

function paint(image, levels, [red, green, blue], { from, to, rim }) {
	const table = tableOf(image.width);
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

const colourOf = (canvas) => rgb(getComputedStyle(canvas).color);

/** @returns {[number, number, number]} */
function rgb(colour) {
	const context = blank(1, 1);
	context.fillStyle = colour.trim();
	context.fillRect(0, 0, 1, 1);
	const [red, green, blue] = context.getImageData(0, 0, 1, 1).data;
	return [red, green, blue];
}

function tableOf(size) {
	const known = tables.get(size);
	if (known) return known;
	const table = computed(size);
	if (tables.size > 4) tables.clear();
	tables.set(size, table);
	return table;
}

function computed(size) {
	/** @type {Column[]} */
	const columns = Array.from({ length: COLUMNS }, () => ({ pixels: [], bands: [], cover: [] }));
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
		}
	}
	return columns;
}

function bandAt(radius) {
	if (radius >= RIM_FROM && radius < 1) return RIM;
	if (radius < INNER || radius >= OUTER) return null;
	return Math.floor(((radius - INNER) / (OUTER - INNER)) * BANDS);
}

/** How much of a pixel is drawn: columns have a soft gap between them. */
function coverage(place, radius, band) {
	if (band === RIM) return 255;
	const edge = Math.min(place, 1 - GAP - place) * ((2 * Math.PI * radius) / COLUMNS);
	return Math.floor(255 * Math.max(0, Math.min(1, edge + 0.5)));
}
