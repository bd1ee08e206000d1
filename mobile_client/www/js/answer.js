/**
 * Reads answers; no other module does. Those of a live connection, of the device and of older
 * services lack some members.
 */

export const EMOTIONS = ["valence", "energy", "danceability"];
const TRAITS = ["acousticness", "instrumentalness", "liveness", "speechiness"];
const NO_GENRE = ["silence", "not_music"];
const SURE = 0.9; // probability from which an answer counts as certain

/**
 * Read an answer.
 * @param {Analysis} answer
 * @returns {Reading} `hasGenre` where genres and mood mean something.
 */
export function read(answer) {
	const hasGenre = !NO_GENRE.includes(answer.verdict);
	return {
		verdict: answer.verdict,
		reason: answer.reason,
		genre: answer.genre,
		hasGenre,
		genres: answer.genres,
		emotions: emotionsOf(answer),
		sound: hasGenre ? soundOf(answer) : null,
		mood: hasGenre ? answer.mood ?? null : null,
		windows: (answer.timeline ?? []).map(windowOf),
		warnings: answer.warnings ?? [],
		truncated: answer.audio?.truncated ?? false,
		analysed: answer.audio?.analysed_seconds ?? 0,
		model: answer.model?.name ?? null,
		here: /** @type {any} */ (answer).device === true,
	};
}

/** The genres that an answer names: two if they are close, none if the sound has none. */
export function named({ verdict, genre, genres }) {
	if (verdict === "mixed" && genres.length > 1) return genres.slice(0, 2).map((each) => each.genre);
	return verdict === "unknown_genre" || NO_GENRE.includes(verdict) ? [] : [genre];
}

/** How certain an answer is: "sure", "likely" or "guess"; null where it names no single genre. */
export function certainty(reading) {
	if (named(reading).length !== 1) return null;
	const { probability } = reading.genres[0];
	return probability >= SURE ? "sure" : probability >= 0.7 ? "likely" : "guess";
}

export const isSure = (reading) =>
	reading.verdict === "confident" && certainty(reading) === "sure";

/**
 * Read a window of a timeline; the scores of a silent one mean nothing.
 * @returns {Span}
 */
export function windowOf(window) {
	const verdict = window.silence ? "silence" : (window.verdict ?? null);
	return {
		start: window.start_seconds,
		end: window.end_seconds,
		genre: window.silence ? null : window.genre,
		verdict,
		energy: window.energy ?? null,
	};
}

function soundOf({ tempo, key, loudness, features }) {
	const traits = TRAITS.filter((name) => features?.[name] != null).map((name) => ({ name, share: features[name] }));
	return loudness ? { tempo, key, lufs: loudness.integrated_lufs, traits } : null;
}

function emotionsOf(answer) {
	return EMOTIONS.filter((name) => answer[name] != null).map((name) => ({
		name,
		value: answer[name],
		low: answer.emotion?.[name]?.low ?? null,
		high: answer.emotion?.[name]?.high ?? null,
		percentile: answer.emotion?.[name]?.percentile ?? null,
	}));
}
