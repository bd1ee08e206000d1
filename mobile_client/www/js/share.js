/** An answer as a picture, to share. */

import { read } from "./answer.js";
import { headline, summary } from "./clip.js";
import { save } from "./export.js";
import { percent, text } from "./language.js";
import { ring } from "./spectrogram.js";
import { toast } from "./toast.js";

const WIDTH = 1080;
const HEIGHT = 1350;
const FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif";

/** Share a clip's picture: by the system, else by the clipboard, else as a file. */
export async function share(clip) {
  const blob = picture(clip);
  if (navigator.canShare) {
    const files = [new File([await blob], "fifteen.png", { type: "image/png" })];
    if (navigator.canShare({ files })) {
      await navigator.share({ files, text: summary(clip) }).catch(unlessLeft);
      return;
    }
  }
  try {
    await navigator.clipboard.write([new ClipboardItem({ "image/png": blob })]);
    toast(text("copied"));
  } catch {
    save(new File([await blob], "fifteen.png", { type: "image/png" }));
  }
}

function unlessLeft(error) {
  if (error.name !== "AbortError") throw error; // the person changed their mind
}

/** @returns {Promise<Blob>} */
function picture(clip) {
  const { mood, emotions } = read(clip.answer);
  const name = headline(clip);
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [WIDTH, HEIGHT];
  const context = canvas.getContext("2d");
  const colour = (name) => getComputedStyle(document.getElementById("clip")).getPropertyValue(name);
  context.fillStyle = colour("--paper");
  context.fillRect(0, 0, WIDTH, HEIGHT);
  context.strokeStyle = colour("--mood");
  if (clip.levels) ring(context, WIDTH / 2, 500, 420, clip.levels);
  context.textAlign = "center";
  write(context, name, 800, name.length > 9 ? 64 : 92, mood ? 500 : 530, colour("--ink"));
  if (mood) write(context, text(`mood.${mood}`), 600, 54, 580, colour("--mood-ink"));
  emotions.forEach((emotion, row) => bar(context, emotion, 1010 + row * 80, colour));
  write(context, "Fifteen", 700, 36, 1290, colour("--faint"));
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}

function write(context, words, weight, size, y, colour, x = WIDTH / 2) {
  context.font = `${weight} ${size}px ${FONT}`;
  context.fillStyle = colour;
  context.fillText(words, x, y);
}

function bar(context, { name, value }, y, colour) {
  context.textAlign = "left";
  write(context, text(name), 500, 36, y + 12, colour("--ink"), 120);
  context.textAlign = "right";
  write(context, percent(value), 700, 36, y + 12, colour("--ink"), WIDTH - 120);
  context.textAlign = "center";
  context.lineCap = "round";
  context.lineWidth = 14;
  for (const [share, ink] of [[1, colour("--line")], [value, colour("--mood")]]) {
    context.strokeStyle = ink;
    context.beginPath();
    context.moveTo(460, y);
    context.lineTo(460 + share * 370, y);
    context.stroke();
  }
}
