/**
 * The recordings: the one owner of every clip. All are in memory, so that the page works also where
 * IndexedDB is slow, full or missing; other tabs of this browser follow.
 */

import { emit } from "./events.js";

const DATABASE = "fifteen";
const CLIPS = "clips";
const PATIENCE_MS = 4000; // for IndexedDB to open; WebKit sometimes never answers

/** @type {Map<string, Clip>} */
const clips = new Map();
/** @type {Set<string>} Clips that are in memory alone. */
const unkept = new Set();
/** @type {?IDBDatabase} */
let database = null;

const channel = globalThis.BroadcastChannel ? new BroadcastChannel(DATABASE) : null;

/** Fires "change" with `{id, kind}`: "added", "changed" or "removed"; and "trouble" with a message's key. */
export const events = new EventTarget();

/** @type {Promise<any>} Resolves when IndexedDB has answered, or when it takes too long. */
let settled = Promise.resolve();

export function open() {
	let answered = false;
	const opening = connect()
		.then(adopt)
		.catch(() => trouble("unkept"))
		.finally(() => {
			answered = true;
		});
	const impatient = new Promise((resolve) => {
		setTimeout(() => resolve(answered || trouble("unkept")), PATIENCE_MS);
	});
	if (channel) channel.onmessage = ({ data }) => follow(data);
	settled = Promise.race([opening, impatient]);
	return settled;
}

export function all() {
	return [...clips.values()].sort((a, b) => b.created.localeCompare(a.created));
}

export const get = (/** @type {?string} */ id) => clips.get(id ?? "");

export const isKept = (/** @type {string} */ id) => !unkept.has(id);

/** Add a recording, which waits to be sent unless it says otherwise; the disk follows. */
export function add(/** @type {Partial<Clip>} */ recording) {
	const created = new Date().toISOString();
	// randomUUID is there for secure origins only; this page may be tried over plain HTTP.
	const id = `${Date.now().toString(36)}-${Math.random().toString(36).slice(2, 8)}`;
	const empty = { name: null, audio: null, levels: null, why: null, retryAt: null };
	/** @type {Clip} */
	const clip = { id, created, state: "waiting", answer: null, problem: null, ...empty, ...recording };
	restore(clip);
	navigator.storage?.persist?.().catch(() => null);
	return clip;
}

export function restore(clip) {
	clips.set(clip.id, clip);
	notify(clip.id, "added");
	return keep(clip.id, "added", (store) => store.put(clip));
}

/** Change a clip, unless this tab or another removed it. */
export async function change(id, /** @type {Partial<Clip>} */ changes) {
	const clip = clips.get(id);
	if (!clip) return;
	touch(id, changes);
	let gone = false;
	await keep(id, "changed", (store) => {
		const request = store.get(id);
		request.onsuccess = () => {
			gone = !request.result && !unkept.has(id);
			if (!gone) store.put(request.result ? { ...request.result, ...changes } : clip);
		};
	});
	if (gone) forget(id);
}

/** Change a clip in this tab alone. */
export function touch(id, changes) {
	const clip = clips.get(id);
	if (!clip) return;
	Object.assign(clip, changes);
	notify(id, "changed");
}

/** Read a clip again: another tab may have changed or removed it. */
export async function refresh(id) {
	if (database && !unkept.has(id)) await follow({ id, kind: "changed" });
}

export function remove(id) {
	forget(id);
	return keep(id, "removed", (store) => store.delete(id));
}

export async function freeSounds() {
	const answered = all().filter(({ state, audio }) => state === "answered" && audio);
	for (const { id } of answered) await change(id, { audio: null });
}

export const bytes = () => all().reduce((sum, { audio }) => sum + (audio?.size ?? 0), 0);

function connect() {
	return new Promise((resolve, reject) => {
		const request = indexedDB.open(DATABASE, 1);
		request.onupgradeneeded = () => request.result.createObjectStore(CLIPS, { keyPath: "id" });
		request.onsuccess = () => resolve(request.result);
		request.onerror = () => reject(request.error);
	});
}

async function adopt(/** @type {IDBDatabase} */ opened) {
	// A newer page wants another version, and an open connection would block it.
	opened.onversionchange = () => {
		opened.close();
		database = null;
		trouble("outdated");
	};
	const transaction = opened.transaction(CLIPS, "readonly");
	const request = transaction.objectStore(CLIPS).getAll();
	await completed(transaction);
	database = opened;
	for (const id of unkept) keep(id, "added", (store) => store.put(clips.get(id)));
	for (const clip of request.result) {
		if (clips.has(clip.id)) continue;
		if (clip.state === "sending") clip.state = "waiting";
		clips.set(clip.id, clip);
		notify(clip.id, "added");
	}
}

async function follow({ id, kind }) {
	if (kind === "removed") forget(id);
	if (kind === "removed" || !database) return;
	const transaction = database.transaction(CLIPS, "readonly");
	const request = transaction.objectStore(CLIPS).get(id);
	await completed(transaction);
	const { result } = request;
	const known = clips.get(id);
	if (!result && !unkept.has(id)) forget(id);
	if (!result || (known && known.state !== "waiting" && result.state === "waiting")) return;
	clips.set(id, Object.assign(known ?? {}, result));
	notify(id, known ? "changed" : "added");
}

function forget(id) {
	unkept.delete(id);
	if (clips.delete(id)) notify(id, "removed");
}

/** Write, and notify other tabs; a full disk is noticed only at the end. */
async function keep(id, kind, write) {
	await settled;
	if (!database) {
		lose(id);
		return;
	}
	try {
		const transaction = database.transaction(CLIPS, "readwrite");
		const done = completed(transaction);
		write(transaction.objectStore(CLIPS));
		await done;
		if (unkept.delete(id)) notify(id, "changed");
		channel?.postMessage({ id, kind });
	} catch (error) {
		lose(id);
		trouble(error?.name === "QuotaExceededError" ? "full" : "unkept");
	}
}

function lose(id) {
	if (!clips.has(id) || unkept.has(id)) return;
	unkept.add(id);
	notify(id, "changed");
}

/** Resolve when a transaction is on the disk; a request succeeds before that. */
function completed(/** @type {IDBTransaction} */ transaction) {
	return new Promise((resolve, reject) => {
		transaction.oncomplete = () => resolve(null);
		transaction.onabort = () => reject(transaction.error);
	});
}

const notify = (id, kind) => emit(events, "change", { id, kind });

const trouble = (reason) => emit(events, "trouble", reason);
