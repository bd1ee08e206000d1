/**
 * Keeps the client's own files, so that it opens without a network, and takes what other apps share.
 *
 * Answers of the service are never cached: any other request goes to the network unchanged.
 * The list and its version are written by `make client`.
 */

const VERSION = "845088631895";
const FILES = [
  "icons/192.png",
  "icons/512.png",
  "icons/icon.svg",
  "./",
  "js/answer.js",
  "js/charts.js",
  "js/device.js",
  "js/dom.js",
  "js/events.js",
  "js/export.js",
  "js/install.js",
  "js/intake.js",
  "js/key.js",
  "js/language.js",
  "js/live.js",
  "js/main.js",
  "js/pages/about.js",
  "js/pages/clip.js",
  "js/pages/correction.js",
  "js/pages/explain.js",
  "js/pages/history.js",
  "js/pages/home.js",
  "js/pages/map.js",
  "js/pages/removal.js",
  "js/player.js",
  "js/recorder.js",
  "js/ring.js",
  "js/route.js",
  "js/sample.js",
  "js/sender.js",
  "js/service.js",
  "js/settings.js",
  "js/share.js",
  "js/spectrogram.js",
  "js/store.js",
  "js/toast.js",
  "js/updates.js",
  "js/words.js",
  "js/zip.js",
  "manifest.webmanifest",
  "messages/el.js",
  "messages/en.js",
  "messages/es.js",
  "messages/it.js",
  "messages/ru.js",
  "style.css",
];

const CACHE = `shell-${VERSION}`;
const SHARED = "shared";
const SHELL = new Set(FILES.map((file) => new URL(file, location.href).href));

addEventListener("install", (event) => {
  const requests = FILES.map((file) => new Request(file, { cache: "reload" }));
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(requests)));
});

addEventListener("activate", (event) => event.waitUntil(forgetOthers()));

// A page offers the new version, or takes it when the app is idle.
addEventListener("message", ({ data }) => data === "take over" && skipWaiting());

addEventListener("fetch", (event) => {
  const { request } = event;
  const address = new URL(request.url);
  if (request.method === "POST" && address.href === new URL("share", location.href).href) {
    event.respondWith(share(request));
    return;
  }
  address.hash = "";
  if (request.mode === "navigate") address.search = "";
  if (request.method === "GET" && SHELL.has(address.href)) {
    event.respondWith(kept(address.href, request));
  }
});

async function kept(address, request) {
  const cache = await caches.open(CACHE);
  return (await cache.match(address)) ?? fetch(request);
}

async function forgetOthers() {
  const stale = (await caches.keys()).filter((name) => name !== CACHE && name !== SHARED);
  await Promise.all(stale.map((name) => caches.delete(name)));
}

/** Leave the files where the page looks for them, and open it. */
async function share(request) {
  const cache = await caches.open(SHARED);
  for (const [place, file] of (await request.formData()).getAll("file").entries()) {
    const headers = { "Content-Type": file.type, "X-Name": encodeURIComponent(file.name) };
    await cache.put(`shared/${Date.now()}-${place}`, new Response(file, { headers }));
  }
  return Response.redirect("./", 303);
}
