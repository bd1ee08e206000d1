/**
 * The answers of Fifteen's interface. Made from its OpenAPI document by `make client`.
 */

/** The accepted formats. */
export interface Accepted {
  /** Container formats, recognised by content. */
  containers: string[];
  /** Values of Content-Type in a request. */
  media_types: string[];
}

/**
 * The analysis of a recording, averaged over its windows of 15 s that hold sound.
 *
 * Read the verdict first. Genres and emotions are always present, but mean little for silence
 * and for sounds that are not music. An emotion is null if the model does not predict it.
 */
export interface Analysis {
  /**
   * How far the answer can be trusted: confident, mixed (two genres are too close to decide),
   * unknown_genre (music of another genre), not_music or silence. The model's card has the
   * thresholds.
   */
  verdict: "confident" | "mixed" | "unknown_genre" | "not_music" | "silence";
  /** The verdict in a sentence for people. */
  reason: string;
  /** The most probable genre. */
  genre: string;
  /** Every genre, the most probable first; the probabilities sum to 1. */
  genres: GenreProbability[];
  /** Probability that this is music. */
  music: number;
  /** Probability that this, if it is music, is of one of the genres. */
  known: number;
  /** From sad or angry (0) to cheerful (1). */
  valence?: number | null;
  /** From calm (0) to intense (1). */
  energy?: number | null;
  /** How suitable it is for dancing, from 0 to 1. */
  danceability?: number | null;
  /**
   * Quadrant in the plane of valence and energy (Russell, 1980), divided at the medians of the
   * reference, the 50th of the card's percentiles.
   */
  mood?: "joyful" | "tense" | "serene" | "melancholy" | null;
  /**
   * For each emotion that the model predicts, the uncertainty of its score and its place in the
   * reference corpus.
   */
  emotion: Partial<Record<"valence" | "energy" | "danceability", EmotionRange>>;
  /**
   * Null if there is no steady beat, or the verdict is not_music or silence. A long recording is
   * measured on eight parts of 15 s, spread over it.
   */
  tempo: TempoFound | null;
  /** Null if there is none, or the verdict is not_music or silence. Measured on the same parts. */
  key: KeyFound | null;
  loudness: LoudnessFound;
  features: Features;
  /**
   * Defects of the recording that may affect the answer. They do not change the verdict, which is
   * about the sound that could be decoded.
   */
  warnings: Warned[];
  /** The prediction for each window, if the request asks for it. */
  timeline?: HeardWindow[] | null;
  /** What similar recordings are near to, if the request asks for it. */
  embedding?: EmbeddingFound | null;
  /**
   * The operator's own labels, the most probable first, if the request names a head; the
   * probabilities sum to 1. Read `head` first.
   */
  labels?: LabelProbability[] | null;
  /** The verdict of the head, if the request names one. */
  head?: HeadFound | null;
  audio: AudioFacts;
  model: ModelName;
  timings: Timings;
}

/** Properties of the recording. */
export interface AudioFacts {
  /** Container format. */
  container: string;
  /** Codec, as FFmpeg names it. */
  codec: string;
  /** Hz, as encoded. */
  sample_rate: number;
  /** As encoded; the analysis averages them. */
  channels: number;
  /** Length of the decoded sound. */
  duration_seconds: number;
  /**
   * Sound that the answer covers, in windows of 15 s. Silent windows and a remainder of less than
   * 3 s are left out.
   */
  analysed_seconds: number;
  /** Whether the recording is longer than the decoded sound. */
  truncated: boolean;
  /** Level of the loudest sample, dBFS. */
  peak_dbfs: number;
  /** Level of the whole recording, dBFS; -120 for silence. */
  rms_dbfs: number;
}

/** The responses to several files, in the order of the form. */
export interface Batch {
  results: BatchResult[];
}

/** The response to one file of a batch: an analysis or a problem. */
export interface BatchResult {
  /** As in the form. */
  filename: string;
  /** HTTP status of the response if the file were sent alone. */
  status: number;
  /** Present if the status is 200. */
  analysis?: Analysis | null;
  /** Present otherwise. */
  problem?: Problem | null;
}

