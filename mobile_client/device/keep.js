/** Keeps the files of the answers on this device, where the service worker finds them without a network. */

import { toast } from "../js/toast.js";
import { words } from "./words.js";

const CACHE = "device"; // the service worker reads it
const NUMBERS = "device.json";
const HASH = "SHA-256";
const STALLED_MS = 20_000; // without a byte

const address = (name) => new URL(name, import.meta.url).href;

/** What is kept; null where nothing is. */
export async function kept() {
	const response = await (await caches.open(CACHE)).match(address(NUMBERS));
	return response ? /** @type {Promise<import("./numbers.js").Numbers>} */ (response.json()) : null;
}

/** The size of a download, bytes. */
export const sizeOf = ({ files }) => Object.values(files).reduce((sum, { bytes }) => sum + bytes, 0);

/**
 * Download all files, and keep them if every one is what it should be.
 * @param {import("./numbers.js").Numbers} numbers
 * @param {(share: number) => void} progress Called with the share that has arrived.
 */
export async function download(numbers, progress) {
	const responses = new Map();
	let arrived = 0;
	for (const name of Object.keys(numbers.files)) {
		const { bytes, headers } = await whole(name, (count) => {
			arrived += count;
			progress(Math.min(1, arrived / sizeOf(numbers)));
		});
		if ((await hash(bytes)) !== numbers.files[name].sha256) throw new Error(`${name} was changed`);
		responses.set(address(name), new Response(bytes, { headers }));
	}
	const headers = { "Content-Type": "application/json" };
	responses.set(address(NUMBERS), new Response(JSON.stringify(numbers), { headers }));
	await forget();
	const cache = await caches.open(CACHE);
	for (const [url, response] of responses) await cache.put(url, response);
	navigator.storage?.persist?.();
}

/** Delete all files. */
export const forget = () => caches.delete(CACHE);

/** @type {?Promise<void>} */
let first = null;

/** Where no service can be asked, the first answer downloads what it needs. */
export async function ensure(numbers) {
	if (!numbers.alone || !globalThis.caches || (await kept())) return;
	first ??= words().then((text) => {
		toast(text("getting"));
		return download(numbers, () => null);
	});
	await first.finally(() => {
		first = null;
	});
}

/** Fetch a file, past all caches. Its headers stay, since a worker's policy is among them. */
async function whole(name, progress) {
	const stalled = new AbortController();
	let timer = setTimeout(() => stalled.abort(), STALLED_MS);
	const options = { cache: /** @type {RequestCache} */ ("no-store"), signal: stalled.signal };
	const { ok, status, body, headers: sent } = await fetch(`${address(name)}?fresh`, options);
	if (!ok || !body) throw new Error(`${name}: HTTP ${status}`);
	const parts = [];
	const reader = body.getReader();
	for (let part = await reader.read(); !part.done; part = await reader.read()) {
		clearTimeout(timer);
		timer = setTimeout(() => stalled.abort(), STALLED_MS);
		parts.push(part.value);
		progress(part.value.length);
	}
	clearTimeout(timer);
	const headers = new Headers(sent);
	for (const one of ["Content-Encoding", "Content-Length"]) headers.delete(one);
	return { bytes: await new Blob(parts).arrayBuffer(), headers };
}

async function hash(bytes) {
	const digest = new Uint8Array(await crypto.subtle.digest(HASH, bytes));
	return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
