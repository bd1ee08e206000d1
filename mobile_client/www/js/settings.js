/** The person's settings in this browser: language, theme, key. */

const PREFIX = "fifteen-"; // the page's own script reads the theme by it, before the first paint

/** @type {Map<string, ?string>} */
const values = new Map();

/** A setting, null where there is none. */
export function get(name) {
	if (!values.has(name)) values.set(name, stored(name));
	return values.get(name) ?? null;
}

/** Choose; null removes a choice. */
export function set(name, /** @type {?string} */ value) {
	values.set(name, value);
	try {
		if (value === null) localStorage.removeItem(PREFIX + name);
		else localStorage.setItem(PREFIX + name, value);
	} catch {
		// This browser stores nothing: the choice lasts as long as the page.
	}
}

function stored(name) {
	try {
		return localStorage.getItem(PREFIX + name) || null;
	} catch {
		return null;
	}
}
