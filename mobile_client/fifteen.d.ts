/**
 * The answers of Fifteen's interface. Made from its OpenAPI document by `make client`.
 */

/** What is accepted, by name. */
export interface Accepted {
  /** Recognised by their content. */
  containers: string[];
  /** For the Content-Type of a request. */
  media_types: string[];
}

/**
 * What a model hears in a recording, averaged over its windows of 15 s that hold sound.
 *
 * Read the verdict first: genres and emotion are there whatever it is, and mean little for what
 * is silent or no music. An emotion is null if the model has not learnt it.
 */
export interface Analysis {
  /**
   * What the answer is worth: confident, mixed (two genres are too close to call), unknown_genre
   * (music, but of another genre), not_music or silence. The thresholds are on the model's card.
   */
  verdict: "confident" | "mixed" | "unknown_genre" | "not_music" | "silence";
  /** The verdict in a sentence for a person. */
  reason: string;
  /** The most probable genre. */
  genre: string;
  /** Every genre, the most probable first; the probabilities sum to 1. */
  genres: GenreProbability[];
  /** Probability that this is music at all. */
  music: number;
  /** Probability that, being music, it is of one of the genres. */
  known: number;
  /** From sad or angry, 0, to cheerful, 1. */
  valence?: number | null;
  /** From calm, 0, to intense, 1. */
  energy?: number | null;
  /** How well one can dance to it. */
  danceability?: number | null;
  /** The quarter of the plane of valence and energy (Russell, 1980) that it is in, parted at 0.5. */
  mood?: "joyful" | "tense" | "serene" | "melancholy" | null;
  /**
   * Of each emotion that the model has learnt, how far its score can be trusted and where it
   * stands.
   */
  emotion: Partial<Record<"valence" | "energy" | "danceability", EmotionRange>>;
  /** What is wrong with the recording and may spoil the answer. */
  warnings: Warned[];
  /** What is heard in each window, where it was asked for. */
  timeline?: HeardWindow[] | null;
  audio: AudioFacts;
  model: ModelName;
  timings: Timings;
}

/** What was found in the upload. */
export interface AudioFacts {
  /** Container format. */
  container: string;
  /** Codec, as FFmpeg names it. */
  codec: string;
  /** Hz, as encoded. */
  sample_rate: number;
  /** As encoded; they are averaged. */
  channels: number;
  /** Of what was decoded. */
  duration_seconds: number;
  /**
   * What the answer is about: windows of 15 s that hold sound. Silent windows and a remainder of
   * less than 3 s are left out.
   */
  analysed_seconds: number;
  /** Whether the recording went on after that. */
  truncated: boolean;
  /** Level of the loudest sample, dBFS. */
  peak_dbfs: number;
  /** Level of the whole recording, dBFS; -120 for silence. */
  rms_dbfs: number;
}

/** The answers to several files, in their order. */
export interface Batch {
  results: BatchResult[];
}

/** The answer to one file of several: an analysis or a problem. */
export interface BatchResult {
  /** As the form names it. */
  filename: string;
  /** HTTP status that the file would have been answered with by itself. */
  status: number;
  /** Where the status is 200. */
  analysis?: Analysis | null;
  /** Where it is not. */
  problem?: Problem | null;
}

/** What it was trained on. */
export interface Data {
  /** Where the recordings and their labels come from. */
  description: string;
  /** Terms of the training material. */
  terms: string;
  /** Number of recordings in each part of the split. */
  tracks: Record<string, number>;
  /** Number of 15 s windows in each part of the split. */
  windows: Record<string, number>;
  /** Number of recordings of each genre in each part of the split. */
  genres: Record<string, Record<string, number>>;
  /**
   * Number of tracks that were synthesised, beside those: music of a genre, which only trains, and
   * sounds that are no music.
   */
  made: Record<string, number>;
  /** How the parts of the split were kept apart. */
  split: string;
}

/** One emotion scale and one origin of its labels. */
export interface EmotionFigures {
  emotion: "valence" | "energy" | "danceability";
  /** Where the labels come from. */
  origin: string;
  /** Number of recordings. */
  clips: number;
  /** Rank correlation with the labels. */
  spearman: Figure;
  /**
   * Share of labels inside the 80 % interval, on the origin's own scale; null for labels that
   * training never sees.
   */
  coverage: Figure | null;
}

/** How far an emotion's score can be trusted, and where it stands. */
export interface EmotionRange {
  /** Lower end of the score's 80 % interval. */
  low: number;
  /** Upper end of the score's 80 % interval. */
  high: number;
  /**
   * Share of the reference corpus that scores less, in percent: to move a threshold over from
   * another scale. Null where the model's card has no percentiles.
   */
  percentile?: number | null;
}

