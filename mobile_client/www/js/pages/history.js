/** The page of all recordings: a diary by days, with search, filters and export. */

import { named, read } from "../answer.js";
import { button, byId, choice, element, plain } from "../dom.js";
import { csv, json, labelled, read as readExport, save } from "../export.js";
import { capital, day, megabytes, moment, text, time } from "../language.js";
import * as ring from "../ring.js";
import { address } from "../route.js";
import * as store from "../store.js";
import { say, toast } from "../toast.js";
import { genreName, moodOf, summary, title } from "../words.js";
import { removeWithUndo } from "./removal.js";
import { map } from "./map.js";

const SETTLED_MS = 200;
const FIRST_ROWS = 30; // the others come near the end of the list

const page = byId("history");
const list = element("div", { class: "days" });
const end = element("div", { class: "end", "aria-hidden": "true" });
const empty = element("p", { class: "note" });
const search = element("input", { class: "entry", type: "search", oninput: refill });
const genres = element("select", { class: "entry", onchange: refill });
const moods = element("div", { class: "choices", role: "group" });
const selection = element("div", { class: "selection" });
const count = element("p", {});
const tools = element("div", { class: "tools" });
const footer = element("div", { class: "foot" });
const used = element("p", { class: "note" });

/** @type {Map<string, HTMLElement>} By their clip's id. */
const rows = new Map();
/** @type {Map<string, HTMLElement>} By the day. */
const sections = new Map();
/** @type {?Set<string>} The selected clips; null while none can be selected. */
let chosen = null;
let mood = null; // of the filter
let most = FIRST_ROWS;
let visible = false;
let pressed = false; // a finger is down: its target must not move
let settling = null;
let late = false; // rows must be updated once it is up

page.addEventListener("pointerdown", () => {
	pressed = true;
});
for (const name of ["pointerup", "pointercancel"]) addEventListener(name, () => setTimeout(lifted));

const nearEnd = new IntersectionObserver(([entry]) => entry.isIntersecting && more(), {
	rootMargin: "400px",
});
const pictures = new IntersectionObserver(paint, { rootMargin: "200px" });

export function show() {
	visible = true;
	most = Math.max(FIRST_ROWS, rows.size);
	page.replaceChildren(element("h1", { tabindex: "-1" }, text("history")), tools, empty, list, end, footer);
	fillTools();
	fillFooter();
	refill();
	nearEnd.observe(end);
}

export function leave() {
	visible = false;
	nearEnd.disconnect();
}

export function redraw() {
	for (const row of rows.values()) pictureLater(row);
}

export function changed({ id, kind }) {
	const row = rows.get(id);
	const clip = store.get(id);
	if (!row || kind === "removed" || !clip || !matches(clip)) refill();
	else if (row.dataset.look !== lookOf(clip)) update(row, clip);
	else if (kind === "changed") pictureLater(row);
	showEmpty();
	showUsed();
	clearTimeout(settling);
	settling = setTimeout(settled, SETTLED_MS);
}

function settled() {
	fillGenres();
	countSelected();
}

const matching = () => store.all().filter(matches);

function matches(clip) {
	const words = search.value.trim().toLocaleLowerCase();
	if (words && !`${summary(clip)} ${title(clip)}`.toLocaleLowerCase().includes(words)) return false;
	if (mood && moodOf(clip) !== mood) return false;
	return !genres.value || genresOf(clip).includes(genres.value);
}

const genresOf = (clip) => (clip.answer ? named(read(clip.answer)) : []);

