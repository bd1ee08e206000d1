/** The texts of these modules in the person's language. */

import { current } from "../js/language.js";

/** @type {?Promise<Object<string, Object<string, string>>>} */
let file = null;

/**
 * Read the texts.
 * @returns {Promise<(key: string, values?: Object<string, string>) => string>}
 */
export async function words() {
	file ??= fetch(new URL("texts.json", import.meta.url)).then((response) => response.json());
	const texts = await file;
	return (key, values = {}) => texts[current()][key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
}
