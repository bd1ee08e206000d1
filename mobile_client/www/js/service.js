/** The service over HTTP: the only place that knows its addresses. */

import { SLOWEST_BYTES } from "./connection.js";
import { part } from "./device.js";
import * as settings from "./settings.js";

const ANALYZE = "v1/analyze?timeline=true";
const SO_FAR = "v1/analyze?timeline=false";
const VECTOR = "v1/analyze?embedding=true";
const FEEDBACK = "v1/feedback";
const LIMITS = "v1/limits";
const MODELS = "v1/models";
const HEALTH = "healthz";
const RETRY_SECONDS = 5; // if a busy service sends no Retry-After, or hides it from another origin
const BUSY = [429, 503];
const TIMEOUT = 408; // of an upload
const ANSWER_SECONDS = 30; // for the service to answer, beyond the upload
const HEALTH_SECONDS = 10;

/** The service refused: a problem of RFC 9457. */
export class RefusedError extends Error {
	constructor(problem) {
		super(problem.detail);
		this.problem = problem;
	}
}

export class BusyError extends RefusedError {
	constructor(problem, seconds) {
		super(problem);
		this.seconds = seconds;
	}
}

/** No answer: no network, no service at its address, or none in time. */
export class UnreachableError extends Error {}

/** The recording itself cannot be read: its file was moved, changed or is a folder. */
export class UnreadableError extends Error {}

export class AbortedError extends Error {}

/**
 * Analyze a recording.
 * @returns {Promise<Analysis>}
 * @throws {RefusedError | BusyError | UnreachableError | UnreadableError | AbortedError}
 */
export async function analyze(/** @type {Blob} */ audio, name, /** @type {AbortSignal} */ signal) {
	await checkReadable(audio);
	return (await here(audio, true, signal)) ?? upload(ANALYZE, audio, name, signal, secondsFor(audio));
}

export async function analyzeSoFar(audio, signal) {
	return (await here(audio, false, signal)) ?? upload(SO_FAR, audio, "recording", signal, ANSWER_SECONDS);
}

/**
 * Give the service the right genre of a recording; returns the id of what it stored. It keeps no
 * answers, so it hears the recording once more, for the vector.
 * @throws {RefusedError | BusyError | UnreachableError | UnreadableError}
 */
export async function giveFeedback(audio, label) {
	await checkReadable(audio);
	const { embedding, genre } = await upload(VECTOR, audio, "recording", null, secondsFor(audio));
	const body = JSON.stringify({ label, answered: genre, embedding });
	const sent = { method: "POST", body, headers: { ...headers(), "Content-Type": "application/json" } };
	return (await exchange(FEEDBACK, sent, null, ANSWER_SECONDS)).id;
}

/** Take it back; what the service does not have is taken back already. */
export async function takeBack(id) {
	try {
		await exchange(`${FEEDBACK}/${id}`, { method: "DELETE", headers: headers() }, null, ANSWER_SECONDS);
	} catch (error) {
		if (error.problem?.status !== 404) throw error;
	}
}

const secondsFor = ({ size }) => ANSWER_SECONDS + size / SLOWEST_BYTES;

export const isHealthy = async () => Boolean(await get(HEALTH));

/** Those of the service; null while they are not known. */
export let limits = null;

export async function loadLimits() {
	limits = await get(LIMITS);
}

export const modelCard = (name) => (name ? get(`${MODELS}/${encodeURIComponent(name)}`) : null);

async function get(path) {
	try {
		const response = await request(path, { headers: headers() }, null, HEALTH_SECONDS);
		return response.ok ? await response.json() : null;
	} catch {
		return null; // not reached
	}
}

async function checkReadable(audio) {
	try {
		await audio.slice(0, 1).arrayBuffer();
	} catch (error) {
		throw new UnreadableError("not readable", { cause: error });
	}
}

/** This device's answer, where the person wants that and it can give one, else null. */
async function here(audio, timeline, signal) {
	if (!settings.get("device")) return null;
	const own = await (await part("answer").catch(() => null))?.analyze(audio, timeline);
	if (signal.aborted) throw new AbortedError("given up");
	return own;
}

function upload(path, audio, name, signal, seconds) {
	const form = new FormData();
	form.append("file", audio, name);
	return exchange(path, { method: "POST", body: form, headers: headers() }, signal, seconds);
}

/** Send, and read the answer; null where there is nothing to say. */
async function exchange(path, sent, signal, seconds) {
	let response;
	let answer;
	try {
		response = await request(path, sent, signal, seconds);
		answer = await response.json().catch(() => null);
	} catch (error) {
		if (signal?.aborted) throw new AbortedError("given up", { cause: error });
		throw new UnreachableError("no answer", { cause: error });
	}
	if (signal?.aborted) throw new AbortedError("given up");
	if (response.ok && (answer || response.status === 204)) return answer;
	throw refusal(response, answer);
}

/** Fetch, within some seconds; the body has to arrive in them, too. */
async function request(path, options, signal, seconds) {
	const timeout = new AbortController();
	const timer = setTimeout(() => timeout.abort(), seconds * 1000);
	const giveUp = () => timeout.abort();
	signal?.addEventListener("abort", giveUp);
	try {
		if (signal?.aborted) timeout.abort();
		const response = await fetch(address(path), { ...options, signal: timeout.signal });
		const body = await response.arrayBuffer();
		const { status } = response;
		return new Response([204, 304].includes(status) ? null : body, response);
	} finally {
		clearTimeout(timer);
		signal?.removeEventListener("abort", giveUp);
	}
}

function headers() {
	const key = settings.get("key");
	return key ? { Authorization: `Bearer ${key}` } : {};
}

function refusal(response, answer) {
	const { status, headers } = response;
	// A proxy answers in HTML: the service is down, or the proxy refuses.
	if (!answer && (response.ok || [502, 504].includes(status))) return new UnreachableError();
	const problem = answer ?? { type: "about:blank", status, detail: `HTTP ${status}` };
	if (!BUSY.includes(status)) return new RefusedError(problem);
	return new BusyError(problem, Number(headers.get("Retry-After")) || RETRY_SECONDS);
}

/** Whether a refusal may pass: at fault was the service or the way there, not the recording. */
export const mayPass = ({ status }) => status === TIMEOUT || status >= 500;

/** The address of something of the service's, or of the page that answers for its own files. */
export function address(path) {
	const meta = document.querySelector('meta[name="fifteen-service"]');
	const given = (meta instanceof HTMLMetaElement && meta.content) || "";
	return new URL(path, new URL(given.replace(/([^/])$/, "$1/"), document.baseURI));
}
