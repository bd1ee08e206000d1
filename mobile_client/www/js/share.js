/** An answer as a picture to share, with the words of the page, doubt included. */

import { read } from "./answer.js";
import { save } from "./export.js";
import { capital, percent, text } from "./language.js";
import { blank, picture as ringPicture } from "./ring.js";
import { toast } from "./toast.js";
import { certaintyWords, headline, placeWords, reason, soundWords, summary } from "./words.js";

const WIDTH = 1080;
const HEIGHT = 1350;
const RING = 840;
const INSIDE = 400; // of the ring, for words
const FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif";

/** Share a clip's picture: by the system, else by the clipboard, else as a file. */
export async function share(clip) {
	const blob = picture(clip);
	if (navigator.canShare) {
		const files = [new File([await blob], "fifteen.png", { type: "image/png" })];
		if (navigator.canShare({ files })) {
			try {
				await navigator.share({ files, text: caption(clip) });
				return;
			} catch (error) {
				if (error.name === "AbortError") return; // by the person
			}
		}
	}
	try {
		await navigator.clipboard.write([new ClipboardItem({ "image/png": blob })]);
		toast(text("copied"));
	} catch {
		save(new File([await blob], "fifteen.png", { type: "image/png" }));
	}
}

function caption(clip) {
	const { sound } = read(clip.answer);
	const measured = sound ? soundWords(sound).slice(0, 2) : [];
	return [summary(clip), ...measured.map(([, value]) => value)].join(" · ");
}

function picture(clip) {
	const reading = read(clip.answer);
	const context = blank(WIDTH, HEIGHT);
	const style = getComputedStyle(document.getElementById("clip"));
	const colour = (name) => style.getPropertyValue(name);
	context.fillStyle = colour("--paper");
	context.fillRect(0, 0, WIDTH, HEIGHT);
	const ring = clip.levels && ringPicture(clip.levels, RING, colour("--mood"));
	if (ring) context.drawImage(ring, (WIDTH - RING) / 2, 80);
	context.textAlign = "center";
	const middle = 80 + RING / 2;
	const { mood } = reading;
	const lines = title(context, capital(headline(reading)), middle - (mood ? 20 : -20), colour("--ink"));
	if (mood) write(context, text(`mood.${mood}`), 600, 54, middle + 30 + 40 * lines, colour("--mood-ink"));
	const doubt = certaintyWords(reading) ?? reason(reading);
	if (doubt) wrap(context, doubt, 500, 36, 985, colour("--faint"), WIDTH - 200);
	if (reading.hasGenre) reading.emotions.forEach((emotion, row) => line(context, emotion, 1075 + row * 70, colour));
	write(context, "Fifteen", 700, 36, 1310, colour("--faint"));
	return new Promise((resolve) => context.canvas.toBlob(resolve, "image/png"));
}

/** Write the name as large as the ring allows, a line for each word where it is long. */
function title(context, name, y, colour) {
	const words = name.length > 9 ? name.split(" ") : [name];
	context.font = `800 100px ${FONT}`;
	const longest = Math.max(...words.map((word) => context.measureText(word).width));
	const size = Math.min(words.length > 1 ? 72 : 106, (100 * INSIDE) / longest);
	words.forEach((word, row) =>
		write(context, word, 800, size, y + (row - (words.length - 1) / 2) * size * 1.05 + size / 3, colour),
	);
	return words.length;
}

function write(context, words, weight, size, y, colour, x = WIDTH / 2) {
	context.font = `${weight} ${size}px ${FONT}`;
	context.fillStyle = colour;
	context.fillText(words, x, y);
}

function wrap(context, sentence, weight, size, y, colour, width) {
	context.font = `${weight} ${size}px ${FONT}`;
	const lines = [""];
	for (const word of sentence.split(" ")) {
		const longer = `${lines.at(-1)} ${word}`.trim();
		if (context.measureText(longer).width > width) lines.push(word);
		else lines[lines.length - 1] = longer;
	}
	lines.forEach((each, row) => write(context, each, weight, size, y + row * size * 1.25, colour));
}

function line(context, { name, value, percentile }, y, colour) {
	const place = percentile === null ? percent(value) : placeWords(name, percentile);
	context.textAlign = "left";
	write(context, text(name), 700, 34, y, colour("--ink"), 120);
	context.textAlign = "right";
	write(context, place, 500, 34, y, colour("--mood-ink"), WIDTH - 120);
	context.textAlign = "center";
}
