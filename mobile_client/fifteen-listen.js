/**
 * `<fifteen-listen>`: a button for other people's pages that records up to fifteen seconds and
 * shows which genre and mood they are. The recording goes up while it is made, and first answers
 * come back; where the service or the page allows no WebSocket, it is posted at the end.
 *
 *     <script type="module" src="fifteen-listen.js"></script>
 *     <fifteen-listen service="https://music.example.org/"></fifteen-listen>
 *
 * Copy this file to your page, and `www/js/connection.js` into the same folders beside it. The
 * service has to allow the page's origin (CORS), and the page has to be secure (HTTPS or localhost), or
 * the browser gives no microphone. A Content-Security-Policy has to list both the `https:` and the
 * `wss:` address of the service in `connect-src`.
 *
 * Attributes: `service`, the address of the service, by default the page's own; `key`,
 * if the service needs one. Properties: `state`, one of "idle", "asking", "listening", "sending";
 * `answer`, the last one; `texts`, the words, which you can replace for another language.
 * Methods: `start()`, `stop()`, `cancel()`.
 * Events: "fifteen-state"; "fifteen-running", whose detail is an answer so far; "fifteen-answer", whose
 * detail is the answer (`LiveRunning` and `Analysis` in fifteen.d.ts); "fifteen-error", whose detail is
 * `{type, detail}`.
 * Style: `--fifteen-colour`, `--fifteen-ink`; parts `button`, `answer`.
 */

import { connect } from "./www/js/connection.js";

const SECONDS = 15;
const MIN_SECONDS = 3;
const CHUNK_MS = 500;
const MARGIN_SECONDS = 0.3; // encoders drop some
const TIMEOUT_SECONDS = 60;
const CONTAINERS = ["audio/webm;codecs=opus", "audio/mp4;codecs=mp4a.40.2", "audio/mp4"];
const UNPROCESSED = {
  echoCancellation: false,
  noiseSuppression: false,
  autoGainControl: false,
  channelCount: 1,
};

const TEXTS = {
  idle: "Listen",
  asking: "Allow the microphone…",
  listening: "Stop",
  sending: "Analysing…",
  running: "So far: {answer}",
  cancel: "Cancel",
  mixed: "{first} or {second}",
  unknown_genre: "another genre",
  not_music: "no music",
  silence: "silence",
  microphone: "The microphone cannot be used.",
  unreachable: "The service cannot be reached.",
};

const STYLE = `
  :host { display: inline-grid; gap: .5rem; justify-items: center; font: inherit; }
  button { font: inherit; cursor: pointer; min-block-size: 2.75rem; padding: .4rem 1.2rem; border-radius: 2rem; border: 0; }
  .main { background: var(--fifteen-colour, #c8401a); color: var(--fifteen-ink, #fff); font-weight: 700; }
  .cancel { background: none; color: inherit; text-decoration: underline; }
  button:focus-visible { outline: 3px solid currentColor; outline-offset: 2px; }
  [hidden] { display: none; }
  p { margin: 0; font-weight: 700; }
`;

export class FifteenListen extends HTMLElement {
  /** The words; replace them for another language. */
  texts = { ...TEXTS };
  /** @type {"idle"|"asking"|"listening"|"sending"} */
  state = "idle";
  /** @type {?any} The last answer. */
  answer = null;

  /** @type {?{cancelled: boolean, stream?: MediaStream, recorder?: MediaRecorder, started: number,
   *   timer?: number, tick?: number, request: AbortController,
   *   live?: ?ReturnType<typeof connect>}} */
  #session = null;
  #button = make("button", { class: "main", part: "button", type: "button" });
  #cancel = make("button", { class: "cancel", type: "button", hidden: "" });
  #output = make("p", { part: "answer", role: "status" });

