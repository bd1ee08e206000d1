/** The types of the web app's modules: for their comments, so no browser loads this file. */

type Analysis = import("./fifteen").Analysis;

/** A recording. */
interface Clip {
	id: string;
	/** ISO 8601. */
	created: string;
	/** The file's or the person's; null for the microphone's. */
	name: string | null;
	/** Null once its space was freed. */
	audio: Blob | null;
	/** The spectrogram, [COLUMNS * BANDS], 0..255. */
	levels: Uint8Array | null;
	state: "waiting" | "sending" | "answered" | "refused";
	/** Why it waits. */
	why: "offline" | "busy" | "failed" | null;
	/** Milliseconds, as of `Date.now()`. */
	retryAt: number | null;
	tries?: number;
	answer: any;
	problem: any;
	/** The genre in the person's own opinion. */
	label?: string | null;
	/** Whether the service may learn the label. */
	tell?: boolean;
	/** The label that the service has, by its id, or that it refused. */
	told?: { label: string; id?: string; problem?: any } | null;
	/** A key of the messages: what is special about it. */
	note?: string | null;
}

interface Route {
	page: "home" | "clip" | "history" | "about";
	id: string | null;
}

/** What the recorder does; "closing" waits for the encoder's last bytes. */
type RecorderState = "idle" | "asking" | "listening" | "closing";

interface Recorded {
	blob: Blob;
	levels: Uint8Array | null;
	seconds: number;
	/** The loudest sample that the meter saw, 0..1; null where there was no meter. */
	peak: number | null;
	/** The microphone ended by itself. */
	cut: boolean;
	/** It went on after 15 s. */
	long: boolean;
}

/** One of the recorders that take turns on the microphone. */
interface Turn {
	recorder: MediaRecorder;
	chunks: Blob[];
	started: number;
	peak: number | null;
}

/** From the press of the button to the end. */
interface Taking {
	stream?: MediaStream;
	/** The first is the oldest; there is one only, unless it keeps listening. */
	turns: Turn[];
	context?: AudioContext | null;
	levels: Uint8Array | null;
	started: number;
	cut: boolean;
	keeps: boolean;
	timer?: ReturnType<typeof setTimeout>;
}

interface Genre {
	genre: string;
	probability: number;
}

/** All in 0..1, but the percentile in 0..100. */
interface Emotion {
	name: string;
	value: number;
	low: number | null;
	high: number | null;
	percentile: number | null;
}

/** A part of a timeline, in seconds; where the genre is null, the verdict says why. */
interface Span {
	start: number;
	end: number;
	genre: string | null;
	verdict: string | null;
	energy: number | null;
}

interface Sound {
	tempo: import("./fifteen").TempoFound | null;
	key: import("./fifteen").KeyFound | null;
	lufs: number | null;
	/** Shares in 0..1. */
	traits: { name: string; share: number }[];
}

/** An answer, as the pages read it. */
interface Reading {
	verdict: string;
	reason: string;
	genre: string;
	/** Whether genres and mood mean something. */
	hasGenre: boolean;
	genres: Genre[];
	emotions: Emotion[];
	sound: Sound | null;
	mood: string | null;
	windows: Span[];
	warnings: { type: string; detail: string }[];
	truncated: boolean;
	analysed: number;
	model: string | null;
	/** Whether this device gave it. */
	here: boolean;
}

/** The pixels of a column of the ring: for each its place, its band, and how much of it is drawn, 0..255. */
interface Column {
	pixels: number[];
	bands: number[];
	cover: number[];
}
