/** The one player of the page: it plays the recording that is shown, and nothing else. */

const audio = document.createElement("audio");
audio.hidden = true;
audio.preload = "metadata";

/** Fires "change" when it plays, pauses, moves or knows its length. */
export const events = new EventTarget();

let until = Infinity; // where to stop by itself

/** Load a recording; its place on the page is the given parent. */
export function load(/** @type {Blob} */ blob, /** @type {HTMLElement} */ parent) {
	unload();
	audio.src = URL.createObjectURL(blob);
	parent.append(audio);
}

export function unload() {
	audio.pause();
	if (audio.src) URL.revokeObjectURL(audio.src);
	audio.removeAttribute("src");
	until = Infinity;
}

export const pause = () => audio.pause();
export const isPlaying = () => !audio.paused;
export const isBroken = () => audio.error !== null;
export const place = () => audio.currentTime;

export const length = () => (Number.isFinite(audio.duration) && audio.duration) || null;

export function toggle() {
	until = Infinity;
	if (audio.paused) play();
	else audio.pause();
}

export function part(from, to) {
	seek(from);
	until = to;
	play();
}

export function seek(seconds) {
	until = Infinity;
	audio.currentTime = Math.max(0, Math.min(seconds, length() ?? seconds));
}

function play() {
	audio.play().catch(() => changed()); // a format that this browser cannot play
}

function changed() {
	if (audio.currentTime >= until) audio.pause();
	events.dispatchEvent(new Event("change"));
}

// A browser's recording has no length in its header; a seek to the end finds it.
audio.addEventListener("loadedmetadata", () => {
	if (audio.duration !== Infinity) return;
	audio.addEventListener("durationchange", () => (audio.currentTime = 0), { once: true });
	audio.currentTime = 1e9;
});
for (const name of ["play", "pause", "ended", "timeupdate", "seeked", "durationchange", "error"]) {
	audio.addEventListener(name, changed);
}
