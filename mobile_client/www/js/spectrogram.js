/**
 * The spectrogram as a ring: time goes round clockwise from the top, low tones are inside.
 *
 * It is a picture for people. What the service hears is its own affair.
 */

export const COLUMNS = 150;
export const BANDS = 40;

const LOWEST_HZ = 60;
const HIGHEST_HZ = 10_000;
const INNER = 0.56; // of the radius
const FFT = 2048;
const LARGEST_BYTES = 12 * 2 ** 20; // of a file that is decoded for its picture

/**
 * Gather a spectrum into bands of equal ratio.
 * @param {Uint8Array} spectrum Levels by frequency, 0..255.
 * @param {number} hertz Between two of them.
 * @returns {Uint8Array} [BANDS]
 */
export function bandsOf(spectrum, hertz) {
  const edge = (band) => (LOWEST_HZ * (HIGHEST_HZ / LOWEST_HZ) ** (band / BANDS)) / hertz;
  return Uint8Array.from({ length: BANDS }, (_, band) => {
    const from = Math.floor(edge(band));
    const to = Math.max(from + 1, Math.floor(edge(band + 1)));
    return spectrum.subarray(from, to).reduce((most, level) => Math.max(most, level), 0);
  });
}

/**
 * Draw columns of the ring.
 * @param {HTMLCanvasElement} canvas Its text colour is the ring's.
 * @param {Uint8Array} levels [COLUMNS * BANDS], 0..255
 * @param {number} from First column to draw; 0 clears the canvas before.
 * @param {number} to The one after the last.
 */
export function draw(canvas, levels, from = 0, to = COLUMNS) {
  const context = canvas.getContext("2d");
  if (from === 0) clear(canvas, context);
  context.strokeStyle = getComputedStyle(canvas).color;
  ring(context, canvas.width / 2, canvas.width / 2, canvas.width / 2, levels, from, to);
}

/** Draw columns of the ring in the stroke's colour around a point of any canvas. */
export function ring(context, x, y, radius, levels, from = 0, to = COLUMNS) {
  const step = (2 * Math.PI) / COLUMNS;
  const thickness = (radius * (1 - INNER)) / BANDS;
  context.lineWidth = thickness * 1.15;
  for (let column = from; column < to; column++) {
    const angle = column * step - Math.PI / 2;
    for (let band = 0; band < BANDS; band++) {
      const level = levels[column * BANDS + band] / 255;
      if (level < 0.2) continue;
      context.globalAlpha = level ** 2.6;
      context.beginPath();
      context.arc(x, y, radius * INNER + (band + 0.5) * thickness, angle, angle + step * 0.86);
      context.stroke();
    }
  }
  context.globalAlpha = 1;
}

function clear(canvas, context) {
  const pixels = Math.round(canvas.clientWidth * devicePixelRatio) || 480;
  canvas.width = pixels;
  canvas.height = pixels;
  context.clearRect(0, 0, pixels, pixels);
}

/**
 * Compute the spectrogram of a file, as far as this browser can decode it.
 * @param {Blob} blob
 * @returns {Promise<?Uint8Array>} [COLUMNS * BANDS]; null if it cannot.
 */
export async function ofFile(blob) {
  if (blob.size > LARGEST_BYTES) return null;
  const rate = 2 * HIGHEST_HZ;
  let sound;
  try {
    const context = new OfflineAudioContext(1, 1, rate);
    sound = (await context.decodeAudioData(await blob.arrayBuffer())).getChannelData(0);
  } catch {
    return null; // a format that the service may well know
  }
  const levels = new Uint8Array(COLUMNS * BANDS);
  for (let column = 0; column < COLUMNS; column++) {
    const at = Math.round((column / COLUMNS) * Math.max(0, sound.length - FFT));
    levels.set(bandsOf(spectrumOf(sound.subarray(at, at + FFT)), rate / FFT), column * BANDS);
  }
  return levels;
}

/** Levels by frequency, as an AnalyserNode scales them: -90..-30 dB is 0..255. */
function spectrumOf(sound) {
  const real = new Float32Array(FFT);
  const imaginary = new Float32Array(FFT);
  sound.forEach((sample, i) => {
    real[i] = sample * (0.5 - 0.5 * Math.cos((2 * Math.PI * i) / FFT));
  });
  transform(real, imaginary);
  return Uint8Array.from({ length: FFT / 2 }, (_, i) => {
    const decibels = 20 * Math.log10(Math.hypot(real[i], imaginary[i]) / FFT + 1e-9);
    return Math.max(0, Math.min(255, ((decibels + 90) / 60) * 255));
  });
}

/** Cooley and Tukey's fast Fourier transform, in place. */
function transform(real, imaginary) {
  const length = real.length;
  for (let i = 1, j = 0; i < length; i++) {
    let bit = length >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) {
      [real[i], real[j]] = [real[j], real[i]];
      [imaginary[i], imaginary[j]] = [imaginary[j], imaginary[i]];
    }
  }
  for (let half = 1; half < length; half *= 2) {
    for (let k = 0; k < half; k++) {
      const cos = Math.cos((-Math.PI * k) / half);
      const sin = Math.sin((-Math.PI * k) / half);
      for (let i = k; i < length; i += 2 * half) {
        const j = i + half;
        const re = real[j] * cos - imaginary[j] * sin;
        const im = real[j] * sin + imaginary[j] * cos;
        real[j] = real[i] - re;
        imaginary[j] = imaginary[i] - im;
        real[i] += re;
        imaginary[i] += im;
      }
    }
  }
}
