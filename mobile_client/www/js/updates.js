/** Offers a new version of these files, and takes it at once if the app is idle. */

import { text } from "./language.js";
import * as recorder from "./recorder.js";
import * as store from "./store.js";
import { toast } from "./toast.js";

let reloading = false;

/** Register the service worker, and follow its updates while the page lives. */
export async function start() {
	const container = navigator.serviceWorker;
	if (!container) return;
	const first = !container.controller;
	container.addEventListener("controllerchange", () => {
		// The first worker takes over an uncontrolled page.
		if (first || reloading || !isIdle()) return;
		reloading = true;
		location.reload();
	});
	try {
		const registration = await container.register("service-worker.js");
		offer(registration);
		registration.addEventListener("updatefound", () => {
			registration.installing?.addEventListener("statechange", () => offer(registration));
		});
		document.addEventListener("visibilitychange", () => {
			if (!document.hidden) registration.update().catch(() => null); // not reached now
		});
	} catch {
		// Without a worker the page works as long as there is a network.
	}
}

/** Whether a reload loses nothing. */
const isIdle = () => recorder.now() === "idle" && store.all().every(({ id }) => store.isKept(id));

function offer(registration) {
	const { waiting } = registration;
	if (!waiting || !navigator.serviceWorker.controller) return;
	const act = () => waiting.postMessage("take over");
	if (document.hidden && isIdle()) act();
	else toast(text("update"), { label: text("reload"), act });
}