/** The training data. */
export interface Data {
  /** Origin of the recordings and of their labels. */
  description: string;
  /** Terms of use of the training data. */
  terms: string;
  /** Number of recordings in each part of the split. */
  tracks: Record<string, number>;
  /** Number of 15 s windows in each part of the split. */
  windows: Record<string, number>;
  /** Number of recordings of each genre in each part of the split. */
  genres: Record<string, Record<string, number>>;
  /**
   * Number of synthetic recordings, which the other counts leave out: music of a genre, used for
   * training only, and sounds that are not music.
   */
  made: Record<string, number>;
  /** How the parts of the split are separated. */
  split: string;
}

/** A vector that is near those of similar recordings. */
export interface EmbeddingFound {
  /**
   * Name of the space: name and version of the model. Vectors of different spaces cannot be
   * compared.
   */
  space: string;
  /**
   * At most 128 numbers, as a vector of length 1. The similarity of two recordings is the cosine,
   * which is the sum of the products: 1 for the same sound.
   */
  values: number[];
}

/** What the model's embedding is. Vectors of different spaces cannot be compared. */
export interface EmbeddingSpace {
  /** Name of the space: name and version of the model. */
  space: string;
  /** Number of values of a vector. */
  dimensions: number;
}

/** One emotion, measured on labels of one origin. */
export interface EmotionFigures {
  emotion: "valence" | "energy" | "danceability";
  /** Where the labels come from. */
  origin: string;
  /** Number of recordings. */
  clips: number;
  /** Rank correlation with the labels. */
  spearman: Figure;
  /** Mean absolute error; null for labels on another scale. */
  absolute_error?: Figure | null;
  /** Share of labels inside the 80 % interval; null for labels on another scale. */
  coverage: Figure | null;
}

/** The uncertainty of an emotion's score, and its place in the reference corpus. */
export interface EmotionRange {
  /** Lower end of the score's 80 % interval. */
  low: number;
  /** Upper end of the score's 80 % interval. */
  high: number;
  /**
   * Share of the reference corpus with a lower score, in percent. It helps to convert a threshold
   * from another scale. Null if the model's card has no percentiles.
   */
  percentile?: number | null;
}

/**
 * How closely an audio-feature follows that of the network that taught it.
 *
 * Both are networks: this is no measure of how right they are.
 */
export interface FeatureFidelity {
  feature: "acousticness" | "instrumentalness" | "liveness" | "speechiness";
  /** Number of test recordings. */
  clips: number;
  /** Rank correlation. */
  spearman: number;
  /** Mean absolute difference. */
  absolute_error: number;
}

/** Audio-features under the names, types and scales of Spotify's interface. */
export interface Features {
  /** Beats a minute; 0 if there is no beat. */
  tempo: number;
  /** Tonic as a pitch class, 0 for C; -1 for none. */
  key: number;
  /** 0 for minor, 1 for major, also if there is no key. */
  mode: 0 | 1;
  /** LUFS; -60 if there is none. */
  loudness: number;
  /** Length of the decoded sound. */
  duration_ms: number;
  /** As in the answer. */
  danceability?: number | null;
  /** As in the answer. */
  energy?: number | null;
  /** As in the answer. */
  valence?: number | null;
  /**
   * How surely the instruments are acoustic. Another network taught this and the following to the
   * model; its card has the fidelity. Null for a model without them.
   */
  acousticness?: number | null;
  /** How surely there are no vocals. */
  instrumentalness?: number | null;
  /** How surely an audience is present. */
  liveness?: number | null;
  /** How much of it is spoken. */
  speechiness?: number | null;
}

/** The member `embedding` of the answer that the feedback is about. */
export interface FeedbackEmbedding {
  space: string;
  /** A vector of length 1. */
  values: number[];
}

