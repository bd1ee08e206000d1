/** Deleting, with a way back for a few seconds. */

import { text } from "../language.js";
import * as store from "../store.js";
import { toast } from "../toast.js";
import { title } from "../words.js";

export function removeWithUndo(...ids) {
	const clips = ids.map((id) => store.get(id)).filter((clip) => clip);
	for (const id of ids) store.remove(id);
	const names = clips.length === 1 ? title(clips[0]) : String(clips.length);
	toast(text("deleted", { name: names }), {
		label: text("undo"),
		act: () => clips.forEach((clip) => store.restore(clip)),
	});
}
