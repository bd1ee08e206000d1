/** Warnings about faults of a recording, of `service.quality`, that decoded sound shows. */

/**
 * The warnings about a recording; the client has the words.
 * @param {{peak: number, clipped: number, outOfPhase: boolean}} recording
 * @param {Float32Array[]} spectrograms Of the windows that hold sound.
 * @param {import("./numbers.js").Numbers} numbers
 */
export function warningsOf({ peak, clipped, outOfPhase }, spectrograms, { audio, quality }) {
	const silent = peak <= audio.silent_dbfs;
	const found = {
		clipped: clipped > quality.clipped,
		very_quiet: !silent && peak < quality.very_quiet_dbfs,
		narrow_band: !silent && spectrograms.length > 0 && beyond(spectrograms, audio, quality) < quality.narrow_db,
		out_of_phase: outOfPhase,
	};
	const types = Object.keys(found).filter((type) => found[type]);
	return types.map((type) => ({ type, detail: "" }));
}

/** The level above a telephone's band that most frames do not exceed, dB. */
function beyond(spectrograms, { mel_edges, n_frames, n_mels }, { telephone_hz, most }) {
	const first = mel_edges.slice(1, -1).findIndex((hertz) => hertz > telephone_hz);
	const loudest = spectrograms.flatMap((levels) =>
		Array.from({ length: n_frames }, (_, frame) => {
			let level = -Infinity;
			for (let band = first; band < n_mels; band += 1) level = Math.max(level, levels[band * n_frames + frame]);
			return level;
		}),
	);
	loudest.sort((a, b) => a - b);
	const place = (most / 100) * (loudest.length - 1);
	const [low, high] = [loudest[Math.floor(place)], loudest[Math.ceil(place)]];
	return low + (high - low) * (place % 1);
}