/** What is right in place of an answer. */
export interface FeedbackSent {
  /** The right genre, or with `head` the right label of it. */
  label: string;
  /** The head that the label is of. */
  head?: string | null;
  /** What the service had answered, of the same genres or labels. */
  answered?: string | null;
  /** As the answer has it if the request asks for it with `embedding=true`. */
  embedding: FeedbackEmbedding;
}

/** Feedback that is stored now. */
export interface FeedbackStored {
  /** Deletes it: `DELETE /v1/feedback/{id}`. Keep it; nothing lists it. */
  id: string;
  /** UTC. */
  created: string;
}

/** One metric, measured on runs of the same training with several seeds. */
export interface Figure {
  /** Value of the model in this file; null if that model was not measured. */
  value: number | null;
  /** Mean over the seeds. */
  mean: number;
  /** Standard deviation over the seeds (n - 1); null for a single seed. */
  spread: number | null;
  /** Number of seeds. */
  seeds: number;
}

/** All figures of the model. */
export interface Figures {
  /**
   * Cross-validation over folds grouped by artist: each recording is predicted once, by models
   * trained on the other folds in the same way as the model in this file. Equal to `test` if no
   * folds were trained.
   */
  folds: Measured;
  /** This model on the test part of the split. */
  test: Measured;
  /** Figures of the embedding; none for a model without one. */
  neighbours?: NeighbourRow[];
  /** Fidelity of the `features` to the network that taught them, test recordings. */
  features?: FeatureFidelity[];
}

/** Genre, measured on recordings of artists that are not in the training data. */
export interface GenreFigures {
  /** Share of 15 s windows with the right genre. */
  window_accuracy: Figure;
  /** Mean F1 of the genres, by 15 s window. */
  window_macro_f1: Figure;
  /** Share of whole recordings with the right genre. */
  clip_accuracy: Figure;
  /** Mean F1 of the genres, by whole recording. */
  clip_macro_f1: Figure;
  /** Share of whole recordings with the right genre when a simulated phone records them. */
  phone_accuracy: Figure;
  /** Expected calibration error of the top genre's probability, 15 bins, by 15 s window. */
  calibration_error: Figure;
  /** The same error by whole recording. Its probabilities are means over windows. */
  clip_calibration_error: Figure;
  /**
   * Area under the ROC curve of `known`, the genres against other music; null if no other music
   * was measured.
   */
  unknown_auroc: Figure | null;
  /**
   * Area under the ROC curve of `music`, recordings against synthetic sounds that are not music;
   * null if none were measured.
   */
  music_auroc: Figure | null;
  per_genre: GenreRow[];
  /**
   * Number of whole recordings by true genre (rows) and top genre (columns), both in the order of
   * `genres`; null in models before version 4.
   */
  confusion?: (number[])[] | null;
  /** Share of recordings with the right genre if only the first seconds are used. */
  accuracy_by_seconds: Record<string, number>;
}

/** The probability of one genre. */
export interface GenreProbability {
  genre: string;
  probability: number;
}

/** Figures of one genre, by whole recording. */
export interface GenreRow {
  genre: string;
  /** Number of recordings. */
  clips: number;
  /** Number of their artists or albums. */
  artists: number;
  precision: number;
  recall: number;
  f1: number;
}

/** What a head, taught by the operator, says of a recording as a whole. */
export interface HeadFound {
  name: string;
  /** SHA-256 of the head's file. */
  digest: string;
  /**
   * The most probable label; null if the recording is none of these: its sound is too far from all
   * that the head was taught, or it holds none.
   */
  label: string | null;
  /** 1 less the cosine to the mean of what was taught of the nearest label. */
  distance: number;
  /** Largest distance that is not none of these. */
  limit: number;
}

/** The loaded heads, by name. */
export interface HeadList {
  heads: HeadSummary[];
}

