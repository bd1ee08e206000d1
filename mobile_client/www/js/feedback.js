/**
 * Gives the service the person's own labels, where its operator takes them and the person agrees.
 * What it has, `told`, is taken back where the label differs; one tab after the other does so.
 */

import { on } from "./events.js";
import * as service from "./service.js";
import * as settings from "./settings.js";
import * as store from "./store.js";

const AGAIN_SECONDS = 30; // unless the browser is online before

let running = false;
let timer = null;

export function start() {
	on(store.events, "change", ({ id }) => isDue(store.get(id)) && drain());
	addEventListener("online", drain);
}

/** The person's word: "yes", "no", or null before the question. */
export const word = () => settings.get("feedback");

export function decide(/** @type {"yes"|"no"} */ said) {
	settings.set("feedback", said);
	drain();
}

/** Whether the person has a choice; a "yes" can always be taken back. */
export const isOffered = () => service.limits?.max_feedback_bytes > 0 || word() === "yes";

/** Where recordings stay on the device, labels stay, too. */
export const mayAsk = () => word() === null && isOffered() && !settings.get("device");

/** Whether labels of now are given. */
export const isOn = () =>
	word() === "yes" && !settings.get("device") && service.limits?.max_feedback_bytes !== 0;

/** Whether a label is one that the service learns. */
export const isGenre = ({ answer, label }) => answer?.genres.some(({ genre }) => genre === label) ?? false;

function wanted(clip) {
	const may = word() === "yes" && clip.tell && (clip.told || !settings.get("device"));
	return may && isGenre(clip) ? clip.label : null;
}

const isDue = (/** @type {?Clip} */ clip) => Boolean(clip) && (clip.told?.label ?? null) !== wanted(clip);

/** Bring what the service has in line with the labels. */
export async function drain() {
	clearTimeout(timer);
	if (running || !store.all().some(isDue)) return;
	running = true;
	const wait = await alone(settleAll).finally(() => (running = false));
	if (wait) timer = setTimeout(drain, wait * 1000);
	if (wait === 0) drain(); // a label may have changed meanwhile
}

const alone = (task) => (navigator.locks ? navigator.locks.request("fifteen-feedback", task) : task());

/** Returns the seconds until the next try, null where the service takes nothing. */
async function settleAll() {
	await service.loadLimits();
	if (!service.limits?.max_feedback_bytes) return service.limits ? null : AGAIN_SECONDS;
	let wait = 0;
	for (const { id } of store.all()) {
		try {
			await settle(id);
		} catch (error) {
			if (!(error instanceof service.RefusedError || error instanceof service.UnreachableError)) throw error;
			wait = error instanceof service.BusyError ? error.seconds : AGAIN_SECONDS;
		}
	}
	return wait;
}

async function settle(id) {
	if (!isDue(store.get(id))) return;
	await store.refresh(id); // another tab may have settled it
	const clip = store.get(id);
	if (!isDue(clip)) return;
	if (clip.told) {
		if (clip.told.id) await service.takeBack(clip.told.id);
		await store.change(id, { told: null });
	}
	const label = wanted(clip);
	if (!label) return;
	const told = await give(clip, label);
	await store.change(id, { told });
	if (told.id && !store.get(id)) await service.takeBack(told.id); // it was deleted meanwhile
}

async function give({ audio }, label) {
	try {
		return { label, id: await service.giveFeedback(audio ?? new Blob([]), label) };
	} catch (error) {
		if (error instanceof service.UnreadableError) return { label, problem: { type: "unreadable" } };
		if (error instanceof service.BusyError || !error.problem) throw error;
		return { label, problem: error.problem };
	}
}