/** One measurement, of the same training from several seeds. */
export interface Figure {
  /** Of the model in this file; null where it was not the one measured. */
  value: number | null;
  /** Mean over the seeds. */
  mean: number;
  /** Standard deviation over the seeds (n - 1); null of a single one. */
  spread: number | null;
  /** Number of seeds. */
  seeds: number;
}

/** Everything that was measured. */
export interface Figures {
  /**
   * Over folds grouped by artist: every recording is answered once, by models trained on the other
   * folds in the same way as the model in this file. The same as `test` where no folds were
   * trained.
   */
  folds: Measured;
  /** On the test part of the split, by this model. */
  test: Measured;
}

/** Genre, measured on recordings of artists that training never heard. */
export interface GenreFigures {
  /** Share of 15 s windows that are right. */
  window_accuracy: Figure;
  /** Mean over the genres of F1, by 15 s window. */
  window_macro_f1: Figure;
  /** Share of whole recordings that are right. */
  clip_accuracy: Figure;
  /** Mean over the genres of F1, by whole recording. */
  clip_macro_f1: Figure;
  /** Share of whole recordings that are right as a simulated phone records them. */
  phone_accuracy: Figure;
  /** Expected calibration error of the top genre's probability, 15 bins, by 15 s window. */
  calibration_error: Figure;
  /** The same by whole recording, whose probabilities are means over its windows. */
  clip_calibration_error: Figure;
  /**
   * Area under the ROC curve of `known`, the genres against other music; null where there is no
   * other music.
   */
  unknown_auroc: Figure | null;
  /** Area under the ROC curve of `music`, recordings against made sounds that are no music. */
  music_auroc: Figure | null;
  per_genre: GenreRow[];
  /** Share that is right where only the first so many seconds are heard. */
  accuracy_by_seconds: Record<string, number>;
}

/** How probable one genre is. */
export interface GenreProbability {
  genre: string;
  probability: number;
}

/** One genre's figures, by whole recording. */
export interface GenreRow {
  genre: string;
  /** Number of recordings. */
  clips: number;
  /** Number of artists or albums they are by. */
  artists: number;
  precision: number;
  recall: number;
  f1: number;
}

/** The process is alive. */
export interface Health {
  status?: "ok";
}

/** What a model hears in one window. */
export interface HeardWindow {
  start_seconds: number;
  end_seconds: number;
  /** The most probable genre. */
  genre: string;
  /** Every genre, the most probable first; the probabilities sum to 1. */
  genres: GenreProbability[];
  /** Probability that this is music at all. */
  music: number;
  /** Probability that, being music, it is of one of the genres. */
  known: number;
  /** From sad or angry, 0, to cheerful, 1. */
  valence?: number | null;
  /** From calm, 0, to intense, 1. */
  energy?: number | null;
  /** How well one can dance to it. */
  danceability?: number | null;
  /** The quarter of the plane of valence and energy (Russell, 1980) that it is in, parted at 0.5. */
  mood?: "joyful" | "tense" | "serene" | "melancholy" | null;
  /**
   * Whether the window is silent: then its scores mean nothing, and the answer for the recording
   * leaves them out.
   */
  silence?: boolean;
}

/** What is accepted, in numbers. */
export interface Limits {
  /** Shortest recording. */
  min_seconds: number;
  /** Where decoding stops: what follows is left out. */
  max_seconds: number;
  /** Hz. */
  min_sample_rate: number;
  /** Hz. */
  max_sample_rate: number;
  max_channels: number;
  /** Largest request body. */
  max_upload_bytes: number;
  /** Longest that a body may take to arrive. */
  upload_seconds: number;
  /** Longest that decoding may take. */
  decode_seconds: number;
  /** Processes that answer. */
  workers: number;
  /** Bodies that a process holds at the same time. */
  max_uploads: number;
  /** Recordings that a process analyses at the same time. */
  concurrency: number;
  /** Recordings that wait in a process. */
  queue_length: number;
  /** Files of one batch. */
  max_batch_files: number;
}

/** Everything that was measured on one choice of held-out recordings. */
export interface Measured {
  genre: GenreFigures;
  emotion: EmotionFigures[];
  mood?: MoodFigures[];
  verdicts: VerdictRow[];
}

