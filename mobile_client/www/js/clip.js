/** The page of one recording: its answer, its refusal or its wait. */

import { read } from "./answer.js";
import { genreBars, genreName, gauges, plane, timeline } from "./charts.js";
import { button, byId, element } from "./dom.js";
import * as key from "./key.js";
import { either, moment, text, textOr } from "./language.js";
import { retry } from "./sender.js";
import { draw } from "./spectrogram.js";
import * as store from "./store.js";

const page = byId("clip");

let shown = null; // what the page shows, in words that are others after a change
let playing = null; // the address of the recording that the page's player has
let ticking = null;

/** Show a clip, or show it again after a change. */
export function show(id) {
  const clip = store.get(id);
  const { state, why, retryAt, levels } = clip;
  const now = [id, state, why, retryAt, levels?.reduce((sum, level) => sum + level)].join(" ");
  if (now === shown) return;
  const again = shown?.startsWith(`${id} `);
  if (!again) leave();
  shown = now;
  clearInterval(ticking);
  page.dataset.state = state;
  page.dataset.mood = (clip.answer && read(clip.answer).mood) ?? "";
  const player = again ? page.querySelector("audio") : playerOf(clip);
  const focused = again && page.contains(document.activeElement);
  page.replaceChildren(...(state === "answered" ? answered : unanswered)(clip, player));
  if (levels) draw(page.querySelector("canvas"), levels);
  if (focused) page.querySelector("h1").focus();
}

/** Let go of what the page holds. */
export function leave() {
  clearInterval(ticking);
  if (playing) URL.revokeObjectURL(playing);
  playing = null;
  shown = null;
}

/** A clip in one line, for lists and for who does not see. */
export function summary(clip) {
  if (clip.state !== "answered") return text(clip.why ?? clip.state);
  const { mood } = read(clip.answer);
  return mood ? `${headline(clip)}, ${text(`mood.${mood}`)}` : headline(clip);
}

/** What an answer is called: its genre, unless it is of none. */
export function headline(clip) {
  const { verdict, genre } = read(clip.answer);
  return textOr(`verdict.${verdict}`, genreName(genre));
}

function answered(clip, player) {
  const reading = read(clip.answer);
  const mood = reading.mood && text(`mood.${reading.mood}`);
  const figures = [
    reading.emotions.length ? panel("feel", gauges(reading.emotions)) : null,
    panel("moods", plane(reading.emotions, reading.mood)),
    reading.windows.length > 1 ? panel("timeline", timeline(reading.windows)) : null,
    panel("genres", genreBars(reading.genres)),
  ].filter((figure) => figure);
  const folded = element("summary", {}, text("anyway"));
  return [
    element(
      "div",
      { class: "glance" },
      medallion(headline(clip), mood),
      verdictOf(reading),
      ...reading.warnings.map(({ type, detail }) =>
        element("p", { class: "warning" }, textOr(`warning.${type}`, detail)),
      ),
    ),
    reading.heard
      ? element("div", { class: "figures" }, ...figures)
      : element("details", { class: "figures" }, folded, ...figures),
    element(
      "div",
      { class: "keeping" },
      player,
      origin(clip),
      element("div", { class: "actions" }, removal(clip)),
    ),
  ];
}

/** The verdict in words, where it is not the plain one. */
function verdictOf({ verdict, reason, genres }) {
  if (verdict === "confident") return null;
  const names = genres.slice(0, 2).map(({ genre }) => genreName(genre));
  const values = { both: either(names), first: names[0] };
  const sentence = textOr(`verdict.${verdict}.reason`, reason, values);
  return element("p", { class: "verdict" }, sentence);
}

function unanswered(clip, player) {
  const { problem } = clip;
  const reason = clip.why ? text(`${clip.why}.reason`) : "";
  const sentence = element("p", { class: "verdict" }, reason);
  if (clip.why === "busy") countDown(sentence, clip.retryAt);
  return [
    element(
      "div",
      { class: "glance" },
      medallion(text(clip.why ?? clip.state), null),
      ...(problem ? refusal(problem, clip) : [sentence]),
    ),
    element(
      "div",
      { class: "keeping" },
      player,
      origin(clip),
      element(
        "div",
        { class: "actions" },
        clip.state === "sending" ? null : button("again", text("retry"), () => retry(clip.id)),
        removal(clip),
      ),
    ),
  ];
}

/** What the service said, in its own words, and what to do. */
function refusal({ type, detail }, clip) {
  const slug = type.split(":").at(-1);
  return [
    element("p", { class: "verdict", lang: "en", dir: "ltr" }, detail),
    element("p", {}, textOr(`advice.${slug}`, text("advice"))),
    slug === "unauthorized" ? keyForm(clip) : null,
  ].filter((part) => part);
}

/** Asks for the key that the service wants, and tries again with it. */
function keyForm({ id }) {
  const input = element("input", { type: "password", autocomplete: "off", required: true });
  const onsubmit = (event) => {
    event.preventDefault();
    key.keep(input.value);
    retry(id);
  };
  return element(
    "form",
    { class: "key", onsubmit },
    element("label", {}, text("key"), input),
    element("button", { class: "plain" }, text("key.use")),
  );
}

function origin({ name, created }) {
  return element("p", { class: "note" }, name ? `${name} · ` : "", moment(created));
}

function countDown(node, until) {
  const tick = () => {
    const seconds = Math.max(0, Math.ceil((until - Date.now()) / 1000));
    node.textContent = text("busy.reason", { seconds: String(seconds) });
  };
  tick();
  ticking = setInterval(tick, 1000);
}

/** The ring with a name and a mood in it; the longest word must fit. */
function medallion(name, mood) {
  const title = element("h1", { tabindex: "-1" }, name);
  const letters = Math.max(...name.split(/[ -]/).map((word) => word.length));
  title.style.setProperty("--letters", letters);
  return element(
    "div",
    { class: "medallion" },
    element("canvas", { "aria-hidden": "true" }),
    title,
    mood && element("p", { class: "mood" }, mood),
  );
}

function panel(key, figure) {
  if (!figure) return null;
  return element("section", { class: `panel ${key}` }, element("h2", {}, text(key)), figure);
}

function playerOf(clip) {
  playing = URL.createObjectURL(clip.audio);
  return element("audio", { controls: true, src: playing, "aria-label": text("replay") });
}

function removal(clip) {
  return button("delete", text("delete"), async () => {
    location.hash = "#/history";
    await store.remove(clip.id);
  });
}
