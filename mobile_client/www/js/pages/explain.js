/** Explains a genre: its sound, its frequent confusions, its accuracy. */

import { byId, element } from "../dom.js";
import { capital, either, percent, text, textOr } from "../language.js";
import { modelCard } from "../service.js";
import { genreName } from "../words.js";

/** Share of a genre's recordings that another genre needs to be named. */
const OFTEN = 0.1;

/** Show a genre in a dialog. */
export async function explain(genre, model) {
	const dialog = byId("explain");
	const [taken, figures] = [element("span"), element("p", { class: "note" })];
	dialog.replaceChildren(
		element("h2", {}, capital(genreName(genre))),
		element("p", {}, textOr(`about.${genre}`, ""), taken),
		figures,
		element("form", { method: "dialog" }, element("button", { class: "plain" }, text("close"))),
	);
	dialog.showModal();
	const card = await modelCard(model);
	const measured = card?.figures?.folds?.genre;
	const row = measured?.per_genre?.find((each) => each.genre === genre);
	if (!row) return;
	const others = takenFor(card.genres, measured.confusion, genre).map(genreName);
	if (others.length) taken.textContent = ` ${text("about.taken", { genres: either(others) })}`;
	const values = { precision: percent(row.precision), recall: percent(row.recall), count: String(row.clips) };
	figures.textContent = text("about.figures", values);
}

/** The genres that a genre is often taken for, the most frequent first; none for a card without the counts. */
function takenFor(genres, confusion, genre) {
	const counts = confusion?.[genres.indexOf(genre)] ?? [];
	const least = OFTEN * counts.reduce((sum, count) => sum + count, 0);
	return genres
		.map((name, place) => ({ name, count: counts[place] }))
		.filter((each) => each.name !== genre && each.count > 0 && each.count >= least)
		.sort((one, other) => other.count - one.count)
		.map((each) => each.name);
}
