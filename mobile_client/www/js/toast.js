/** A word in passing, seen and heard by a screen reader. */

import { byId } from "./dom.js";

const node = byId("status");
let timer = null;

/** Say something to everyone for a few seconds. */
export function toast(sentence) {
  say(sentence);
  node.classList.add("seen");
  clearTimeout(timer);
  timer = setTimeout(() => node.classList.remove("seen"), 4000);
}

/** Say something to who does not see the page. */
export function say(sentence) {
  node.textContent = sentence;
}
