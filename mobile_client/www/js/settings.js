/** The person's settings in this browser: language, theme, key. */

const PREFIX = "fifteen-"; // the page's own script reads the theme by it, before the first paint

/** @type {Map<string, ?string>} */
const values = new Map();

export function get(name) {
	if (!values.has(name)) values.set(name, stored(name));
	return values.get(name) ?? null;
}

export function set(name, /** @type {?string} */ value) {
	values.set(name, value);
	try {
		if (value === null) localStorage.removeItem(PREFIX + name);
		else localStorage.setItem(PREFIX + name, value);
	} catch {
		// This browser stores nothing: the choice lasts as long as the page.
	}
}

/** Store the key of a service; a header is plain ASCII. */
export const setKey = (text) => set("key", text.replace(/[^!-~]/g, "") || null);

function stored(name) {
	try {
		return localStorage.getItem(PREFIX + name) || null;
	} catch {
		return null;
	}
}

export function applyTheme() {
	document.documentElement.dataset.theme = get("theme") ?? (dark.matches ? "dark" : "light");
}

const dark = matchMedia("(prefers-color-scheme: dark)");
dark.addEventListener("change", applyTheme);
addEventListener("storage", () => values.clear()); // another tab has set one
