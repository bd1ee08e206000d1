/**
 * Sends waiting clips: first the one on the screen, then recordings, then files in order. One that
 * cannot be sent holds up no other; a lock keeps two tabs from sending it twice.
 */

import { on } from "./events.js";
import { finalOf } from "./live.js";
import * as service from "./service.js";
import * as settings from "./settings.js";
import * as store from "./store.js";

const AT_ONCE = 2; // one for a batch, and one for clips that arrive meanwhile
const UNREACHABLE_SECONDS = 30; // until the next try, unless the browser is online before
const LONGEST_SECONDS = 600;
const STREAK = 3; // clips that fail one after the other: then the service is at fault, not the clip

/** @type {Map<string, AbortController>} Clips on their way. */
const sending = new Map();
let wanted = null; // the clip on the screen
let failures = 0; // one after the other
let pausedUntil = 0; // for all clips that the person did not choose
let timer = null;

export function start() {
	on(store.events, "change", ({ id, kind }) => {
		if (kind === "removed") sending.get(id)?.abort();
		if (kind === "added") drain();
	});
	addEventListener("online", wake);
	document.addEventListener("visibilitychange", () => (document.hidden ? handOver() : wake()));
}

export function prefer(id) {
	wanted = id;
	drain();
}

export function retry(id) {
	store.change(id, { state: "waiting", why: null, retryAt: null, tries: 0, problem: null });
	wake();
}

export function wake() {
	failures = 0;
	pausedUntil = 0;
	for (const { id, why } of waiting()) if (why === "offline") store.touch(id, { retryAt: null });
	drain();
}

/** The page may end: let the service worker send what waits (Background Sync). */
async function handOver() {
	if (!waiting().length || !navigator.serviceWorker || settings.get("device")) return;
	const registration = /** @type {any} */ (await navigator.serviceWorker.ready);
	registration.sync?.register("send").catch(() => null); // not allowed
}

export function drain() {
	clearTimeout(timer);
	for (let clip = next(); clip; clip = next()) begin(clip);
	if (sending.size || !waiting().length) return; // the end of each upload drains again
	const soonest = Math.min(...waiting().map(({ retryAt }) => retryAt ?? pausedUntil));
	timer = setTimeout(drain, Math.max(100, soonest - Date.now()));
}

const waiting = () => store.all().filter(({ state }) => state === "waiting");

function next() {
	if (sending.size >= AT_ONCE) return null;
	const now = Date.now();
	const ready = waiting().filter(({ id, retryAt }) => !sending.has(id) && (retryAt ?? 0) <= now);
	const first = ready.find(({ id }) => id === wanted) ?? ready.find(({ name }) => name === null);
	if (first) return first;
	return sending.size < AT_ONCE - 1 && pausedUntil <= now ? ready.at(-1) : null;
}

async function begin(clip) {
	const controller = new AbortController();
	sending.set(clip.id, controller);
	try {
		await alone(clip.id, () => send(clip, controller.signal));
	} finally {
		sending.delete(clip.id);
		drain();
	}
}

/** Act on a clip, unless another tab does; that tab reports the result. */
async function alone(id, task) {
	if (!navigator.locks) return task();
	return navigator.locks.request(`fifteen-send-${id}`, { ifAvailable: true }, (lock) =>
		lock ? task() : store.touch(id, { retryAt: Date.now() + 1000 }), // that tab may be closed
	);
}

async function send(clip, signal) {
	const { id, audio, name } = clip;
	await store.refresh(id);
	if (store.get(id)?.state !== "waiting") return;
	store.touch(id, { state: "sending", why: null, retryAt: null });
	try {
		const heard = await finalOf(audio, signal);
		const answer = heard ?? (await service.analyze(audio ?? new Blob([]), name ?? "recording", signal));
		failures = 0;
		await store.change(id, { state: "answered", answer, tries: 0 });
	} catch (error) {
		if (error instanceof service.AbortedError) return;
		const changes = await outcome(error, clip);
		if (changes.state === "waiting") store.touch(id, changes);
		else await store.change(id, changes);
	}
}

/** @returns {Promise<Partial<Clip>>} The new state of a failed clip. */
async function outcome(error, clip) {
	if (error instanceof service.BusyError) return later(clip, "busy", error.seconds);
	if (error instanceof service.RefusedError) return { state: "refused", problem: error.problem };
	if (error instanceof service.UnreadableError) {
		return { state: "refused", problem: { type: "unreadable", detail: "" } };
	}
	if (!(error instanceof service.UnreachableError)) throw error;
	const why = (await service.isHealthy()) ? "failed" : "offline";
	return later(clip, why, UNREACHABLE_SECONDS * (why === "failed" ? 2 ** (clip.tries ?? 0) : 1));
}

/** @returns {Partial<Clip>} */
function later(clip, why, seconds) {
	failures += 1;
	const retryAt = Date.now() + Math.min(seconds, LONGEST_SECONDS) * 1000;
	if (why === "offline" || failures >= STREAK) pause(why, retryAt);
	return { state: "waiting", why, retryAt, tries: (clip.tries ?? 0) + 1 };
}

function pause(why, until) {
	pausedUntil = until;
	for (const { id, tries } of waiting()) if (!tries) store.touch(id, { why, retryAt: until });
}
