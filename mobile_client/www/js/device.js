/** What the device itself can do: stay awake, and buzz. */

/** @type {?Promise<any>} */
let held = null;

/** Hold the screen on, or let go of it: fifteen seconds are enough for a phone to lock itself. */
export function lock(wanted) {
	const before = held;
	held = wanted ? (navigator.wakeLock?.request("screen").catch(() => null) ?? null) : null;
	before?.then((sentinel) => sentinel?.release());
}

/** Buzz, where the device can and the person has touched the page. */
export function buzz(/** @type {number | number[]} */ pattern) {
	if (navigator.userActivation?.hasBeenActive) navigator.vibrate?.(pattern);
}
