/**
 * Keeps the client's own files for offline, takes what other apps share, and sends what waits once
 * there is a network (Background Sync). Nothing else is cached. `make client` writes the list and the
 * version.
 */

const VERSION = "67c677e24d7b";
const FILES = [
	"icons/512.png",
	"icons/icon.svg",
	"./",
	"js/main.js",
	"manifest.webmanifest",
	"messages/el.txt",
	"messages/en.txt",
	"messages/es.txt",
	"messages/it.txt",
	"messages/ru.txt",
	"style.css",
];

const CACHE = `shell-${VERSION}`;
const SHARED = "shared";
const DEVICE = "device"; // what answers without a service
const absolute = (file) => new URL(file, location.href).href;
const SHELL = new Set(FILES.map(absolute));

addEventListener("install", (event) => event.waitUntil(install()));

async function install() {
	const page = await (await fetch("./", { cache: "reload" })).text();
	const modules = page.match(/MODULES = "([^"]+)"/)[1].split(" ").map((name) => `js/${name}.js`);
	const requests = [...FILES, ...modules].map((file) => new Request(file, { cache: "reload" }));
	await (await caches.open(CACHE)).addAll(requests);
}

addEventListener("activate", (event) => event.waitUntil(forgetOthers()));

// A page offers the new version, or takes it when the app is idle.
addEventListener("message", ({ data }) => data === "take over" && skipWaiting());

addEventListener("fetch", (event) => {
	const { request } = event;
	const address = new URL(request.url);
	if (request.method === "POST" && address.href === absolute("share")) {
		event.respondWith(share(request));
		return;
	}
	address.hash = "";
	if (request.mode === "navigate") address.search = "";
	const optional = address.href.startsWith(absolute("device/"));
	if (request.method === "GET" && (optional || SHELL.has(address.href) || address.href.startsWith(absolute("js/")))) {
		event.respondWith(kept(address.href, request, optional ? DEVICE : CACHE));
	}
});

async function kept(address, request, name = CACHE) {
	return (await caches.match(address, { cacheName: name })) ?? fetch(request);
}

async function forgetOthers() {
	const stale = (await caches.keys()).filter((name) => ![CACHE, SHARED, DEVICE].includes(name));
	await Promise.all(stale.map((name) => caches.delete(name)));
}

async function share(request) {
	const cache = await caches.open(SHARED);
	for (const [place, file] of (await request.formData()).getAll("file").entries()) {
		const headers = { "Content-Type": file.type, "X-Name": encodeURIComponent(file.name) };
		await cache.put(`shared/${Date.now()}-${place}`, new Response(file, { headers }));
	}
	return Response.redirect("./", 303);
}

addEventListener("sync", (event) => event.waitUntil(sendWaiting()));

/** Send every waiting clip; if that fails, the browser tries again later. */
async function sendWaiting() {
	const opening = indexedDB.open("fifteen");
	opening.onupgradeneeded = () => opening.transaction.abort(); // there is no history
	const database = await result(opening);
	const clips = () => database.transaction("clips", "readwrite").objectStore("clips");
	const waiting = (await result(clips().getAll())).filter(({ state, audio }) => state === "waiting" && audio);
	for (const { id } of waiting) {
		// The lock of the pages: one of them may be sending it.
		await navigator.locks.request(`fifteen-send-${id}`, { ifAvailable: true }, async (lock) => {
			const clip = lock && (await result(clips().get(id)));
			const answer = clip?.state === "waiting" && (await analyze(clip));
			const store = clips();
			const now = answer && (await result(store.get(id)));
			if (!now) return; // it needs a page, or it was deleted
			await result(store.put({ ...now, state: "answered", answer }));
			new BroadcastChannel("fifteen").postMessage({ id, kind: "changed" });
		});
	}
	database.close();
}

/** The answer to a clip; null where the service refuses: a page deals with that. */
async function analyze({ audio, name }) {
	const page = await (await kept(absolute("./"), "./")).text();
	const service = page.match(/name="fifteen-service" content="([^"]*)"/)[1].replace(/([^/])$/, "$1/");
	const form = new FormData();
	form.append("file", audio, name ?? "recording");
	const address = new URL("v1/analyze?timeline=true", new URL(service, location.href));
	const signal = AbortSignal.timeout(30_000 + audio.size / 16); // as the page's
	const response = await fetch(address, { method: "POST", body: form, signal });
	if (response.status === 429 || response.status >= 500) throw new Error("later");
	return response.ok ? response.json() : null;
}

function result(request) {
	return new Promise((resolve, reject) => {
		request.onsuccess = () => resolve(request.result);
		request.onerror = () => reject(request.error);
	});
}
