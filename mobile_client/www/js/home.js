/** The first page: one button that listens. */

import { byId } from "./dom.js";
import { text } from "./language.js";
import { MIN_SECONDS, MicrophoneError, SECONDS, record } from "./recorder.js";
import { COLUMNS, draw } from "./spectrogram.js";

const button = byId("listen");
const canvas = byId("live");
const caption = byId("listen-caption");
const count = byId("listen-count");
const meter = byId("level");
const complaint = byId("complaint");

let recording = null;
let soFar = 0; // seconds
let asking = false;

/**
 * Wire the page.
 * @param {{heard: (recording: {blob: Blob, levels: Uint8Array}) => void, say: (text: string) =>
 *   void}} on Told of a recording, and what to tell who does not see.
 */
export function start(on) {
  button.addEventListener("click", () => (recording ? finish() : listen(on)));
  byId("cancel").addEventListener("click", cancel);
  addEventListener("keydown", (event) => event.key === "Escape" && cancel());
}

/** Stop listening, and forget what was heard. */
export function cancel() {
  recording?.cancel();
}

/** Begin as if the button were pressed. */
export const press = () => button.click();

/** Say what is wrong, and offer the file picker. */
export function complain(sentence) {
  complaint.textContent = sentence;
  complaint.hidden = !sentence;
}

async function listen(on) {
  if (asking) return;
  asking = true;
  complain("");
  let drawn = 0;
  try {
    recording = await record((seconds, level, levels) => {
      const column = Math.floor((seconds / SECONDS) * COLUMNS);
      if (column > drawn) draw(canvas, levels, drawn, column);
      drawn = column;
      show(seconds, level);
    });
  } catch (error) {
    if (!(error instanceof MicrophoneError)) throw error;
    complain(text(`microphone.${error.reason}`));
    return;
  } finally {
    asking = false;
  }
  document.body.classList.add("listening");
  caption.textContent = text("listening");
  show(0, 0);
  on.say(text("listening"));
  navigator.vibrate?.(20);
  const heard = await recording.finished;
  recording = null;
  document.body.classList.remove("listening");
  caption.textContent = text("listen");
  count.textContent = "";
  if (heard) navigator.vibrate?.([40, 60, 40]);
  if (heard) on.heard(heard);
  else on.say(text("cancelled"));
}

function show(seconds, level) {
  soFar = seconds;
  const left = String(Math.ceil(SECONDS - seconds));
  if (count.textContent !== left) count.textContent = left;
  if (seconds >= MIN_SECONDS) caption.textContent = text("stop");
  button.style.setProperty("--progress", `${(seconds / SECONDS) * 360}deg`);
  button.style.setProperty("--level", level.toFixed(2));
  meter.value = level;
}

function finish() {
  if (soFar >= MIN_SECONDS) recording.stop();
}
