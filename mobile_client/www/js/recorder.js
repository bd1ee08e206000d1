/** The microphone: fifteen seconds of it, as the browser encodes them. */

import { BANDS, COLUMNS, bandsOf } from "./spectrogram.js";

export const SECONDS = 15;
export const MIN_SECONDS = 3;

const MARGIN_SECONDS = 0.3; // encoders swallow some: a whole window of 15 s must be left
const CONTAINERS = ["audio/webm;codecs=opus", "audio/mp4;codecs=mp4a.40.2", "audio/mp4"];
const UNPROCESSED = {
  echoCancellation: false,
  noiseSuppression: false,
  autoGainControl: false,
  channelCount: 1,
};

/** Why there is no recording. `reason` ends a key of the messages. */
export class MicrophoneError extends Error {
  constructor(reason) {
    super(reason);
    this.reason = reason;
  }
}

/**
 * Ask for the microphone and record.
 * @param {(seconds: number, level: number, levels: Uint8Array) => void} onFrame Called as the
 *   screen is drawn: seconds so far, level in 0..1 of -60..0 dBFS, the spectrogram so far.
 * @returns {Promise<{stop: () => void, cancel: () => void, finished: Promise<?{blob: Blob,
 *   levels: Uint8Array}>}>} `finished` is null after `cancel`.
 * @throws {MicrophoneError}
 */
export async function record(onFrame) {
  const stream = await microphone();
  const context = new AudioContext();
  const analyser = new AnalyserNode(context, { smoothingTimeConstant: 0.5, minDecibels: -90 });
  context.createMediaStreamSource(stream).connect(analyser);
  const mimeType = CONTAINERS.find((type) => MediaRecorder.isTypeSupported(type));
  const recorder = new MediaRecorder(stream, { mimeType, audioBitsPerSecond: 96_000 });
  const levels = new Uint8Array(COLUMNS * BANDS);
  let cancelled = false;

  const finished = new Promise((resolve) => {
    const chunks = [];
    recorder.addEventListener("dataavailable", (event) => chunks.push(event.data));
    recorder.addEventListener("stop", () => {
      clearTimeout(timer);
      for (const track of stream.getTracks()) track.stop();
      context.close();
      const blob = new Blob(chunks, { type: recorder.mimeType });
      resolve(cancelled ? null : { blob, levels });
    });
  });
  const stop = () => recorder.state !== "inactive" && recorder.stop();
  const timer = setTimeout(stop, (SECONDS + MARGIN_SECONDS) * 1000);
  recorder.start();
  follow(recorder, analyser, levels, onFrame);
  return {
    stop,
    cancel: () => {
      cancelled = true;
      stop();
    },
    finished,
  };
}

async function microphone() {
  if (!navigator.mediaDevices || !globalThis.MediaRecorder) throw new MicrophoneError("missing");
  try {
    return await navigator.mediaDevices.getUserMedia({ audio: UNPROCESSED });
  } catch (error) {
    const reasons = { NotAllowedError: "denied", SecurityError: "denied", NotFoundError: "missing" };
    throw new MicrophoneError(reasons[error.name] ?? "busy");
  }
}

/** Report level and spectrogram with every frame that is drawn. */
function follow(recorder, analyser, levels, onFrame) {
  const started = performance.now();
  const waveform = new Float32Array(analyser.fftSize);
  const spectrum = new Uint8Array(analyser.frequencyBinCount);
  const hertz = analyser.context.sampleRate / analyser.fftSize;
  let drawn = 0;
  const frame = () => {
    if (recorder.state === "inactive") return;
    const seconds = Math.min((performance.now() - started) / 1000, SECONDS);
    analyser.getByteFrequencyData(spectrum);
    analyser.getFloatTimeDomainData(waveform);
    const column = bandsOf(spectrum, hertz);
    for (; drawn < (seconds / SECONDS) * COLUMNS; drawn++) levels.set(column, drawn * BANDS);
    onFrame(seconds, levelOf(waveform), levels);
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
}

function levelOf(waveform) {
  const peak = waveform.reduce((most, sample) => Math.max(most, Math.abs(sample)), 1e-3);
  return 1 + Math.log10(peak) / 3;
}
