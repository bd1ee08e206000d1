/** Decoded channels -> the answer, with the members that the client shows; the others are null. */

import { clippedShare, mix } from "./downmix.js";
import { warningsOf } from "./quality.js";
import { resample } from "./resampling.js";
import { logMel } from "./spectrogram.js";
import { decide, moodOf, percentile } from "./verdict.js";
import { cut, peakDbfs, rmsDbfs, sounding } from "./windowing.js";

/**
 * @typedef {{genres: ArrayLike<number>, emotion: ArrayLike<number>, music: number, known: number}} Scores
 *   Of a window.
 * @typedef {{channels: Float32Array[], rate: number}} Sound
 */

/**
 * The waveform and the windows of decoded sound.
 * @param {Sound} sound
 * @param {import("./numbers.js").Numbers} numbers
 */
export function prepare({ channels, rate }, numbers) {
	const { audio } = numbers;
	const most = Math.round(audio.max_seconds * rate);
	const heard = channels.map((channel) => channel.subarray(0, most));
	const { mixed, outOfPhase } = mix(heard, numbers.downmix);
	const waveform = resample(mixed, rate, numbers);
	return {
		waveform,
		outOfPhase,
		clipped: clippedShare(heard, numbers.downmix),
		seconds: heard[0].length / rate,
		truncated: channels[0].length > most,
		peak: peakDbfs(waveform, audio),
		...cut(waveform, audio),
	};
}

/**
 * Analyse.
 * @param {Sound} sound
 * @param {import("./numbers.js").Numbers} numbers
 * @param {(spectrogram: Float32Array) => Promise<Scores>} score
 * @param {boolean} timeline Whether to include the scores of each window.
 * @throws {import("./windowing.js").TooShortError}
 */
export async function analyse(sound, numbers, score, timeline) {
	const recording = prepare(sound, numbers);
	const heard = sounding(recording, numbers.card.thresholds.silence_dbfs);
	const toSpectrogram = logMel(numbers.audio);
	const [spectrograms, scores] = [[], []];
	for (const window of recording.windows) {
		spectrograms.push(toSpectrogram(window));
		scores.push(await score(spectrograms.at(-1)));
	}
	const chosen = heard.includes(true) ? scores.filter((_, i) => heard[i]) : scores;
	const some = spectrograms.filter((_, i) => heard[i]);
	return {
		...summary(recording, chosen, numbers),
		...{ tempo: null, key: null, loudness: null, features: null, embedding: null, labels: null, head: null },
		warnings: warningsOf(recording, some, numbers),
		timeline: timeline ? timelineOf(recording, scores, heard, numbers) : null,
		audio: facts(sound, recording, heard, numbers),
		model: { name: numbers.model.name, version: numbers.model.version, digest: numbers.model.digest },
		device: true,
	};
}

/** What the answer says of the whole recording, from the windows that hold sound. */
function summary({ peaks }, scores, numbers) {
	const { card, digits } = numbers;
	const averaged = averages(scores, numbers);
	const exact = { music: mean(scores, ({ music }) => music), known: mean(scores, ({ known }) => known) };
	const probabilities = averaged.genres.map(({ probability }) => probability);
	const verdict = decide(Math.max(...peaks), { ...exact, probabilities }, card.thresholds);
	const emotion = card.emotions.map((name, i) => {
		const value = mean(scores, (each) => each.emotion[i]);
		const place = percentile(value, card.percentiles[name]);
		const half = card.intervals[name];
		const range = {
			low: rounded(Math.max(0, value - half), digits.score),
			high: rounded(Math.min(1, value + half), digits.score),
			percentile: place === null ? null : rounded(place, digits.percentile),
		};
		return [name, range];
	});
	// The client has words for a verdict; a sentence here would be the service's, typed twice.
	return { verdict, reason: "", ...averaged, emotion: Object.fromEntries(emotion) };
}

/** The means over windows, by name. */
function averages(scores, { card, digits, middle }) {
	const probabilities = card.genres.map((_, i) => mean(scores, ({ genres }) => genres[i]));
	const sum = probabilities.reduce((total, each) => total + each, 0);
	const genres = card.genres
		.map((genre, i) => ({ genre, probability: rounded(probabilities[i] / sum, digits.probability) }))
		.sort((a, b) => b.probability - a.probability);
	/** @type {Object<string, number>} */
	const emotions = Object.fromEntries(
		card.emotions.map((name, i) => [name, rounded(mean(scores, ({ emotion }) => emotion[i]), digits.score)]),
	);
	return {
		genre: genres[0].genre,
		genres,
		music: rounded(mean(scores, ({ music }) => music), digits.score),
		known: rounded(mean(scores, ({ known }) => known), digits.score),
		...emotions,
		mood: moodOf(emotions, middle),
	};
}

function timelineOf({ starts, ends }, scores, heard, numbers) {
	const seconds = (samples) => rounded(samples / numbers.audio.sample_rate, numbers.digits.seconds);
	return scores.map((each, i) => ({
		start_seconds: seconds(starts[i]),
		end_seconds: seconds(ends[i]),
		silence: !heard[i],
		...averages([each], numbers),
	}));
}

function facts({ channels, rate }, recording, heard, { audio, digits }) {
	const { ends, waveform, peak, truncated, seconds } = recording;
	const own = ends.map((end, i) => (heard[i] ? end - (ends[i - 1] ?? 0) : 0));
	const analysed = own.reduce((sum, each) => sum + each, 0) / audio.sample_rate;
	return {
		...{ container: null, codec: null, sample_rate: rate, channels: channels.length },
		duration_seconds: rounded(seconds, digits.seconds),
		analysed_seconds: rounded(analysed, digits.seconds),
		truncated,
		peak_dbfs: rounded(peak, digits.level),
		rms_dbfs: rounded(rmsDbfs(waveform, audio), digits.level),
	};
}

const mean = (scores, of) => scores.reduce((sum, each) => sum + of(each), 0) / scores.length;

const rounded = (value, digits) => Number(value.toFixed(digits));
