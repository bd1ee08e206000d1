/** Sends what waits, one clip after the other, the oldest first. */

import { BusyError, RefusedError, UnreachableError, analyze } from "./service.js";
import * as store from "./store.js";

let sending = false;
let timer = null;

/** Send all that waits; where the service is busy or cannot be reached, try again later. */
export async function drain() {
  if (sending) return;
  sending = true;
  clearTimeout(timer);
  try {
    for (let clip = next(); clip; clip = next()) {
      if (!(await send(clip))) break;
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

/** Send one clip; returns whether the service can take another. */
async function send(clip) {
  await store.change(clip.id, { state: "sending", why: null, retryAt: null });
  try {
    const answer = await analyze(clip.audio, clip.name ?? "recording");
    await store.change(clip.id, { state: "answered", answer });
  } catch (error) {
    if (error instanceof BusyError) {
      const retryAt = Date.now() + error.seconds * 1000;
      await store.change(clip.id, { state: "waiting", why: "busy", retryAt });
      timer = setTimeout(drain, error.seconds * 1000);
      return false;
    }
    if (error instanceof UnreachableError) {
      await store.change(clip.id, { state: "waiting", why: "offline" });
      return false;
    }
    if (!(error instanceof RefusedError)) throw error;
    await store.change(clip.id, { state: "refused", problem: error.problem });
  }
  return true;
}
