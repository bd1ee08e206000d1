/**
 * What an answer means to a person: the one place that reads it.
 *
 * A service may leave out what an older one did not have: intervals, percentiles, warnings and the
 * timeline.
 */

const EMOTIONS = ["valence", "energy", "danceability"];

/**
 * @typedef {{name: string, value: number, low: ?number, high: ?number, percentile: ?number}} Emotion
 *   A percentile is in 0..100, all else in 0..1.
 * @typedef {{genre: string, probability: number}} Genre
 * @typedef {{start: number, end: number, genre: string, mood: ?string, energy: ?number}} Window
 * @typedef {{verdict: string, reason: string, genre: string, heard: boolean, genres: Genre[],
 *   emotions: Emotion[], mood: ?string, windows: Window[], warnings: {type: string, detail: string}[]}} Reading
 */

/**
 * Read an answer.
 * @param {import("../../fifteen").Analysis} answer
 * @returns {Reading} `heard` where genres and mood mean something.
 */
export function read(answer) {
  const heard = !["silence", "not_music"].includes(answer.verdict);
  return {
    verdict: answer.verdict,
    reason: answer.reason,
    genre: answer.genre,
    heard,
    genres: answer.genres,
    emotions: emotionsOf(answer),
    mood: heard ? answer.mood ?? null : null,
    windows: (answer.timeline ?? []).map((window) => ({
      start: window.start_seconds,
      end: window.end_seconds,
      genre: window.genre,
      mood: window.mood ?? null,
      energy: window.energy ?? null,
    })),
    warnings: answer.warnings ?? [],
  };
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
