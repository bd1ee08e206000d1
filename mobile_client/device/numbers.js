/**
 * The numbers of the front-end, of the verdict and of the model. `python -m tools.device` writes them
 * from the modules that own them, and from the metadata of the model's file.
 */

const FILE = new URL("device.json", import.meta.url).href;
const PATIENCE_MS = 10_000;

/**
 * @typedef {Object} Numbers
 * @property {string} version Of all files together.
 * @property {boolean} [alone] Whether the page has no service.
 * @property {Object<string, {bytes: number, sha256: string}>} files By name.
 * @property {{name: string, version: string, digest: string, file: string, input: string, outputs: string[]}} model
 * @property {{genres: string[], emotions: string[], thresholds: Object<string, number>,
 *   intervals: Object<string, number>, percentiles: Object<string, number[]>}} card
 * @property {[number, number]} middle Of valence and energy, the borders of the moods.
 * @property {any} audio
 * @property {any} downmix
 * @property {{grid: number, reach: number, responses: Object<string, number[]>}} resampling
 * @property {any} quality
 * @property {Object<string, number>} digits
 * @property {string} problems What the types of problems begin with.
 */

/**
 * Read the numbers that belong to these modules.
 * @returns {Promise<Numbers>}
 */
export const load = async () => (await fetch(FILE, { signal: AbortSignal.timeout(PATIENCE_MS) })).json();

/**
 * Read those that the host has now, which may be newer; null where it cannot be reached.
 * @returns {Promise<?Numbers>}
 */
export async function newest() {
	try {
		// The service worker keeps the address without the query.
		const options = { cache: /** @type {RequestCache} */ ("no-store"), signal: AbortSignal.timeout(PATIENCE_MS) };
		const response = await fetch(`${FILE}?newest`, options);
		return response.ok ? await response.json() : null;
	} catch {
		return null;
	}
}
