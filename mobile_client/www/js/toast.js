/** A short message, also for screen readers, with an optional action. */

import { byId, element } from "./dom.js";

const SHOWN_MS = 4000;
const WITH_ACTION_MS = 9000;

const node = byId("toast");
const status = byId("status");
let timer = null;

/** Show a sentence for a few seconds. */
export function toast(sentence, /** @type {?{label: string, act: () => void}} */ action = null) {
	say(sentence);
	const parts = [element("span", {}, sentence)];
	if (action) parts.push(element("button", { type: "button", onclick: () => done(action) }, action.label));
	node.replaceChildren(...parts);
	node.hidden = false;
	clearTimeout(timer);
	timer = setTimeout(hide, action ? WITH_ACTION_MS : SHOWN_MS);
}

export function say(sentence) {
	status.textContent = sentence;
}

function done(action) {
	hide();
	action.act();
}

function hide() {
	node.hidden = true;
}
