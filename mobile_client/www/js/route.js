/**
 * Which page is shown. This module alone reads and writes the address: a query names the page, so that
 * any static host works.
 */

import { emit } from "./events.js";

/** Fires "change" with the new route, the old one and the place to scroll to. */
export const events = new EventTarget();

/** @type {Map<string, number>} How far each entry of the history was scrolled. */
const scrolled = new Map();

let route = read();
let entry = begin();

export const now = () => route;

export function address(page, id = null) {
	const query = { home: "", clip: `?clip=${encodeURIComponent(id)}`, history: "?history", about: "?about" }[page];
	return new URL(`./${query}`, document.baseURI).href;
}

/** Go to a page; to the one that is shown already, nothing happens. */
export function go(page, id = null) {
	if (page === route.page && id === route.id) return;
	entry = name();
	history.pushState({ entry }, "", address(page, id));
	arrive(0);
}

/** Show another page in the place of this one, in the browser's history too. */
export function replace(page, id = null) {
	history.replaceState({ entry }, "", address(page, id));
	arrive(0);
}

export function follow() {
	addEventListener("popstate", () => {
		entry = history.state?.entry ?? name();
		arrive(scrolled.get(entry) ?? 0);
	});
	addEventListener("scroll", () => scrolled.set(entry, scrollY), { passive: true });
	document.addEventListener("click", (event) => {
		const link = event.target instanceof Element && event.target.closest("a[data-go]");
		if (!link || event.defaultPrevented) return;
		if (event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
		event.preventDefault();
		const { page, id } = read(new URL(link.getAttribute("href"), document.baseURI).search);
		go(page, id);
	});
}

/** Whether the address wants to listen at once, as a shortcut does; after a reload it does not. */
export function wantsToListen() {
	const wanted = new URLSearchParams(location.search).has("listen");
	if (wanted) history.replaceState({ entry }, "", address("home"));
	return wanted;
}

function arrive(top) {
	const before = route;
	route = read();
	emit(events, "change", { route, before, top });
}

/** @returns {Route} */
function read(search = location.search) {
	const query = new URLSearchParams(search);
	if (query.has("clip")) return { page: "clip", id: query.get("clip") };
	const page = query.has("history") ? "history" : query.has("about") ? "about" : "home";
	return { page, id: null };
}

function begin() {
	history.scrollRestoration = "manual";
	const first = history.state?.entry ?? name();
	history.replaceState({ entry: first }, "");
	return first;
}

function name() {
	return Math.random().toString(36).slice(2);
}