  constructor() {
    super();
    const root = this.attachShadow({ mode: "open" });
    const sheet = new CSSStyleSheet(); // a strict policy allows it, unlike a style element
    sheet.replaceSync(STYLE);
    root.adoptedStyleSheets = [sheet];
    root.append(this.#button, this.#cancel, this.#output);
    this.#button.addEventListener("click", () => (this.#session ? this.stop() : this.start()));
    this.#cancel.addEventListener("click", () => this.cancel());
  }

  connectedCallback() {
    this.#show();
  }

  /** The element leaves the page: the microphone closes. */
  disconnectedCallback() {
    this.cancel();
  }

  /** Ask for the microphone, record, and send the recording. */
  async start() {
    if (this.#session) return;
    const mine = { cancelled: false, started: 0, request: new AbortController() };
    this.#session = mine;
    this.#output.textContent = "";
    this.#enter("asking");
    try {
      const sound = await this.#record(mine);
      if (mine.cancelled) return;
      this.#enter("sending");
      const answer = (await mine.live?.final) ?? (await this.#send(sound, mine.request));
      if (mine.cancelled) return;
      this.answer = answer;
      this.#output.textContent = this.#words(answer);
      this.#tell("fifteen-answer", answer);
    } catch (problem) {
      if (mine.cancelled) return;
      this.#output.textContent = problem.detail ?? this.texts.microphone;
      this.#tell("fifteen-error", { type: problem.type ?? "microphone", detail: this.#output.textContent });
    } finally {
      release(mine);
      if (this.#session === mine) {
        this.#session = null;
        this.#enter("idle");
      }
    }
  }

  /** End the recording after at least three seconds, and send it. */
  stop() {
    const mine = this.#session;
    if (this.state !== "listening" || performance.now() - mine.started < MIN_SECONDS * 1000) return;
    mine.recorder.stop();
  }

  /** Discard the recording; nothing more is sent. */
  cancel() {
    const mine = this.#session;
    if (!mine) return;
    mine.cancelled = true;
    mine.request.abort();
    release(mine);
    this.#session = null;
    this.#enter("idle");
  }

  /** @returns {Promise<Blob>} */
  async #record(mine) {
    mine.stream = await navigator.mediaDevices.getUserMedia({ audio: UNPROCESSED });
    if (mine.cancelled) return new Blob([]);
    const mimeType = CONTAINERS.find((type) => MediaRecorder.isTypeSupported(type));
    const recorder = new MediaRecorder(mine.stream, { mimeType, audioBitsPerSecond: 96_000 });
    mine.recorder = recorder;
    return new Promise((resolve, reject) => {
      const chunks = [];
      mine.live = this.#connect(mine);
      recorder.addEventListener("dataavailable", ({ data }) => {
        chunks.push(data);
        mine.live?.send(data);
      });
      recorder.addEventListener("error", () => reject(new Error("the recorder failed")));
      recorder.addEventListener("stop", () => {
        mine.live?.end();
        resolve(new Blob(chunks, { type: recorder.mimeType }));
      });
      recorder.start(CHUNK_MS);
      mine.started = performance.now();
      const end = () => recorder.state !== "inactive" && recorder.stop();
      mine.timer = setTimeout(end, (SECONDS + MARGIN_SECONDS) * 1000);
      mine.tick = setInterval(() => this.#show(), 250);
      this.#enter("listening");
    });
  }

  /** Send the recording while it is made; null where the page may not. */
  #connect(mine) {
    const running = (answer) => {
      if (this.#session !== mine || this.state !== "listening") return;
      this.#output.textContent = this.texts.running.replace("{answer}", this.#words(answer));
      this.#tell("fifteen-running", answer);
    };
    try {
      return connect(this.#service(), { key: this.getAttribute("key") ?? undefined }, running, () => null);
    } catch {
      return null;
    }
  }

  #service() {
    const service = (this.getAttribute("service") ?? "").replace(/([^/])$/, "$1/");
    return new URL(service, document.baseURI);
  }

  async #send(sound, controller) {
    const form = new FormData();
    form.append("file", sound, "recording");
    const key = this.getAttribute("key");
    const headers = key ? { Authorization: `Bearer ${key}` } : {};
    const address = new URL("v1/analyze", this.#service());
    const timer = setTimeout(() => controller.abort(), TIMEOUT_SECONDS * 1000);
    const unreachable = { type: "unreachable", detail: this.texts.unreachable };
    try {
      const sent = { method: "POST", body: form, headers, signal: controller.signal };
      const response = await fetch(address, sent);
      const answer = await response.json();
      if (response.ok) return answer;
      throw answer.type ? answer : unreachable;
    } catch (error) {
      throw error instanceof Error ? unreachable : error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** An answer in one line. */
  #words({ verdict, genre, genres, mood }) {
    const [first, second] = genres.map((each) => each.genre);
    const own = verdict === "mixed" ? this.texts.mixed : this.texts[verdict];
    const name = (own ?? genre).replace("{first}", first).replace("{second}", second);
    return mood && !["silence", "not_music"].includes(verdict) ? `${name}, ${mood}` : name;
  }

  #enter(state) {
    this.state = state;
    this.#show();
    this.#tell("fifteen-state", state);
  }

  #show() {
    const left = Math.ceil(SECONDS - (performance.now() - (this.#session?.started ?? 0)) / 1000);
    const count = this.state === "listening" ? ` ${Math.max(0, left)}` : "";
    this.#button.textContent = this.texts[this.state] + count;
    this.#cancel.textContent = this.texts.cancel;
    this.#cancel.hidden = this.state === "idle";
  }

  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }));
  }
}

function make(name, attributes) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  return node;
}

/** Release the microphone, and give up a connection that is still open. */
function release(mine) {
  mine.live?.close();
  clearTimeout(mine.timer);
  clearInterval(mine.tick);
  for (const track of mine.stream?.getTracks() ?? []) track.stop();
}

if (!customElements.get("fifteen-listen")) customElements.define("fifteen-listen", FifteenListen);
