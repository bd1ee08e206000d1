/** Explains a genre: its sound, its frequent confusions, its accuracy. */

import { byId, element } from "../dom.js";
import { capital, either, percent, text, textOr } from "../language.js";
import { modelCard } from "../service.js";
import { genreName } from "../words.js";

/** From the confusion matrix in the card: at least a tenth of a genre's recordings. */
const TAKEN_FOR = {
	blues: ["jazz"],
	dubstep: ["house", "jazz"],
	jazz: ["classical"],
	metal: ["pop-punk"],
	"pop-punk": ["metal"],
	rap: ["dubstep"],
	reggae: ["rap"],
};

/** Show a genre in a dialog. */
export async function explain(genre, model) {
	const dialog = byId("explain");
	const figures = element("p", { class: "note" });
	const others = TAKEN_FOR[genre]?.map(genreName);
	const taken = others ? ` ${text("about.taken", { genres: either(others) })}` : "";
	dialog.replaceChildren(
		element("h2", {}, capital(genreName(genre))),
		element("p", {}, textOr(`about.${genre}`, ""), taken),
		figures,
		element("form", { method: "dialog" }, element("button", { class: "plain" }, text("close"))),
	);
	dialog.showModal();
	const card = await modelCard(model);
	const row = card?.figures?.folds?.genre?.per_genre?.find((each) => each.genre === genre);
	if (!row) return;
	const values = { precision: percent(row.precision), recall: percent(row.recall), count: String(row.clips) };
	figures.textContent = text("about.figures", values);
}