/** A head of the operator, with its figures by cross-validation. */
export interface HeadSummary {
  /** As in `?head=`. */
  name: string;
  /** SHA-256 of the file. */
  digest: string;
  /** Date. */
  created: string;
  /** Of the embedding that it reads. */
  space: string;
  labels: string[];
  /** Recordings that were taught. */
  tracks: number;
  /** Share of them with the right label. */
  accuracy: number;
  /** Share of them that are not judged to be none of these. */
  kept: number;
  /**
   * Share of the recordings of a label that are judged to be none of these if the label is not
   * taught.
   */
  left_out_refused: number;
}

/** The process is alive. */
export interface Health {
  status?: "ok";
}

/** The prediction for one window. */
export interface HeardWindow {
  start_seconds: number;
  end_seconds: number;
  /** The most probable genre. */
  genre: string;
  /** Every genre, the most probable first; the probabilities sum to 1. */
  genres: GenreProbability[];
  /** Probability that this is music. */
  music: number;
  /** Probability that this, if it is music, is of one of the genres. */
  known: number;
  /** From sad or angry (0) to cheerful (1). */
  valence?: number | null;
  /** From calm (0) to intense (1). */
  energy?: number | null;
  /** How suitable it is for dancing, from 0 to 1. */
  danceability?: number | null;
  /**
   * Quadrant in the plane of valence and energy (Russell, 1980), divided at the medians of the
   * reference, the 50th of the card's percentiles.
   */
  mood?: "joyful" | "tense" | "serene" | "melancholy" | null;
  /**
   * Whether the window is silent. If so, its scores mean nothing, and the mean of the recording
   * leaves them out.
   */
  silence?: boolean;
}

/** One possible key. */
export interface KeyCandidate {
  /** C, C#, Db, D, Eb, E, F, F#, G, G#, Ab, A, Bb or B. */
  tonic: string;
  /** Major or minor. */
  mode: "major" | "minor";
  probability: number;
}

/** The key of a recording. */
export interface KeyFound {
  /** C, C#, Db, D, Eb, E, F, F#, G, G#, Ab, A, Bb or B. */
  tonic: string;
  /** Major or minor. */
  mode: "major" | "minor";
  probability: number;
  /**
   * Five keys, the most probable first. The probabilities sum to at most 1; the rest is for
   * others, and for no key.
   */
  candidates: KeyCandidate[];
}

/** The probability of one of the operator's own labels. */
export interface LabelProbability {
  label: string;
  probability: number;
}

/** The limits of the service. */
export interface Limits {
  /** Shortest recording. */
  min_seconds: number;
  /** Decoding stops here; the rest of a recording is ignored. */
  max_seconds: number;
  /** Hz. */
  min_sample_rate: number;
  /** Hz. */
  max_sample_rate: number;
  max_channels: number;
  /** Largest request body. */
  max_upload_bytes: number;
  /** Read timeout for the request body. */
  upload_seconds: number;
  /** Decoding timeout. */
  decode_seconds: number;
  /** Server processes. */
  workers: number;
  /** Request bodies that a process holds at the same time. */
  max_uploads: number;
  /** Live connections that a process holds at the same time. */
  max_live: number;
  /** Longest live connection; then the service ends its recording. */
  live_seconds: number;
  /** Largest message of a live connection. */
  max_message_bytes: number;
  /** Recordings that a process analyses at the same time. */
  concurrency: number;
  /** Recordings that wait in each process. */
  queue_length: number;
  /** Files in a batch. */
  max_batch_files: number;
  /** Largest body of /v1/feedback; 0 if the service takes no feedback. */
  max_feedback_bytes: number;
}

/** The last message of the client: the recording is complete. */
export interface LiveEnd {
  message: "end";
}

/** The answer to the whole recording. The service closes the connection after it. */
export interface LiveFinal {
  message: "final";
  /** The same that `POST /v1/analyze` answers. */
  analysis: Analysis;
}

/** The form of samples without a container. */
export interface LivePcm {
  /** Little-endian: integers of 16 bits, or floats of 32 bits with full scale 1. */
  encoding: "s16le" | "f32le";
  /** Hz. */
  sample_rate: number;
  /** Interleaved, if there are two. */
  channels?: 1 | 2;
}

