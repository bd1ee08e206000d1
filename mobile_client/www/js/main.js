/** The client: its parts, wired. */

import { buzz, part } from "./device.js";
import { byId } from "./dom.js";
import { on } from "./events.js";
import * as feedback from "./feedback.js";
import * as install from "./install.js";
import * as intake from "./intake.js";
import * as language from "./language.js";
import * as live from "./live.js";
import * as about from "./pages/about.js";
import * as clipPage from "./pages/clip.js";
import * as historyPage from "./pages/history.js";
import * as home from "./pages/home.js";
import * as player from "./player.js";
import * as recorder from "./recorder.js";
import * as route from "./route.js";
import * as sender from "./sender.js";
import { sample } from "./sample.js";
import { loadLimits } from "./service.js";
import * as session from "./session.js";
import * as settings from "./settings.js";
import { share } from "./share.js";
import { ofFile } from "./spectrogram.js";
import * as store from "./store.js";
import { say, toast } from "./toast.js";
import * as updates from "./updates.js";
import { summary } from "./words.js";

const { text } = language;
const PAGES = { home, clip: clipPage, history: historyPage, about };
const calm = matchMedia("(prefers-reduced-motion: reduce)");

let shown = null; // the page that is shown
let announced = null; // the last news of a clip, for screen readers
let loaded = false; // whether the store has read IndexedDB

// The button first: it needs neither the texts nor the history nor a network.
home.start();
wire();
takeOver();
const texts = language.load();
open();
start();

async function open() {
	await Promise.all([store.open(), texts]);
	loaded = true;
	if (!isShown(route.now())) arrive(route.now()); // it may have the focus
	sender.drain();
	feedback.drain();
}

/** From here on the button works; an earlier tap takes effect now. */
function takeOver() {
	const { dataset } = document.documentElement;
	dataset.wired = "";
	if (dataset.early !== undefined) listenAgain();
	delete dataset.early;
}

async function start() {
	await texts;
	arrive(route.now());
	document.documentElement.dataset.ready = "";
	if (route.wantsToListen()) home.press();
	intake.start(taken);
	updates.start();
	install.start();
	loadLimits();
	if (settings.get("device")) part("offer").then(({ tell }) => tell()).catch(() => null);
}

function wire() {
	route.follow();
	sender.start();
	feedback.start();
	live.start();
	session.start();
	on(route.events, "change", turn);
	on(store.events, "change", changed);
	on(store.events, "trouble", trouble);
	on(recorder.events, "recorded", recorded);
	on(recorder.events, "cancelled", cancelled);
	on(recorder.events, "state", player.pause);
	byId("share").addEventListener("click", () => share(store.get(route.now().id)));
	byId("again").addEventListener("click", listenAgain);
	byId("sample").addEventListener("click", trySample);
	byId("device").addEventListener("click", () => home.press("device"));
	byId("device").hidden = !navigator.mediaDevices?.getDisplayMedia;
	addEventListener("resize", redraw);
	new MutationObserver(redraw).observe(document.documentElement, { attributeFilter: ["data-theme"] });
}

/** Change to another page, in one movement where the browser can. */
function turn({ route: to, before, top }) {
	const change = () => {
		arrive(to);
		scrollTo(0, top);
	};
	const moves = document.startViewTransition && !calm.matches && !document.hidden;
	const held = before.page === "home" && recorder.now() !== "idle";
	if (held) home.leave();
	if (moves) document.startViewTransition(change).finished.catch(() => null);
	else change();
}

function arrive({ page, id }) {
	const missing = page === "clip" && !store.get(id);
	if (!loaded && (missing || page === "history")) {
		present(page); // filled once the store is open
	} else if (missing) {
		toast(text("gone"));
		route.replace("history");
	} else {
		enter({ page, id });
	}
}

const isShown = ({ page, id }) => shown?.page === page && shown.id === id;

function enter(to) {
	const moved = shown && !isShown(to);
	if (moved) PAGES[shown.page].leave();
	shown = to;
	present(to.page);
	PAGES[to.page].show(to);
	announce();
	if (!moved) return;
	const target = recorder.now() === "idle" ? document.querySelector("main > :not([hidden]) h1") : byId("listen");
	target?.focus({ preventScroll: true });
}

function present(page) {
	document.body.dataset.page = page;
	delete document.documentElement.dataset.elsewhere;
	for (const each of Object.keys(PAGES)) byId(each).hidden = each !== page;
}

function changed({ id, kind }) {
	if (!shown) return;
	if (shown.page === "clip" && shown.id === id && kind === "removed") {
		route.replace("history");
		return;
	}
	if (shown.page === "clip") clipPage.changed({ id });
	if (shown.page === "history") historyPage.changed({ id, kind });
	announce();
}

/** Update the title and what can be shared, and announce news of the shown clip. */
function announce() {
	const clip = shown.page === "clip" ? store.get(shown.id) : null;
	const names = { home: "", clip: "", history: text("history"), about: text("about") };
	const title = clip ? summary(clip) : names[shown.page];
	byId("share").hidden = clip?.state !== "answered";
	document.title = title ? `${title} · Fifteen` : "Fifteen";
	const news = clip && `${clip.id} ${clip.state} ${clip.why}`;
	if (clip && news !== announced) say(clipPage.news(clip));
	announced = news;
}

function redraw() {
	PAGES[shown?.page ?? "home"].redraw?.();
}

async function recorded(recording) {
	const { blob, peak } = recording;
	const clip = clipOf(recording);
	if (!clip.answer && live.isSilent(peak) && live.isSilent((await ofFile(blob))?.peak ?? 0)) {
		home.complain(text("verdict.silence.reason"));
	} else {
		await keep(clip);
	}
}

/** A long session was cancelled by mistake, maybe: as with a deletion, there is a way back. */
function cancelled(recording) {
	if (!recording?.long) {
		toast(text("cancelled"));
		return;
	}
	const clip = clipOf(recording);
	const undo = { label: text("undo"), act: () => keep(clip) };
	toast(text("deleted", { name: text("recording") }), undo);
}

/** @returns {Partial<Clip>} */
function clipOf({ blob, levels, cut, long }) {
	const kept = long && session.clip();
	if (kept) return { ...kept, levels };
	return { audio: blob, levels, note: cut ? "microphone.cut" : null };
}

async function keep(clip) {
	const { id } = store.add(clip);
	if (route.now().page === "home" && recorder.now() === "idle") await show(id);
	else toast(text("added", { count: "1" }));
}

/** Show a new clip; its picture may lack frames that the screen missed. */
async function show(id) {
	buzz([40, 60, 40]);
	route.go("clip", id);
	await picture(id);
}

async function taken(ids) {
	if (recorder.now() !== "idle") toast(text("added", { count: String(ids.length) }));
	else if (ids.length === 1) route.go("clip", ids[0]);
	else route.go("history");
	for (const id of ids) await picture(id);
}

async function picture(id) {
	const { audio } = store.get(id) ?? {};
	const found = audio?.size ? await ofFile(audio) : null;
	if (found) await store.change(id, { levels: found.levels });
}

function listenAgain() {
	route.go("home");
	home.press();
}

async function trySample() {
	await taken([store.add({ name: text("sample"), audio: sample() }).id]);
}

async function trouble(reason) {
	await texts;
	const free = { label: text("free"), act: () => route.go("history") };
	const reload = { label: text("reload"), act: () => location.reload() };
	if (reason === "outdated") toast(text("update"), reload);
	else toast(text(`trouble.${reason}`), reason === "full" ? free : null);
}
