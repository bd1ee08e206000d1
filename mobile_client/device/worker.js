/** Analyses recordings, apart from the page: it stays smooth, and keeps a policy that allows no WebAssembly. */

import { analyse } from "./analysis.js";
import { open } from "./model.js";
import { load } from "./numbers.js";
import { TooShortError } from "./windowing.js";

const ready = start();

async function start() {
	const numbers = await load();
	return { numbers, score: await open(numbers) };
}

addEventListener("message", async ({ data: { id, sound, timeline } }) => {
	try {
		const { numbers, score } = await ready;
		const answer = await analyse(sound, numbers, score, timeline);
		postMessage({ id, answer });
	} catch (error) {
		postMessage({ id, short: error instanceof TooShortError, error: String(error) });
	}
});