/** Why there is no answer. The service closes the connection after it, with 4000 + `status`. */
export interface LiveProblem {
  /** The kind of problem, for programs. It stays the same if the wording changes. */
  type: string;
  /** The type in words. */
  title: string;
  /** HTTP status. */
  status: number;
  /** Explanation of this occurrence, for people. */
  detail: string;
  /** Path of the request. */
  instance?: string | null;
  /** The limits of the service. */
  limits?: Limits | null;
  /** The accepted formats. */
  accepted?: Accepted | null;
  message: "problem";
  /** Seconds after which the same may succeed. */
  retry_after?: number | null;
}

/** The service is ready for the recording. */
export interface LiveReady {
  message: "ready";
  model: ModelName;
}

/** What `POST /v1/analyze` would answer if the recording ended here. */
export interface LiveRunning {
  /**
   * How far the answer can be trusted: confident, mixed (two genres are too close to decide),
   * unknown_genre (music of another genre), not_music or silence. The model's card has the
   * thresholds.
   */
  verdict: "confident" | "mixed" | "unknown_genre" | "not_music" | "silence";
  /** The verdict in a sentence for people. */
  reason: string;
  /** The most probable genre. */
  genre: string;
  /** Every genre, the most probable first; the probabilities sum to 1. */
  genres: GenreProbability[];
  /** Probability that this is music. */
  music: number;
  /** Probability that this, if it is music, is of one of the genres. */
  known: number;
  /** From sad or angry (0) to cheerful (1). */
  valence?: number | null;
  /** From calm (0) to intense (1). */
  energy?: number | null;
  /** How suitable it is for dancing, from 0 to 1. */
  danceability?: number | null;
  /**
   * Quadrant in the plane of valence and energy (Russell, 1980), divided at the medians of the
   * reference, the 50th of the card's percentiles.
   */
  mood?: "joyful" | "tense" | "serene" | "melancholy" | null;
  message: "running";
  /** Sound that has been heard. */
  heard_seconds: number;
  /** As in the answer of `POST /v1/analyze`. */
  emotion: Partial<Record<"valence" | "energy" | "danceability", EmotionRange>>;
  /** Whether the verdict is confident, and the genre the same as in the message before. */
  certain: boolean;
  /** The prediction for each window of 15 s that was completed since the message before. */
  timeline: HeardWindow[];
}

/** The first message of the client. */
export interface LiveStart {
  message: "start";
  /**
   * The API key, if the service needs one and the request had no Authorization header: pages
   * cannot set headers of a WebSocket.
   */
  key?: string | null;
  /** As the parameter of `POST /v1/analyze`. */
  model?: string | null;
  /** Whether the final answer has the prediction for each window. */
  timeline?: boolean;
  /** Whether the final answer has a vector. */
  embedding?: boolean;
  /** The head of the operator whose labels the final answer has; see /v1/heads. */
  head?: string | null;
  /**
   * Whether to listen for hours. Then the answers are about the last minutes, the beginning is
   * forgotten, and there is no final answer.
   */
  rolling?: boolean;
  /**
   * What the answers are about, if it listens for hours: so much of the end, in whole windows of
   * 15 s, and the rest after them.
   */
  rolling_seconds?: number;
  /** For samples without a container. The default is a file in a container. */
  pcm?: LivePcm | null;
}

/** The loudness of the recording as it is encoded, on its own channels (EBU R 128). */
export interface LoudnessFound {
  /**
   * Loudness of the whole, LUFS. A mono recording counts as one channel. Null if nothing is louder
   * than -70 LUFS for 400 ms.
   */
  integrated_lufs: number | null;
  /** Highest level, also between samples, dBTP; -120 for silence. */
  true_peak_dbtp: number;
}

/** All figures of one set of held-out recordings. */
export interface Measured {
  genre: GenreFigures;
  emotion: EmotionFigures[];
  mood?: MoodFigures[];
  verdicts: VerdictRow[];
}

