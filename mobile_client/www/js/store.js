/**
 * The history, in this browser: every recording, with its answer, its refusal or its wait.
 *
 * All of it is in memory, and IndexedDB keeps it. Where IndexedDB does not, the history lasts as
 * long as the page.
 */

const DATABASE = "fifteen";
const CLIPS = "clips";

/**
 * @typedef {{id: string, created: string, name: ?string, audio: Blob, levels: ?Uint8Array,
 *   state: "waiting"|"sending"|"answered"|"refused", why: ?("offline"|"busy"), retryAt: ?number,
 *   answer: ?Object, problem: ?Object}} Clip
 *   `name` is the file's, null for the microphone's; `levels` is the spectrogram.
 */

/** @type {Map<string, Clip>} */
const clips = new Map();
let database = null;

/** Tells "change" whenever a clip did, and "unkept" if the browser keeps none. */
export const events = new EventTarget();

/** Load what was kept. Who was being sent when the page was left waits again. */
export async function open() {
  try {
    database = await asked(indexedDB.open(DATABASE, 1), (request) => {
      request.result.createObjectStore(CLIPS, { keyPath: "id" });
    });
    for (const clip of await asked(transaction("readonly").getAll())) {
      if (clip.state === "sending") clip.state = "waiting";
      clips.set(clip.id, clip);
    }
  } catch {
    database = null;
    events.dispatchEvent(new Event("unkept"));
  }
}

/** All clips, the newest first. */
export function all() {
  return [...clips.values()].sort((a, b) => b.created.localeCompare(a.created));
}

/** A clip, or undefined. */
export const get = (id) => clips.get(id);

/**
 * Keep a new recording; it waits to be sent.
 * @param {{audio: Blob, name: ?string, levels: ?Uint8Array}} recording
 * @returns {Promise<Clip>}
 */
export async function add(recording) {
  const created = new Date().toISOString();
  // randomUUID is there for secure origins only; this page may be tried over plain HTTP.
  const id = `${Date.now().toString(36)}-${Math.random().toString(36).slice(2, 8)}`;
  const nothing = { state: "waiting", why: null, retryAt: null, answer: null, problem: null };
  const clip = { id, created, ...recording, ...nothing };
  await put(clip);
  return clip;
}

/** Change a clip, unless it was removed in the meantime. */
export async function change(id, changes) {
  const clip = clips.get(id);
  if (clip) await put(Object.assign(clip, changes));
}

/** Forget a clip. */
export async function remove(id) {
  clips.delete(id);
  await keep((store) => store.delete(id));
}

async function put(clip) {
  clips.set(clip.id, clip);
  await keep((store) => store.put(clip));
}

/** Tell of a change, and have the browser keep it. */
async function keep(write) {
  events.dispatchEvent(new Event("change"));
  if (!database) return;
  try {
    await asked(write(transaction("readwrite")));
  } catch {
    events.dispatchEvent(new Event("unkept")); // the disk is full, most likely
  }
}

const transaction = (mode) => database.transaction(CLIPS, mode).objectStore(CLIPS);

function asked(request, upgrade = null) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
    if (upgrade) request.onupgradeneeded = () => upgrade(request);
  });
}