/** Put the rows in order; one in its place stays untouched, as a finger may be on it. */
function refill() {
	late = pressed;
	if (late) return;
	countSelected();
	const clips = matching().slice(0, most);
	const wanted = new Set(clips.map(({ id }) => id));
	for (const id of [...rows.keys()]) if (!wanted.has(id)) drop(id);
	const places = new Map(); // of the next row in each day's list
	let section = list.firstElementChild;
	for (const clip of clips) {
		const name = day(clip.created);
		if (!places.has(name)) {
			section = settle(list, section, sections.get(name) ?? sectionOf(name));
			places.set(name, sections.get(name).lastElementChild.firstElementChild);
		}
		const row = rows.get(clip.id) ?? make(clip);
		if (row.dataset.look !== lookOf(clip)) update(row, clip); // it changed while it was not shown
		places.set(name, settle(sections.get(name).lastElementChild, places.get(name), row));
	}
	showEmpty();
}

function settle(parent, place, child) {
	if (place === child) return child.nextElementSibling;
	parent.insertBefore(child, place);
	return place;
}

function sectionOf(name) {
	const section = element("section", {}, element("h2", {}, name), element("ul", { class: "clips" }));
	sections.set(name, section);
	return section;
}

function lifted() {
	pressed = false;
	if (late) refill();
}

function more() {
	if (!visible || most >= matching().length) return;
	most += FIRST_ROWS;
	refill();
	nearEnd.unobserve(end);
	nearEnd.observe(end); // it may still be visible
}

function showEmpty() {
	const any = store.all().length > 0;
	empty.hidden = rows.size > 0;
	empty.textContent = text(any ? "history.none" : "history.empty");
	tools.hidden = footer.hidden = !any;
}

function make(clip) {
	const { id } = clip;
	const link = element(
		"a",
		{ href: address("clip", id), "data-go": true },
		element("canvas", { "aria-hidden": "true" }),
		element("b", {}),
		element("span", { class: "note" }),
	);
	const box = element("input", { type: "checkbox", onchange: () => choose(id, box.checked) });
	const row = element("li", {}, box, link, button("delete", "", () => remove(id), { class: "quiet" }));
	row.dataset.id = id;
	rows.set(id, row);
	update(row, clip);
	return row;
}

const lookOf = (clip) => [summary(clip), title(clip), clip.state, store.isKept(clip.id)].join("|");

function update(row, clip) {
	row.dataset.look = lookOf(clip);
	row.dataset.mood = moodOf(clip);
	row.dataset.state = clip.state;
	const note = [title(clip), time(clip.created), store.isKept(clip.id) ? "" : text("unkept")];
	row.querySelector("b").textContent = summary(clip);
	row.querySelector(".note").textContent = note.filter((part) => part).join(" · ");
	const name = clip.name ?? moment(clip.created);
	row.querySelector(".quiet").setAttribute("aria-label", `${text("delete")}: ${name}`);
	row.querySelector("input").setAttribute("aria-label", `${text("select")}: ${name}`);
	check(row);
	pictureLater(row);
}

/** Delete a clip; the focus goes to its neighbour. */
function remove(id) {
	const all = [...page.querySelectorAll(".clips li")];
	const place = all.indexOf(rows.get(id));
	const next = all[place + 1] ?? all[place - 1];
	removeWithUndo(id);
	const target = next?.querySelector(".quiet") ?? page.querySelector("h1");
	if (target instanceof HTMLElement) target.focus();
}

function drop(id) {
	const row = rows.get(id);
	if (!row) return;
	const section = row.closest("section");
	pictures.unobserve(row);
	row.remove();
	rows.delete(id);
	if (section?.querySelector("li")) return;
	section?.remove();
	for (const [name, each] of sections) if (each === section) sections.delete(name);
}

function pictureLater(row) {
	pictures.unobserve(row);
	pictures.observe(row);
}

function paint(entries) {
	for (const { target, isIntersecting } of entries) {
		if (!isIntersecting) continue;
		pictures.unobserve(target);
		const { levels } = store.get(target.dataset.id) ?? {};
		if (levels) ring.draw(target.querySelector("canvas"), levels);
	}
}

