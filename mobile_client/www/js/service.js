/** The service over HTTP: the only place that knows its addresses. */

import * as key from "./key.js";

const ANALYZE = "v1/analyze?timeline=true";
const RETRY_SECONDS = 5; // where a service that is busy does not say, or not to another origin
const BUSY = [429, 503];

/** The service refused: a problem of RFC 9457. */
export class RefusedError extends Error {
  constructor(problem) {
    super(problem.detail);
    this.problem = problem;
  }
}

/** The service asks to come again later. */
export class BusyError extends RefusedError {
  constructor(problem, seconds) {
    super(problem);
    this.seconds = seconds;
  }
}

/** No answer: no network, or no service at its address. */
export class UnreachableError extends Error {}

/**
 * Have a recording analysed.
 * @param {Blob} audio
 * @param {string} name
 * @returns {Promise<import("../../fifteen").Analysis>}
 * @throws {RefusedError | BusyError | UnreachableError}
 */
export async function analyze(audio, name) {
  const form = new FormData();
  form.append("file", audio, name);
  const headers = key.get() ? { Authorization: `Bearer ${key.get()}` } : {};
  let response;
  try {
    response = await fetch(address(), { method: "POST", body: form, headers });
  } catch (error) {
    throw new UnreachableError("no answer", { cause: error });
  }
  const answer = await response.json().catch(() => null);
  if (response.ok && answer) return answer;
  throw refusal(response, answer);
}

function refusal(response, answer) {
  const { status, headers } = response;
  // What stands before a service answers in HTML: that it is not there, or that it refuses.
  if (!answer && (response.ok || [502, 504].includes(status))) return new UnreachableError();
  const problem = answer ?? { type: "about:blank", status, detail: `HTTP ${status}` };
  if (!BUSY.includes(status)) return new RefusedError(problem);
  return new BusyError(problem, Number(headers.get("Retry-After")) || RETRY_SECONDS);
}

function address() {
  const given = document.querySelector('meta[name="fifteen-service"]').content;
  return new URL(ANALYZE, new URL(given.replace(/([^/])$/, "$1/"), document.baseURI));
}
