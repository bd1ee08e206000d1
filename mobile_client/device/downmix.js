/**
 * Channels -> one channel: their average or, where they cancel one another, their difference or one
 * of them, as `service.audio.downmix` decides.
 */

/**
 * Mix.
 * @param {Float32Array[]} channels
 * @param {import("./numbers.js").Numbers["downmix"]} numbers
 * @returns {{mixed: Float32Array, outOfPhase: boolean}}
 */
export function mix(channels, numbers) {
	const weights = channels.length > 1 ? phaseWeights(channels, numbers) : null;
	const used = weights ?? channels.map(() => 1 / channels.length);
	const mixed = new Float32Array(channels[0].length);
	for (let i = 0; i < mixed.length; i += 1) {
		let sum = 0;
		for (let channel = 0; channel < used.length; channel += 1) sum += used[channel] * channels[channel][i];
		mixed[i] = sum;
	}
	return { mixed, outOfPhase: weights !== null };
}

/** The share of the samples of all channels where a recorder clips. */
export function clippedShare(channels, { full_scale, overshoot }) {
	let count = 0;
	for (const channel of channels) {
		for (const sample of channel) {
			const loud = Math.abs(sample);
			if (loud >= full_scale && loud <= overshoot) count += 1;
		}
	}
	return count / Math.max(1, channels.length * channels[0].length);
}

/** The weights that avoid cancellation; null for the average. */
function phaseWeights(channels, numbers) {
	const votes = { sounding: 0, cancelling: 0, coherent: 0 };
	const covariance = channels.map(() => channels.map(() => 0));
	for (let start = 0; start < channels[0].length; start += numbers.block_samples) {
		vote(channels, start, numbers, votes, covariance);
	}
	if (!votes.sounding || votes.cancelling < numbers.out_of_phase * votes.sounding) return null;
	const powers = covariance.map((row, channel) => row[channel]);
	const loudest = powers.indexOf(Math.max(...powers));
	const differs = votes.coherent <= numbers.rarely * votes.sounding;
	return channels.map((_, channel) => {
		if (differs) return (covariance[loudest][channel] < 0 ? -1 : 1) / channels.length;
		return channel === loudest ? 1 : 0;
	});
}

/** Count the vote of a block, which silence does not have. */
function vote(channels, start, numbers, votes, covariance) {
	const end = start + numbers.block_samples;
	const block = channels.map((channel) => everyNth(channel, start, end, numbers.step));
	const centred = block.map(withoutOffset);
	const variance = mean(centred.map(power));
	if (variance <= numbers.sounding_power) return;
	const average = withoutOffset(block[0].map((_, i) => mean(block.map((channel) => channel[i]))));
	const ratio = (channels.length * power(average)) / variance;
	votes.sounding += 1;
	votes.coherent += Number(ratio > numbers.coherent);
	if (ratio >= numbers.cancelling) return;
	votes.cancelling += 1;
	centred.forEach((one, c) => {
		centred.forEach((other, d) => {
			covariance[c][d] += one.reduce((sum, sample, i) => sum + sample * other[i], 0);
		});
	});
}

function everyNth(channel, start, end, step) {
	const block = channel.subarray(start, end);
	return Float64Array.from({ length: Math.ceil(block.length / step) }, (_, i) => block[i * step]);
}

function withoutOffset(samples) {
	const offset = mean(samples);
	return samples.map((sample) => sample - offset);
}

const mean = (values) => values.reduce((sum, each) => sum + each, 0) / values.length;

const power = (samples) => samples.reduce((sum, sample) => sum + sample ** 2, 0) / samples.length;
