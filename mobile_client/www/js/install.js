/** Installing as an app: the browser's prompt where there is one, a hint on iOS. */

import { element, plain } from "./dom.js";
import { text } from "./language.js";

/** @type {any} The browser's offer. */
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
	const take = ({ currentTarget }) => {
		offer.prompt();
		offer = null; // it can be taken once
		currentTarget.closest("section").remove();
	};
	const body = offer
		? plain(text("install"), take)
		: element("p", {}, text("install.ios"));
	return element("section", { class: "panel" }, element("h2", {}, text("install")), body);
}
