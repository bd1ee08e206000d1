/** Functions of the device: stay awake, and buzz. */

/** @type {?Promise<any>} */
let held = null;

/** Keep the screen on, or release it: a phone may lock itself within fifteen seconds. */
export function lock(wanted) {
	const before = held;
	held = wanted ? (navigator.wakeLock?.request("screen").catch(() => null) ?? null) : null;
	before?.then((sentinel) => sentinel?.release());
}

// The system takes the lock of a hidden page.
document.addEventListener("visibilitychange", () => document.hidden || !held || lock(true));

/** Buzz, where the device can and the person has touched the page. */
export function buzz(/** @type {number | number[]} */ pattern) {
	if (navigator.userActivation?.hasBeenActive) navigator.vibrate?.(pattern);
}