function fillTools() {
	search.placeholder = text("search");
	search.setAttribute("aria-label", text("search"));
	moods.setAttribute("aria-label", text("valence"));
	const names = ["joyful", "tense", "serene", "melancholy"];
	const choices = names.map((name) =>
		choice(text(`mood.${name}`), mood === name, () => filter(mood === name ? null : name), { "data-mood": name }),
	);
	moods.replaceChildren(...choices);
	fillGenres();
	select(null);
	tools.replaceChildren(search, genres, moods, selection);
}

function fillGenres() {
	const names = [...new Set(store.all().flatMap(genresOf))].sort();
	const listed = ["", ...names];
	genres.setAttribute("aria-label", text("genres"));
	if (genres.length && String([...genres.options].map(({ value }) => value)) === String(listed)) return;
	const { value } = genres;
	const label = (name) => (name ? capital(genreName(name)) : text("genres"));
	genres.replaceChildren(...listed.map((name) => element("option", { value: name }, label(name))));
	genres.value = listed.includes(value) ? value : "";
}

function select(/** @type {?string[]} */ ids) {
	chosen = ids && new Set(ids);
	page.classList.toggle("selecting", chosen !== null);
	for (const row of rows.values()) check(row);
	const actions = [
		plain(text("all"), () => pick(matching().map(({ id }) => id))),
		...exportsOf(selected),
		button("delete", text("delete"), removeSelected),
		plain(text("cancel"), () => pick(null)),
	];
	const begin = plain(text("select"), () => pick([]));
	selection.replaceChildren(...(chosen ? [count, element("div", { class: "actions" }, actions)] : [begin]));
	countSelected();
}

/** Select, by the person: the focus stays here. */
function pick(ids) {
	select(ids);
	selection.querySelector("button").focus();
	say(count.textContent);
}

function choose(id, wanted) {
	if (wanted) chosen.add(id);
	else chosen.delete(id);
	countSelected();
	say(count.textContent);
}

const selected = () => matching().filter(({ id }) => chosen?.has(id));

function countSelected() {
	count.textContent = chosen ? text("selected", { count: String(selected().length) }) : "";
}

function check(row) {
	row.querySelector("input").checked = chosen?.has(row.dataset.id) ?? false;
}

function removeSelected() {
	const ids = selected().map(({ id }) => id);
	pick(null);
	if (ids.length) removeWithUndo(...ids);
}

function exportsOf(clips) {
	const label = (kind) => ({ "aria-label": text("export", { kind }) });
	return [
		button("save", "JSON", () => save(json(clips())), label("JSON")),
		button("save", "CSV", () => save(csv(clips())), label("CSV")),
		button("save", text("export.labels"), () => saveLabels(clips())),
	];
}

function filter(name) {
	mood = name;
	for (const each of moods.querySelectorAll("button")) {
		each.setAttribute("aria-pressed", String(each.dataset.mood === name));
	}
	refill();
}

function showUsed() {
	used.textContent = text("used", { size: megabytes(store.bytes()) });
}

function fillFooter() {
	showUsed();
	const accept = ".json,application/json";
	const input = element("input", { type: "file", accept, onchange: () => take(input) });
	const plane = map(store.all());
	const actions = element(
		"div",
		{ class: "actions" },
		...exportsOf(store.all),
		element("label", { class: "plain" }, input, text("import")),
		button("delete", text("free"), free),
	);
	footer.replaceChildren(...[plane, actions, used].filter((part) => part));
}

async function saveLabels(clips) {
	const file = await labelled(clips);
	if (file) save(file);
	else toast(text("labels.none"));
}

async function take(input) {
	const clips = await readExport(input.files[0]);
	input.value = "";
	for (const clip of clips ?? []) if (!store.get(clip.id)) store.restore(clip);
	toast(clips ? text("added", { count: String(clips.length) }) : text("import.failed"));
}

async function free() {
	if (!confirm(text("free.ask"))) return;
	await store.freeSounds();
	showUsed();
}
