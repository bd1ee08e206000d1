/** Functions of the device: stay awake, buzz, and answer. */

/** @type {?Promise<any>} */
let held = null;

export function lock(wanted) {
	const before = held;
	held = wanted ? (navigator.wakeLock?.request("screen").catch(() => null) ?? null) : null;
	before?.then((sentinel) => sentinel?.release());
}

// The system takes the lock of a hidden page.
document.addEventListener("visibilitychange", () => document.hidden || !held || lock(true));

/** A module of the answers on this device; rejects where there are none. */
export const part = (name) => import(`../device/${name}.js`);

/** Buzz, where the device can and the person has touched the page. */
export function buzz(/** @type {number | number[]} */ pattern) {
	if (navigator.userActivation?.hasBeenActive) navigator.vibrate?.(pattern);
}
