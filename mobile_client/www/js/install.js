/** Installing as an app: the browser's prompt where there is one, a hint on iOS. */

import { element } from "./dom.js";
import { text } from "./language.js";

/** @type {any} The browser's offer, which can be taken once. */
let offer = null;

export function start() {
	addEventListener("beforeinstallprompt", (event) => {
		event.preventDefault();
		offer = event;
	});
}

/** A panel that installs, or says how; null where neither makes sense. */
export function offerInstall() {
	if (matchMedia("(display-mode: standalone)").matches) return null;
	const apple = /iPhone|iPad/.test(navigator.userAgent);
	if (!offer && !apple) return null;
	const take = () => {
		offer.prompt();
		offer = null;
	};
	const body = offer
		? element("button", { type: "button", class: "plain", onclick: take }, text("install"))
		: element("p", {}, text("install.ios"));
	return element("section", { class: "panel" }, element("h2", {}, text("install")), body);
}
