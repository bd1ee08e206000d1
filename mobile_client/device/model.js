/** The model in ONNX Runtime Web, on one thread. */

// @ts-ignore - it is installed, never in the repository
import * as ort from "./ort.wasm.bundle.min.mjs";
import { unpacked } from "./packed.js";

const RUNTIME = "ort-wasm-simd-threaded.wasm";

/**
 * Load the model.
 * @param {import("./numbers.js").Numbers} numbers
 * @returns {Promise<(spectrogram: Float32Array) => Promise<import("./analysis.js").Scores>>}
 */
export async function open({ audio, model }) {
	ort.env.wasm.numThreads = 1; // more need a page that is isolated from all other origins
	ort.env.wasm.wasmBinary = await unpacked(RUNTIME);
	const session = await ort.InferenceSession.create(new Uint8Array(await unpacked(model.file)));
	return async (spectrogram) => {
		const input = new ort.Tensor("float32", spectrogram, [1, audio.n_mels, audio.n_frames]);
		const found = await session.run({ [model.input]: input }, model.outputs);
		const [genres, emotion, [music], [known]] = model.outputs.map((name) => /** @type {any} */ (found[name].data));
		return { genres, emotion, music, known };
	};
}
