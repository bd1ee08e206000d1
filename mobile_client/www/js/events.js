/** News between the parts of the client: an event with a value. */

/** Follow the news of some name. */
export function on(/** @type {EventTarget} */ source, /** @type {string} */ name, /** @type {(value: any) => void} */ act) {
	source.addEventListener(name, (event) => act(/** @type {CustomEvent} */ (event).detail));
}

/** Tell news. */
export function tell(/** @type {EventTarget} */ source, /** @type {string} */ name, /** @type {any} */ value) {
	source.dispatchEvent(new CustomEvent(name, { detail: value }));
}
