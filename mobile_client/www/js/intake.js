/**
 * Files from outside: picked, dropped (folders too), or shared by another app. Their bytes are
 * copied at once: a file may change before it is sent.
 */

import { byId } from "./dom.js";
import { limits } from "./service.js";
import * as store from "./store.js";

const SHARED = "shared"; // the cache where the service worker leaves what other apps share
const MOST_FILES = 500; // of a folder that is dropped
const NOT_SOUND = /\.(jpe?g|png|gif|webp|bmp|txt|pdf|nfo|m3u8?|cue|log|db|ini|url|lrc|sfv|md5)$/i;

/** Begin to take files; `taken` gets the ids of the clips that they become. */
export function start(/** @type {(ids: string[]) => void} */ taken) {
	const take = (files) => takeAll(files, taken);
	const picker = byId("files");
	picker.addEventListener("change", () => {
		const files = [...picker.files];
		picker.value = ""; // the same file may be picked again
		take(files);
	});
	addEventListener("dragover", (event) => {
		event.preventDefault();
		document.body.classList.add("dropping");
	});
	addEventListener("dragleave", (event) => {
		if (!event.relatedTarget) document.body.classList.remove("dropping");
	});
	addEventListener("drop", async (event) => {
		event.preventDefault();
		document.body.classList.remove("dropping");
		if (event.dataTransfer) take(await dropped(event.dataTransfer));
	});
	takeShared(take).catch(() => null); // no cache: nothing was shared
}

async function takeAll(files, taken) {
	const ids = [];
	for (const file of files) ids.push((await clipOf(file)).id);
	if (ids.length) taken(ids);
}

async function clipOf(/** @type {File} */ file) {
	const { name, type, size } = file;
	if (limits && size > limits.max_upload_bytes) {
		return refused(name, { type: "body-too-large", status: 413, detail: "" });
	}
	try {
		return store.add({ name, audio: new Blob([await file.arrayBuffer()], { type }) });
	} catch {
		return refused(name, { type: "unreadable", detail: "" });
	}
}

const refused = (name, problem) => store.add({ name, state: "refused", problem });

async function dropped(/** @type {DataTransfer} */ transfer) {
	const items = [...transfer.items].filter(({ kind }) => kind === "file");
	// Both are gone after the first await.
	const entries = items.map((item) => item.webkitGetAsEntry?.());
	const files = items.map((item) => item.getAsFile());
	const found = [];
	for (const [place, entry] of entries.entries()) {
		if (entry?.isDirectory) found.push(...(await filesIn(entry)));
		else if (files[place]) found.push(files[place]);
	}
	return found.slice(0, MOST_FILES);
}

async function filesIn(/** @type {any} */ folder) {
	const reader = folder.createReader();
	const entries = [];
	for (let some = await list(reader); some.length; some = await list(reader)) entries.push(...some);
	entries.sort((a, b) => a.name.localeCompare(b.name, undefined, { numeric: true }));
	const found = [];
	for (const entry of entries) {
		if (entry.name.startsWith(".") || found.length > MOST_FILES) continue;
		if (entry.isDirectory) found.push(...(await filesIn(entry)));
		else if (!NOT_SOUND.test(entry.name)) found.push(await fileOf(entry));
	}
	return found;
}

const list = (reader) => new Promise((resolve, reject) => reader.readEntries(resolve, reject));

/** The file of an entry; a missing one is an unreadable file of that name. */
function fileOf(entry) {
	return new Promise((resolve) => {
		const gone = { name: entry.name, arrayBuffer: () => Promise.reject(new Error("gone")) };
		entry.file(resolve, () => resolve(gone));
	});
}

/** Take what another app shared; it leaves the cache once the clip is in the store. */
async function takeShared(take) {
	if (!globalThis.caches || !(await caches.has(SHARED))) return;
	const cache = await caches.open(SHARED);
	const requests = await cache.keys();
	const files = [];
	for (const request of requests) {
		const response = await cache.match(request);
		const name = decodeURIComponent(response.headers.get("X-Name"));
		files.push(new File([await response.blob()], name, { type: response.headers.get("Content-Type") }));
	}
	await take(files);
	for (const request of requests) await cache.delete(request);
}