/** A model's card and the digest of its file. */
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
  /** The emotions that the model predicts, in the order of its output. */
  emotions: ("valence" | "energy" | "danceability")[];
  /**
   * Further audio-features that the model predicts, in the order of its output. They are taught by
   * another network only; `figures` has the fidelity to it. Empty in models before version 4.
   */
  features?: ("acousticness" | "instrumentalness" | "liveness" | "speechiness")[];
  /** The embedding of the model; null if it has none, as before version 4. */
  embedding?: EmbeddingSpace | null;
  network: Network;
  data: Data;
  figures: Figures;
  /**
   * Identifies the corpus that the figures were measured on: SHA-256 of the ids, groups, splits
   * and labels of its recordings. Null in models before version 4.
   */
  corpus?: string | null;
  thresholds: Thresholds;
  /**
   * Half the width of each emotion's 80 % interval, by split conformal prediction on the
   * validation data.
   */
  intervals: Partial<Record<"valence" | "energy" | "danceability", number>>;
  /**
   * Each emotion's scores at the percentiles 0 to 100 of the reference, to place a score in it: a
   * published table of Spotify's values for the shipped model, the training corpus for a model
   * whose corpus has no quantiles.
   */
  percentiles?: Partial<Record<"valence" | "energy" | "danceability", number[]>>;
  /** Limitations that the figures do not show. */
  limits: string[];
  /** Parameters of the front-end that the model was trained with. */
  front_end: Record<string, number>;
  /** Output of that front-end for a fixed recording: one level a mel band, dB. */
  signature: number[];
  /**
   * Output of the model for that recording: genre probabilities, emotion, music, known and, if the
   * model has them, features and embedding.
   */
  reference_answer: number[];
  /** SHA-256 of the model file. Answers change only if this changes. */
  digest: string;
}

/** The installed models, by name. */
export interface ModelList {
  models: ModelSummary[];
}

/** A model and its tensors, in KServe's protocol. */
export interface ModelMetadata {
  name: string;
  versions: string[];
  platform?: "onnxruntime_onnx";
  inputs: Tensor[];
  outputs: Tensor[];
}

/** The model of an answer. */
export interface ModelName {
  name: string;
  version: string;
  /** SHA-256 of the model file. Answers change only if this changes. */
  digest: string;
}

/** A model is ready, in KServe's protocol. */
export interface ModelReady {
  name: string;
  ready?: true;
}

/** A model in a list. */
export interface ModelSummary {
  name: string;
  version: string;
  /** SHA-256 of the model file. Answers change only if this changes. */
  digest: string;
  /** What the model is, in a sentence or two. */
  description: string;
  /** The genres that it distinguishes. */
  genres: string[];
  /** Whether it is used if a request names no model. */
  default: boolean;
}

/** The mood, measured on labels of valence and energy of one origin. */
export interface MoodFigures {
  /** Where the labels come from. */
  origin: string;
  /** Number of recordings. */
  clips: number;
  /** Share of recordings with the mood of their labels. */
  accuracy: Figure;
  /** Share of the most frequent mood of the labels: the accuracy of a constant prediction. */
  commonest: number;
}

/** A recording of the operator's library. */
export interface Neighbour {
  /** Relative to the folder of the library. */
  path: string;
  /** Similarity: 1 for the same sound. */
  cosine: number;
  /** As in its analysis. */
  genre: string | null;
  /** As in its analysis. */
  mood: "joyful" | "tense" | "serene" | "melancholy" | null;
}

/**
 * How often the nearest recordings, by cosine, are of the same kind.
 *
 * Recordings with a genre; each is compared with all others of its set.
 */
export interface NeighbourRow {
  /**
   * What is compared: the embedding, the means of 20 MFCCs, or chance, which is the expected share
   * for a random order.
   */
  vectors: string;
  /**
   * The set: all recordings, or those of the test part, of which the network heard nothing in
   * training.
   */
  recordings: string;
  /** Number of recordings. */
  clips: number;
  /** Share of recordings whose nearest of another artist has the same genre. */
  nearest_genre: number;
  /** Share of the ten nearest of other artists that have the same genre. */
  genre_precision: number;
  /**
   * Share of the ten nearest that are of the same artist or album, over the recordings whose
   * artist has another; null if there are none.
   */
  artist_precision: number | null;
}

