/** The rule that turns scores into a verdict, of `service.verdict`, and the words of `service.mood`. */

/**
 * The verdict on a recording.
 * @param {number} peak dBFS
 * @param {{music: number, known: number, probabilities: number[]}} scores The probabilities descend.
 * @param {Object<string, number>} thresholds
 */
export function decide(peak, { music, known, probabilities }, thresholds) {
	if (peak <= thresholds.silence_dbfs) return "silence";
	if (music < thresholds.music) return "not_music";
	if (known < thresholds.known) return "unknown_genre";
	return probabilities[0] - (probabilities[1] ?? 0) < thresholds.margin ? "mixed" : "confident";
}

/**
 * The quadrant of a recording in the plane of valence and energy; null where one is unknown.
 * @param {Object<string, number>} emotions
 * @param {[number, number]} middle
 */
export function moodOf({ valence, energy }, [middleValence, middleEnergy]) {
	if (valence === undefined || energy === undefined) return null;
	if (energy >= middleEnergy) return valence >= middleValence ? "joyful" : "tense";
	return valence >= middleValence ? "serene" : "melancholy";
}

/**
 * The percentile of a score, between those of a corpus; null without a corpus.
 * @param {number} score
 * @param {number[] | undefined} corpus Ascends; the scores at the percentiles 0 to 100.
 */
export function percentile(score, corpus) {
	if (!corpus) return null;
	const [first, last] = [corpus.indexOf(score), corpus.lastIndexOf(score)];
	if (first >= 0) return (first + last) / 2;
	const above = corpus.findIndex((each) => each > score);
	if (above <= 0) return above < 0 ? corpus.length - 1 : 0;
	const [low, high] = corpus.slice(above - 1, above + 1);
	return above - 1 + (score - low) / (high - low);
}
