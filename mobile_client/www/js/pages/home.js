/** The first page: one button that listens. */

import { windowOf } from "../answer.js";
import { timeline } from "../charts.js";
import { buzz, lock } from "../device.js";
import { byId, fit } from "../dom.js";
import { on } from "../events.js";
import { clock, text } from "../language.js";
import * as live from "../live.js";
import * as recorder from "../recorder.js";
import * as ring from "../ring.js";
import * as session from "../session.js";
import * as spectrogram from "../spectrogram.js";
import { say } from "../toast.js";
import { headline } from "../words.js";

const SURE_MS = 2500; // to say "listen longer" before it ends early

const page = byId("home");
const button = byId("listen");
const canvas = byId("live");
const disc = byId("disc");
const caption = byId("listen-caption");
const count = byId("listen-count");
const meter = byId("level");
const complaint = byId("complaint");
const soFar = byId("so-far");
const hint = byId("hint");
const longer = byId("longer");
const heard = byId("heard");

let ending = null; // the timer that ends a recording whose answer is sure
let goesOn = false; // the person wants more than a sure answer
let levels = null; // of the recording, as far as it is drawn
let left = null; // seconds, as last shown

export function start() {
	button.addEventListener("click", () => press());
	byId("cancel").addEventListener("click", recorder.cancel);
	longer.addEventListener("click", goOn);
	addEventListener("keydown", ({ key }) => key === "Escape" && leave());
	on(recorder.events, "state", stateChanged);
	on(recorder.events, "frame", draw);
	on(recorder.events, "muted", () => complain(text("microphone.busy")));
	on(recorder.events, "failed", (reason) => complain(text(`microphone.${reason}`)));
	on(live.events, "answer", answered);
	on(live.events, "quiet", quiet);
	on(live.events, "failed", () => (soFar.textContent = text("refused")));
	on(session.events, "change", grow);
	forgetOnceAllowed();
}

export function show() {
	if (recorder.now() === "idle") ring.draw(canvas, spectrogram.idle());
}

/** Leave the page: the microphone is never open where its controls are not. */
export function leave() {
	if (recorder.keeps() && recorder.isEnough()) recorder.stop();
	else recorder.cancel();
	complain("");
}

export function redraw() {
	if (levels) ring.draw(canvas, levels, { rim: true, to: drawnTo() });
	else ring.draw(canvas, spectrogram.idle());
}

export function press(/** @type {"microphone"|"device"} */ source = "microphone") {
	if (recorder.now() === "idle") {
		complain("");
		recorder.start(source);
	} else if (recorder.isEnough()) {
		recorder.stop();
	} else if (recorder.now() === "listening") {
		shake();
	}
}

export function complain(sentence) {
	complaint.textContent = sentence;
	complaint.hidden = !sentence;
}

function stateChanged(/** @type {RecorderState} */ state) {
	document.body.dataset.recorder = state;
	clearTimeout(ending);
	levels = null;
	name({ idle: "listen", asking: "asking", listening: "listening", closing: "asking" }[state]);
	soFar.textContent = "";
	delete document.body.dataset.keeps;
	heard.replaceChildren();
	longer.hidden = state !== "listening";
	page.dataset.mood = "";
	hint.textContent = text(state === "asking" ? "asking.reason" : "hint");
	disc.style.transform = "";
	if (state === "idle") count.textContent = "";
	if (state === "listening") begin();
	else if (state === "idle") ring.draw(canvas, spectrogram.idle());
	lock(state === "listening");
}

function begin() {
	[ending, goesOn] = [null, false];
	longer.textContent = text("keep");
	meter.setAttribute("aria-label", text("level"));
	complain("");
	ring.clear(canvas);
	left = recorder.SECONDS;
	count.textContent = String(left);
	say(text("listening"));
	buzz(20);
}

function name(key) {
	caption.textContent = text(key);
	fit(caption);
}

function draw({ seconds, level, levels: all, from, to }) {
	levels = all;
	if (to > from) drawColumns(from, to);
	meter.value = level;
	disc.style.transform = `scale(${(0.9 + 0.1 * level).toFixed(3)})`;
	if (recorder.keeps()) {
		count.textContent = clock(seconds);
		return;
	}
	const now = Math.max(0, Math.ceil(recorder.SECONDS - seconds));
	if (now === left) return;
	left = now;
	count.textContent = String(left);
	if (seconds >= recorder.MIN_SECONDS) name("stop");
	if (left === 5) say(text("left", { seconds: "5" }));
}

/** Draw new columns; the whole ring, where they reach its first one again. */
function drawColumns(first, end) {
	const from = first % spectrogram.COLUMNS;
	const to = from + end - first;
	const again = to > spectrogram.COLUMNS || (from === 0 && first > 0);
	ring.draw(canvas, levels, again ? { rim: true } : { from, to, rim: true });
}

const drawnTo = () => Math.ceil(Math.min(1, recorder.seconds() / recorder.SECONDS) * spectrogram.COLUMNS);

function answered({ reading, seconds, sure }) {
	if (recorder.now() !== "listening") return;
	complain("");
	const figures = { answer: headline(reading), seconds: String(Math.round(seconds)) };
	const sentence = text(recorder.keeps() ? "now" : sure ? "sure-after" : "so-far", figures);
	const news = sentence !== soFar.textContent;
	soFar.textContent = sentence;
	if (page.dataset.mood !== (reading.mood ?? "")) {
		page.dataset.mood = reading.mood ?? "";
		redraw();
	}
	if (recorder.keeps() && news) say(sentence);
	if (!sure || ending || goesOn || recorder.keeps()) return;
	say(sentence);
	longer.textContent = text("longer");
	ending = setTimeout(recorder.stop, SURE_MS);
}

/** Do not end early; a second time, do not end at all. */
function goOn() {
	if (ending) {
		clearTimeout(ending);
		[ending, goesOn] = [null, true];
		longer.textContent = text("keep");
		return;
	}
	recorder.keep();
	longer.hidden = true;
	document.body.dataset.keeps = "";
	name("stop");
	button.focus();
}

function grow(windows) {
	if (recorder.keeps()) heard.replaceChildren(timeline(windows.map(windowOf), null));
}

function quiet(nothing) {
	const words = text("verdict.silence.reason");
	if (nothing) complain(words);
	else if (complaint.textContent === words) complain("");
}

function shake() {
	soFar.textContent = text("problem.clip-too-short");
	say(text("problem.clip-too-short"));
}

/** Clear the error once the person allows the microphone. */
async function forgetOnceAllowed() {
	try {
		const name = /** @type {PermissionName} */ ("microphone");
		const permission = await navigator.permissions.query({ name });
		permission.onchange = () => permission.state !== "denied" && complain("");
	} catch {
		// This browser cannot report it.
	}
}
