/** Explains a genre: its sound, its frequent confusions, its accuracy. */

import { byId, element } from "../dom.js";
import { capital, either, percent, text, textOr } from "../language.js";
import { modelCard } from "../service.js";
import { genreName } from "../words.js";

const OFTEN = 0.1; // of a genre's recordings
const MOST = 2; // genres that are named

export async function explain(genre, model) {
	const dialog = byId("explain");
	const taken = element("p", {});
	const figures = element("p", { class: "note" });
	dialog.replaceChildren(
		element("h2", {}, capital(genreName(genre))),
		element("p", {}, textOr(`about.${genre}`, "")),
		taken,
		figures,
		element("form", { method: "dialog" }, element("button", { class: "plain" }, text("close"))),
	);
	dialog.showModal();
	const card = await modelCard(model);
	const measured = card?.figures?.folds?.genre;
	taken.textContent = takenFor(card?.genres, measured?.confusion, genre);
	const row = measured?.per_genre?.find((each) => each.genre === genre);
	if (!row) return;
	const values = { precision: percent(row.precision), recall: percent(row.recall), count: String(row.clips) };
	figures.textContent = text("about.figures", values);
}

/** What a genre is taken for; the rows of the counts are true genres. */
function takenFor(genres, confusion, genre) {
	const counts = confusion?.[genres.indexOf(genre)];
	if (!counts) return "";
	const least = OFTEN * counts.reduce((sum, count) => sum + count, 0);
	const others = counts
		.map((count, place) => ({ name: genres[place], count }))
		.filter(({ name, count }) => name !== genre && count >= least && count > 0)
		.sort((a, b) => b.count - a.count);
	const names = others.slice(0, MOST).map(({ name }) => genreName(name));
	return names.length ? text("about.taken", { genres: either(names) }) : "";
}
