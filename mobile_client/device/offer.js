/** The panel that offers answers on this device: a download, a choice, and the way back. */

import { choice, element } from "../js/dom.js";
import { megabytes, text as pageText } from "../js/language.js";
import * as sender from "../js/sender.js";
import * as settings from "../js/settings.js";
import { say } from "../js/toast.js";
import { download, forget, kept, sizeOf } from "./keep.js";
import { load, newest } from "./numbers.js";
import { words } from "./words.js";

const ID = "on-device";
export const SETTING = "device"; // `js/service.js` reads it

/** Show the panel at the end of a page, once. */
export async function show(/** @type {HTMLElement} */ page) {
	if (!globalThis.caches) return; // only a page that came over TLS, or from this machine, may keep files
	const [text, numbers, now, next] = await Promise.all([words(), load(), kept(), newest(), tell()]);
	const before = page.querySelector(`#${ID}`);
	const focused = before?.contains(document.activeElement);
	before?.remove();
	// The host of a page without a service has neither its documents nor its models.
	if (numbers.alone) page.querySelector(".links")?.closest("section")?.remove();
	const after = panel({ page, text, numbers, now, next });
	page.append(after);
	const chosen = after.querySelector("[aria-pressed=true]") ?? after.querySelector("button");
	if (focused) /** @type {HTMLElement} */ (chosen).focus();
}

/** Say truthfully, wherever the page says it, what is sent. */
export async function tell() {
	const [text, numbers] = await Promise.all([words(), load()]);
	if (numbers.alone) return; // the page's own words speak of no service
	const sentence = settings.get(SETTING) ? text("privacy") : pageText("privacy");
	for (const node of document.querySelectorAll('[data-text="privacy"]')) node.textContent = sentence;
}

/**
 * @typedef {import("./numbers.js").Numbers} Numbers
 * @typedef {{page: HTMLElement, text: (key: string, values?: any) => string, numbers: Numbers,
 *   now: ?Numbers, next: ?Numbers}} State What is kept, and what the host has.
 */

function panel(/** @type {State} */ state) {
	const { text, numbers, now, next } = state;
	const size = megabytes(sizeOf(next ?? numbers));
	return element(
		"section",
		{ class: "panel", id: ID },
		element("h2", {}, text("title")),
		element("p", {}, text(numbers.alone ? "alone" : "what", { size })),
		element("div", { class: "choices" }, now ? chosen(state, size) : get(state, text("get", { size }), next ?? numbers)),
	);
}

/**
 * The choices of a person who has the files.
 * @returns {(HTMLElement | null)[]}
 */
function chosen(/** @type {State} */ state, /** @type {string} */ size) {
	const { page, text, numbers, now, next } = state;
	const on = settings.get(SETTING) !== null;
	const choose = (value) => {
		settings.set(SETTING, value);
		show(page);
	};
	const remove = async () => {
		await forget();
		choose(numbers.alone ? "on" : null);
	};
	return [
		numbers.alone ? null : choice(text("here"), on, () => choose("on")),
		numbers.alone ? null : choice(text("service"), !on, () => choose(null)),
		...(next && next.version !== now?.version ? get(state, text("update", { size }), next) : []),
		element("button", { type: "button", class: "plain", onclick: remove }, text("remove", { size: megabytes(sizeOf(now)) })),
	];
}

/**
 * A button that downloads, and shows how far it is.
 * @returns {HTMLElement[]}
 */
function get(/** @type {State} */ { page, text }, label, /** @type {Numbers} */ numbers) {
	const bar = element("progress", { max: "1", value: "0", "aria-label": text("getting"), hidden: true });
	const note = element("p", { role: "status" });
	const button = element("button", { type: "button", class: "plain" }, label);
	button.addEventListener("click", async () => {
		[button.disabled, bar.hidden, note.textContent] = [true, false, ""];
		say(text("getting"));
		try {
			await download(numbers, (share) => {
				bar.value = share;
			});
			settings.set(SETTING, "on");
			say(text("done"));
			await show(page);
			sender.wake();
		} catch {
			[button.disabled, bar.hidden, note.textContent] = [false, true, text("failed")];
		}
	});
	return [button, bar, note];
}