/** The network and its training. */
export interface Network {
  /** Kind of network; `training.models.ensemble` has the current one. */
  name: string;
  /** Number of trained parameters. */
  parameters: number;
  /**
   * Number of networks in the ensemble, whose predictions are averaged. Each was trained without a
   * different part of the recordings, and selected and calibrated on it.
   */
  members: number;
  /** Seed of the exported run. */
  seed: number;
  /** All hyper-parameters of the training, as in its configuration file. */
  config: Record<string, number | string>;
  /** The command that trains it. */
  command: string;
}

/**
 * Why a request failed; RFC 9457, ``application/problem+json``.
 *
 * `limits` and `accepted` are present only where they are relevant.
 */
export interface Problem {
  /** The kind of problem, for programs. It stays the same if the wording changes. */
  type: string;
  /** The type in words. */
  title: string;
  /** HTTP status. */
  status: number;
  /** Explanation of this occurrence, for people. */
  detail: string;
  /** Path of the request. */
  instance?: string | null;
  /** The limits of the service. */
  limits?: Limits | null;
  /** The accepted formats. */
  accepted?: Accepted | null;
}

/** The models and decoders are verified. */
export interface Ready {
  status?: "ready";
}

/** The process is alive, in KServe's protocol. */
export interface ServerLive {
  live?: true;
}

/** The service is ready, in KServe's protocol. */
export interface ServerReady {
  ready?: true;
}

/** The recordings of the operator's library that are the most similar to an upload. */
export interface Similar {
  /** The most similar first. */
  neighbours: Neighbour[];
  /** Number of recordings that match the filters. */
  compared: number;
  model: ModelName;
}

/** One possible tempo. */
export interface TempoCandidate {
  /** Beats a minute. */
  bpm: number;
  probability: number;
}

/** The tempo of a recording. It is hard to tell from its half and its double. */
export interface TempoFound {
  /** The most probable tempo, beats a minute. */
  bpm: number;
  /** Its probability. */
  confidence: number;
  /**
   * Five tempi, the most probable first, and half and double of the first. The probabilities sum
   * to at most 1; the rest is for others, and for no steady beat.
   */
  candidates: TempoCandidate[];
}

/** An input or output of a model. */
export interface Tensor {
  name: string;
  datatype?: "FP32";
  /** -1 for any number of windows. */
  shape: number[];
}

/** Thresholds of the verdicts, chosen on the validation data. */
export interface Thresholds {
  /** Peak level, dBFS. A recording at or below it is silence. */
  silence_dbfs: number;
  /** Minimum probability of music. */
  music: number;
  /** Minimum probability of a known genre. */
  known: number;
  /** Minimum difference between the two most probable genres. */
  margin: number;
}

/** The duration of each stage, in milliseconds. */
export interface Timings {
  /** Time in the queue. */
  queue_ms?: number;
  /** Decoding, loudness, down-mix and resampling. */
  decode_ms: number;
  /** Tempo and key. */
  music_ms: number;
  /** Windows and spectrograms. */
  spectrogram_ms: number;
  /** The network, for all windows. */
  inference_ms: number;
}

/** The verdicts on recordings of one kind. */
export interface VerdictRow {
  /** Music of the genres, other music, or no music. */
  kind: string;
  clips: number;
  /** Share of each verdict. */
  verdicts: Record<string, number>;
  /**
   * Share of the confident answers with the right genre; null if there are none, or if the
   * recordings have no genre.
   */
  confident_accuracy: number | null;
}

/** A defect of the recording, which was analysed nevertheless. */
export interface Warned {
  /** For programs. More may be added. */
  type: "clipped" | "very_quiet" | "narrow_band" | "damaged" | "out_of_phase";
  /** For people, with advice. */
  detail: string;
}
