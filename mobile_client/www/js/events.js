/** Events with a value, between the parts of the client. */

export function on(/** @type {EventTarget} */ source, /** @type {string} */ name, /** @type {(value: any) => void} */ act) {
	source.addEventListener(name, (event) => act(/** @type {CustomEvent} */ (event).detail));
}

export function emit(/** @type {EventTarget} */ source, /** @type {string} */ name, /** @type {any} */ value) {
	source.dispatchEvent(new CustomEvent(name, { detail: value }));
}
