/** Sends what waits, one clip after the other, the oldest first. */

import { BusyError, RefusedError, UnreachableError, analyze } from "./service.js";
import * as store from "./store.js";

const UNREACHABLE_SECONDS = 30; // until the next try, unless the browser tells of a network before

let sending = false;
let timer = null;

/** Send all that waits; where the service is busy or cannot be reached, try again later. */
export async function drain() {
  if (sending) return;
  sending = true;
  clearTimeout(timer);
  try {
    for (let clip = next(); clip; clip = next()) {
      const seconds = clip.retryAt > Date.now() ? (clip.retryAt - Date.now()) / 1000 : await send(clip);
      if (!seconds) continue;
      timer = setTimeout(drain, seconds * 1000);
      break;
    }
  } finally {
    sending = false;
  }
}

/** Send a clip that was refused, or that waits, now. */
export async function retry(id) {
  await store.change(id, { state: "waiting", why: null, retryAt: null, problem: null });
  await drain();
}

const next = () => store.all().findLast((clip) => clip.state === "waiting");

/** Send one clip; returns the seconds until the service can be asked again, 0 for at once. */
async function send(clip) {
  await store.change(clip.id, { state: "sending", why: null, retryAt: null });
  try {
    const answer = await analyze(clip.audio, clip.name ?? "recording");
    await store.change(clip.id, { state: "answered", answer });
  } catch (error) {
    if (error instanceof BusyError) {
      const retryAt = Date.now() + error.seconds * 1000;
      await store.change(clip.id, { state: "waiting", why: "busy", retryAt });
      return error.seconds;
    }
    if (error instanceof UnreachableError) {
      await store.change(clip.id, { state: "waiting", why: "offline" });
      return UNREACHABLE_SECONDS;
    }
    if (!(error instanceof RefusedError)) throw error;
    await store.change(clip.id, { state: "refused", problem: error.problem });
  }
  return 0;
}
