/** The service over HTTP: the only place that knows its addresses. */

import * as settings from "./settings.js";

const ANALYZE = "v1/analyze?timeline=true";
const SO_FAR = "v1/analyze?timeline=false";
const LIMITS = "v1/limits";
const LIVE = "v1/live";
const MODELS = "v1/models";
const HEALTH = "healthz";
const RETRY_SECONDS = 5; // if a busy service sends no Retry-After, or hides it from another origin
const BUSY = [429, 503];
const ANSWER_SECONDS = 30; // for the service to answer, beyond the upload
const SLOWEST_BYTES = 16_000; // a second, of an upload that still makes sense
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
 * @param {Blob} audio
 * @param {string} name
 * @param {AbortSignal} signal
 * @returns {Promise<import("../../fifteen").Analysis>}
 * @throws {RefusedError | BusyError | UnreachableError | UnreadableError | AbortedError}
 */
export async function analyze(audio, name, signal) {
	await checkReadable(audio);
	const seconds = ANSWER_SECONDS + audio.size / SLOWEST_BYTES;
	return post(ANALYZE, audio, name, signal, seconds);
}

/** Analyze the recording so far; as `analyze`, but with a short timeout. */
export function analyzeSoFar(audio, signal) {
	return post(SO_FAR, audio, "recording", signal, ANSWER_SECONDS);
}

export async function isHealthy() {
	try {
		return (await request(HEALTH, {}, null, HEALTH_SECONDS)).ok;
	} catch {
		return false;
	}
}

let limits = null;

export const knownLimits = () => limits;

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

/** This device's answer, where the person wants that and it can decode the recording, else null. */
async function here(audio, timeline) {
	if (!settings.get("device")) return null;
	const part = /** @type {string} */ ("../device/answer.js"); // optional
	return (await import(part).catch(() => null))?.analyze(audio, timeline);
}

async function post(path, audio, name, signal, seconds) {
	const own = await here(audio, path === ANALYZE);
	if (signal.aborted) throw new AbortedError("given up");
	if (own) return own;
	const form = new FormData();
	form.append("file", audio, name);
	const sent = { method: "POST", body: form, headers: headers() };
	let response;
	let answer;
	try {
		response = await request(path, sent, signal, seconds);
		answer = await response.json().catch(() => null);
	} catch (error) {
		if (signal.aborted) throw new AbortedError("given up", { cause: error });
		throw new UnreachableError("no answer", { cause: error });
	}
	if (signal.aborted) throw new AbortedError("given up");
	if (response.ok && answer) return answer;
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
	// A proxy before the service answers in HTML: it is down, or the proxy refuses.
	if (!answer && (response.ok || [502, 504].includes(status))) return new UnreachableError();
	const problem = answer ?? { type: "about:blank", status, detail: `HTTP ${status}` };
	if (!BUSY.includes(status)) return new RefusedError(problem);
	return new BusyError(problem, Number(headers.get("Retry-After")) || RETRY_SECONDS);
}

/** The address of a live connection. */
export function liveAddress() {
	const url = address(LIVE);
	url.protocol = url.protocol.replace("http", "ws");
	return url;
}

/** The address of something of the service's, or of the page that answers for its own files. */
export function address(path) {
	const meta = document.querySelector('meta[name="fifteen-service"]');
	const given = (meta instanceof HTMLMetaElement && meta.content) || "";
	return new URL(path, new URL(given.replace(/([^/])$/, "$1/"), document.baseURI));
}
