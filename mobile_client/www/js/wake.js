/** Keeps the screen on: fifteen seconds are enough for a phone to lock itself. */

/** @type {?Promise<any>} */
let held = null;

/** Hold the screen on, or let go of it; where the browser cannot, nothing happens. */
export function lock(wanted) {
  const before = held;
  held = wanted ? (navigator.wakeLock?.request("screen").catch(() => null) ?? null) : null;
  before?.then((sentinel) => sentinel?.release());
}
