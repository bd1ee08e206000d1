/** The client: its pages, wired. */

import * as clipPage from "./clip.js";
import { byId } from "./dom.js";
import * as historyPage from "./history.js";
import * as home from "./home.js";
import * as language from "./language.js";
import { drain } from "./sender.js";
import { share } from "./share.js";
import { ofFile } from "./spectrogram.js";
import * as store from "./store.js";
import { say, toast } from "./toast.js";

const SHARED = "shared"; // the cache where the service worker leaves what other apps share

let told = null; // the last news of a clip, for who does not see

await language.load();
store.events.addEventListener("unkept", () => toast(language.text("unkept")));
await store.open();
store.events.addEventListener("change", show);
home.start({ heard, say });
wireFiles();
addEventListener("hashchange", arrive);
addEventListener("online", drain);
document.addEventListener("visibilitychange", () => document.hidden || drain());
byId("share").addEventListener("click", () => share(store.get(location.hash.split("/")[2])));
byId("again").addEventListener("click", () => {
  location.hash = "#/";
  home.press();
});
show();
document.documentElement.dataset.ready = "";
navigator.serviceWorker?.register("service-worker.js");
await takeShared();
await drain();

/** Show the page that the address names. */
function show() {
  const [, page, id] = location.hash.split("/");
  const clip = page === "clip" ? store.get(id) : null;
  const name = clip ? "clip" : page === "history" ? "history" : "home";
  document.body.dataset.page = name;
  for (const each of ["home", "clip", "history"]) byId(each).hidden = each !== name;
  byId("share").hidden = clip?.state !== "answered";
  if (clip) clipPage.show(id);
  else clipPage.leave();
  if (name === "history") historyPage.show();
  tell(clip);
}

/** Show another page, and go to its top. */
function arrive() {
  if (document.body.dataset.page === "home") home.cancel();
  show();
  scrollTo(0, 0);
  document.querySelector("main > :not([hidden]) h1")?.focus();
}

/** Tell who does not see when the shown clip is answered, refused or has to wait. */
function tell(clip) {
  const news = clip && `${clip.id} ${clip.state} ${clip.why}`;
  document.title = clip ? `${clipPage.summary(clip)} · Fifteen` : "Fifteen";
  if (clip && news !== told) say([clipPage.summary(clip), clip.problem?.detail ?? ""].join(". "));
  told = news;
}

async function heard({ blob, levels }) {
  const clip = await store.add({ audio: blob, name: null, levels });
  location.hash = `#/clip/${clip.id}`;
  const sent = drain();
  await picture(clip); // of every frame, where the screen may have missed some
  await sent;
}

/** Draw a clip as the browser decodes it, where it can. */
async function picture(clip) {
  const levels = await ofFile(clip.audio);
  if (levels) await store.change(clip.id, { levels });
}

/** Take files, show the only one or all of them, and send them. */
async function take(files) {
  const clips = [];
  for (const file of files) {
    clips.push(await store.add({ audio: file, name: file.name, levels: null }));
  }
  if (!clips.length) return;
  location.hash = clips.length === 1 ? `#/clip/${clips[0].id}` : "#/history";
  const sent = drain();
  for (const clip of clips) await picture(clip);
  await sent;
}

function wireFiles() {
  const picker = byId("files");
  picker.addEventListener("change", async () => {
    const files = [...picker.files];
    picker.value = ""; // the same file may be picked again
    await take(files);
  });
  addEventListener("dragover", (event) => {
    event.preventDefault();
    document.body.classList.add("dropping");
  });
  addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) document.body.classList.remove("dropping");
  });
  addEventListener("drop", async (event) => {
    event.preventDefault();
    document.body.classList.remove("dropping");
    await take([...event.dataTransfer.files]);
  });
}

/** Take what another app shared. */
async function takeShared() {
  if (!globalThis.caches || !(await caches.has(SHARED))) return;
  const cache = await caches.open(SHARED);
  const files = [];
  for (const request of await cache.keys()) {
    const response = await cache.match(request);
    const name = decodeURIComponent(response.headers.get("X-Name"));
    files.push(new File([await response.blob()], name, { type: response.headers.get("Content-Type") }));
    await cache.delete(request);
  }
  await take(files);
}