/** A model's card and the digest of the file that holds it. */
export interface ModelCard {
  /** Name of the model. */
  name: string;
  /** Version of the model. */
  version: string;
  /** What the model is, in a sentence or two. */
  description: string;
  /** SPDX identifier of the weights. */
  licence: string;
  /** The genres, in the order of the model's output. */
  genres: string[];
  /** The emotions that it has learnt, in the order of the model's output. */
  emotions: ("valence" | "energy" | "danceability")[];
  network: Network;
  data: Data;
  figures: Figures;
  thresholds: Thresholds;
  /** Half the width of each emotion's 80 % interval, by split conformal prediction on validation. */
  intervals: Partial<Record<"valence" | "energy" | "danceability", number>>;
  /**
   * Each emotion's scores at the percentiles 0 to 100 of the reference corpus, so that a score can
   * be placed in it.
   */
  percentiles?: Partial<Record<"valence" | "energy" | "danceability", number[]>>;
  /** What the figures do not say, and must be known. */
  limits: string[];
  /** The numbers of the front-end that the model was trained with. */
  front_end: Record<string, number>;
  /** What that front-end makes of a fixed recording, dB for each mel band. */
  signature: number[];
  /** What the model answers to that recording: genre probabilities, emotion, music, known. */
  reference_answer: number[];
  /** SHA-256 of the model file: what it answers changes only if this does. */
  digest: string;
}

/** The installed models, by name. */
export interface ModelList {
  models: ModelSummary[];
}

/** A model and its tensors, in KServe's words. */
export interface ModelMetadata {
  name: string;
  versions: string[];
  platform?: "onnxruntime_onnx";
  inputs: Tensor[];
  outputs: Tensor[];
}

/** Which model answered. */
export interface ModelName {
  name: string;
  version: string;
  /** SHA-256 of the model file: what it answers changes only if this does. */
  digest: string;
}

/** A model may be asked, in KServe's words. */
export interface ModelReady {
  name: string;
  ready?: true;
}

/** A model in a list. */
export interface ModelSummary {
  name: string;
  version: string;
  /** SHA-256 of the model file: what it answers changes only if this does. */
  digest: string;
  /** What the model is, in a sentence or two. */
  description: string;
  /** The genres that it tells apart. */
  genres: string[];
  /** Whether it answers where no model is asked for. */
  default: boolean;
}

/** The mood, and one origin of the labels of valence and energy. */
export interface MoodFigures {
  /** Where the labels come from. */
  origin: string;
  /** Number of recordings. */
  clips: number;
  /** Share whose mood is that of their labels. */
  accuracy: Figure;
  /** Share of the commonest mood of the labels, which naming it always would reach. */
  commonest: number;
}

/** What was trained, and how. */
export interface Network {
  /** Name of the network in `training.networks`. */
  name: string;
  /** Number of trained parameters. */
  parameters: number;
  /**
   * Number of networks whose answers are averaged; each was trained without another part of the
   * recordings, and chosen and calibrated on that part.
   */
  members: number;
  /** Seed of the run that ships. */
  seed: number;
  /** Every number of the training, as in its configuration file. */
  config: Record<string, number | string>;
  /** The command that trains it. */
  command: string;
}

/**
 * Why a request failed; RFC 9457, ``application/problem+json``.
 *
 * `limits` and `accepted` are members only where they help.
 */
export interface Problem {
  /** What went wrong, for programs: it stays when wording changes. */
  type: string;
  /** The type in words. */
  title: string;
  /** HTTP status. */
  status: number;
  /** What went wrong this time, for people. */
  detail: string;
  /** Path of the request. */
  instance?: string | null;
  /** What would have been accepted. */
  limits?: Limits | null;
  /** What would have been accepted. */
  accepted?: Accepted | null;
}

/** Models are verified, decoders proved. */
export interface Ready {
  status?: "ready";
}

/** The process is alive, in KServe's words. */
export interface ServerLive {
  live?: true;
}

/** Requests are welcome, in KServe's words. */
export interface ServerReady {
  ready?: true;
}

/** What goes into a model, or comes out. */
export interface Tensor {
  name: string;
  datatype?: "FP32";
  /** -1 for any number of windows. */
  shape: number[];
}

/** Where one verdict ends and the next begins; chosen on validation. */
export interface Thresholds {
  /** Peak level at or under which a recording is silence, dBFS. */
  silence_dbfs: number;
  /** Least probability of being music. */
  music: number;
  /** Least probability of being of a genre. */
  known: number;
  /** Least difference between the two most probable genres. */
  margin: number;
}

/** Where the time went, in milliseconds. */
export interface Timings {
  /** Waiting for a turn. */
  queue_ms?: number;
  /** Decoding, down-mix and resampling. */
  decode_ms: number;
  /** Windows and spectrograms. */
  spectrogram_ms: number;
  /** The network, all windows as one batch. */
  inference_ms: number;
}

/** What recordings of one kind are told. */
export interface VerdictRow {
  /** The genres, other music, or no music. */
  kind: string;
  clips: number;
  /** Share of each verdict. */
  verdicts: Record<string, number>;
  /** Share of the confident answers that are right; null where there is no genre. */
  confident_accuracy: number | null;
}

/** What is wrong with the recording, though it was analysed. */
export interface Warned {
  /** For programs. More may be added. */
  type: "clipped" | "very_quiet" | "narrow_band" | "damaged" | "out_of_phase";
  /** For people, with what to do about it. */
  detail: string;
}
