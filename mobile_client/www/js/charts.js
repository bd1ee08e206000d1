/** Pictures of an answer: bars, gauges, the plane of moods, the timeline. */

import { drawing, element } from "./dom.js";
import { clock, percent, text, textOr } from "./language.js";

const SIDE = 200; // of the plane
const CORNERS = { tense: [0, 0], joyful: [100, 0], melancholy: [0, 100], serene: [100, 100] };

/** A genre's name in the person's language. */
export const genreName = (genre) => textOr(`genre.${genre}`, genre);

/** Genres as bars, the most probable first. */
export function genreBars(genres) {
  const rows = genres.map(({ genre, probability }) =>
    element(
      "li",
      {},
      element("span", {}, genreName(genre)),
      track(element("i", { class: "fill" }), probability),
      element("b", {}, percent(probability)),
    ),
  );
  return element("ul", { class: "bars" }, ...rows);
}

/** Emotions as gauges, each with its interval and percentile where the answer has them. */
export function gauges(emotions) {
  return element("dl", { class: "gauges" }, ...emotions.map(gauge));
}

function gauge({ name, value, low, high, percentile }) {
  const marks = element("div", { class: "track", "aria-hidden": "true" });
  if (low !== null) marks.append(placed("band", low, high));
  marks.append(placed("dot", value));
  const figures = [
    low === null ? null : text("interval", { low: percent(low), high: percent(high) }),
    percentile === null ? null : text("percentile", { share: percent(percentile / 100) }),
  ].filter((figure) => figure);
  return element(
    "div",
    {},
    element("dt", {}, text(name)),
    element("dd", { class: "value" }, percent(value)),
    element(
      "dd",
      { class: "scale" },
      element("span", {}, text(`${name}.low`)),
      marks,
      element("span", {}, text(`${name}.high`)),
    ),
    figures.length ? element("dd", { class: "note" }, figures.join(" · ")) : null,
  );
}

function placed(kind, from, to = from) {
  const mark = element("i", { class: kind });
  mark.style.setProperty("inset-inline-start", `${from * 100}%`);
  if (to !== from) mark.style.setProperty("inline-size", `${(to - from) * 100}%`);
  return mark;
}

function track(fill, share) {
  fill.style.setProperty("inline-size", `${share * 100}%`);
  return element("div", { class: "track", "aria-hidden": "true" }, fill);
}

/** A point in the plane of valence and energy; null where an answer lacks one of them. */
export function plane(emotions, mood) {
  const [x, y] = ["valence", "energy"].map((name) => emotions.find((each) => each.name === name));
  if (!x || !y) return null;
  const label = text("plane", { valence: percent(x.value), energy: percent(y.value) });
  return drawing(
    "svg",
    { class: "plane", viewBox: "-16 -2 218 220", role: "img", "aria-label": label, direction: "ltr" },
    drawing("rect", { width: SIDE, height: SIDE, rx: 14, class: "field" }),
    ...Object.keys(CORNERS).map((name) => corner(name, name === mood)),
    drawing("path", { d: "M100 0V200M0 100H200", class: "axis" }),
    spread(x, y),
    drawing("circle", { cx: SIDE * x.value, cy: SIDE * (1 - y.value), r: 8, class: "point" }),
    drawing("text", { x: 100, y: 214, class: "name" }, `${text("valence")} →`),
    drawing("text", { x: -100, y: -6, transform: "rotate(-90)", class: "name" }, `${text("energy")} →`),
  );
}

function corner(name, here) {
  const [x, y] = CORNERS[name];
  const kind = here ? "here" : "there";
  return drawing(
    "g",
    { class: kind },
    drawing("rect", { x, y, width: SIDE / 2, height: SIDE / 2, rx: 14 }),
    drawing("text", { x: x + SIDE / 4, y: y ? SIDE - 12 : 20 }, text(`mood.${name}`)),
  );
}

/** The intervals of both, where there are any. */
function spread(x, y) {
  const [left, right] = [x.low ?? x.value, x.high ?? x.value];
  const [bottom, top] = [y.low ?? y.value, y.high ?? y.value];
  const place = { x: SIDE * left, y: SIDE * (1 - top) };
  const size = { width: SIDE * (right - left), height: SIDE * (top - bottom) };
  return drawing("rect", { ...place, ...size, rx: 8, class: "range" });
}

/** What a long recording is, window by window: the higher a bar, the more energy. */
export function timeline(windows) {
  const bars = windows.map((window) => {
    const bar = element("i", { "data-mood": window.mood });
    bar.style.setProperty("block-size", `${20 + 80 * (window.energy ?? 1)}%`);
    return bar;
  });
  const parts = runs(windows).map(({ genre, start, end }) => {
    const span = `${clock(start)} – ${clock(end)}`;
    return element("li", {}, element("span", {}, genreName(genre)), element("time", {}, span));
  });
  return element(
    "div",
    { class: "timeline" },
    element("div", { class: "windows", "aria-hidden": "true" }, ...bars),
    element("ol", {}, ...parts),
  );
}

/** Neighbouring windows of one genre, as one. */
function runs(windows) {
  const found = [];
  for (const { genre, start, end } of windows) {
    const last = found.at(-1);
    if (last?.genre === genre) last.end = end;
    else found.push({ genre, start, end });
  }
  return found;
}
