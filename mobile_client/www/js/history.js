/** The page of all recordings. */

import { read } from "./answer.js";
import { summary } from "./clip.js";
import { button, byId, element } from "./dom.js";
import { csv, json, save } from "./export.js";
import { moment, text } from "./language.js";
import { draw } from "./spectrogram.js";
import * as store from "./store.js";

const page = byId("history");

/** Show the recordings, the newest first. */
export function show() {
  const clips = store.all();
  const title = element("h1", { tabindex: "-1" }, text("history"));
  if (!clips.length) {
    page.replaceChildren(title, element("p", { class: "note" }, text("history.empty")));
    return;
  }
  page.replaceChildren(
    title,
    element("ul", { class: "clips" }, ...clips.map(row)),
    element(
      "div",
      { class: "actions" },
      button("save", "JSON", () => save(json(clips)), { "aria-label": text("export.json") }),
      button("save", "CSV", () => save(csv(clips)), { "aria-label": text("export.csv") }),
    ),
  );
  for (const clip of clips) if (clip.levels) draw(byId(`picture-${clip.id}`), clip.levels);
}

function row(clip) {
  const mood = (clip.answer && read(clip.answer).mood) ?? "";
  return element(
    "li",
    { "data-mood": mood, "data-state": clip.state },
    element(
      "a",
      { href: `#/clip/${clip.id}` },
      element("canvas", { id: `picture-${clip.id}`, "aria-hidden": "true" }),
      element("b", {}, summary(clip)),
      element("span", { class: "note" }, clip.name ? `${clip.name} · ` : "", moment(clip.created)),
    ),
    button("delete", "", () => store.remove(clip.id), {
      class: "quiet",
      "aria-label": text("delete.named", { name: clip.name ?? moment(clip.created) }),
    }),
  );
}
