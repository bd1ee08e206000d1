"""The analysis of a recording while it arrives. No HTTP here.

Sound is decoded, transformed and scored once. At the end, `Live.run` returns exactly what
`analysis.analyze` returns for the same bytes.
"""

import struct
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter

import numpy as np

from service import audio
from service.analysis import NOTHING_HEARD, Heard, conclude, named, summary, timeline_of
from service.heads import Head
from service.messages import ROLLING_SECONDS, LivePcm, LiveRunning
from service.model import Scorer, Scores
from service.schemas import Analysis
from service.taxonomy import Taxonomy
from service.verdict import Verdict

FIRST_SECONDS = (3.0, 6.0, 10.0)  # of sound, at which the first running answers come
EVERY_SECONDS = 7.5  # of sound, at which the others come: half a window
SECONDS_DIGITS = 3

UNKNOWN_SIZE = 0xFFFFFFFF
PCM_TAGS = {"s16le": (1, 16), "f32le": (3, 32)}  # WAV's number of the encoding, and its bits


def wav_header(pcm: LivePcm) -> bytes:
    """Return the header of a WAV whose size is not known: samples behind it make it a file."""
    tag, bits = PCM_TAGS[pcm.encoding]
    frame = pcm.channels * bits // 8
    form = (16, tag, pcm.channels, pcm.sample_rate, frame * pcm.sample_rate, frame, bits)
    return (
        struct.pack("<4sI8s", b"RIFF", UNKNOWN_SIZE, b"WAVEfmt ")
        + struct.pack("<IHHIIHH", *form)
        + struct.pack("<4sI", b"data", UNKNOWN_SIZE)
    )


@dataclass(frozen=True)
class _Window:
    """One window: its position in samples, its levels as in `audio.Cut`, its scores."""

    start: int
    end: int
    peak_dbfs: float
    lasting_dbfs: float
    scores: Scores


class Live:
    """The analysis of one recording while it arrives.

    Parameters
    ----------
    stream : audio.Growing
        For a rolling analysis, a forgetful one.
    model : Scorer
    bounds : audio.Bounds
    taxonomy : Taxonomy
    tell : callable
        Called with each running answer, in the thread of `run`.
    """

    def __init__(
        self,
        stream: audio.Growing,
        model: Scorer,
        bounds: audio.Bounds,
        taxonomy: Taxonomy,
        tell: Callable[[LiveRunning], None],
    ) -> None:
        self._stream, self._model, self._bounds = stream, model, bounds
        self._taxonomy, self._tell = taxonomy, tell
        self._windows: deque[_Window] = deque()
        self._spectrograms: list[audio.Spectrograms] = []
        self._rolling = False
        self._tail = np.empty(0, np.float32)  # the last whole window, and what follows it
        self._first = audio.LogMel()  # of the first window
        self._whole = 0  # samples of that window in it: none, or all
        self._samples = 0
        self._due = deque(FIRST_SECONDS)
        self._told_until = 0  # samples: the end of the last window in a running answer
        self._confident_of: str | None = None
        self._certain = False  # the last running answer
        self._transform_seconds = self._score_seconds = 0.0

    def run(
        self, *, timeline: bool = False, embedding: bool = False, head: Head | None = None
    ) -> Analysis:
        """Analyse the recording to its end.

        Parameters
        ----------
        timeline, embedding, head
            As of `analysis.analyze`. The model has an embedding if one of the last two is asked
            for, and the head belongs to the model.

        Returns
        -------
        analysis : Analysis
            As `analysis.analyze` returns it for the same bytes, apart from the timings.

        Raises
        ------
        audio.AudioError
            If the recording cannot be analysed.
        OSError
            If the rest of it does not arrive.
        """
        started = perf_counter()
        recording = audio.decode(self._stream, self._bounds, self._hear)
        decode_seconds = perf_counter() - started - self._stream.elsewhere
        seconds = decode_seconds, self._transform_seconds, self._score_seconds
        heard = Heard(NOTHING_HEARD, None, seconds)
        if self._spectrograms and not recording.out_of_phase:  # else the waveform is another
            scores = Scores.together([window.scores for window in self._windows])
            heard = Heard(np.concatenate(self._spectrograms), scores, seconds)
        return conclude(
            recording,
            heard,
            self._model,
            self._bounds.check,
            self._taxonomy,
            timeline=timeline,
            embedding=embedding,
            head=head,
        )

    def roll(self, seconds: float = ROLLING_SECONDS) -> None:
        """Analyse a recording of hours.

        Parameters
        ----------
        seconds : float
            Of its end, which the answers are about: whole windows, and the rest after them.

        Raises
        ------
        audio.AudioError, OSError
            As `run`.
        """
        self._rolling = True
        self._windows = deque(maxlen=max(1, round(seconds / audio.WINDOW_SECONDS)))
        audio.follow(self._stream, self._bounds, self._hear)
        running = self._running(at_the_end=True)
        if running is None:
            raise audio.ClipTooShortError.of(self._samples / audio.SAMPLE_RATE)
        self._tell(running)

    def _hear(self, piece: audio.Waveform) -> None:
        """Score the windows that a piece of the waveform completes; answer if it is time to."""
        began = perf_counter()
        self._tail = np.concatenate([self._tail, piece])
        self._samples += len(piece)
        while len(self._tail) - self._whole >= audio.N_SAMPLES:
            self._tail = self._tail[self._whole :]
            self._whole = audio.N_SAMPLES
            start = self._windows[-1].end if self._windows else 0
            self._windows.append(self._scored(audio.cut(self._tail[: self._whole]), start))
        if self._is_due() and not self._is_needless() and (running := self._running()):
            self._tell(running)
        self._stream.patience = self._seconds_left(len(piece))
        self._stream.elsewhere += perf_counter() - began

    def _is_due(self) -> bool:
        """Return whether a running answer is due, and when the next is."""
        if self._samples < self._due[0] * audio.SAMPLE_RATE:
            return False
        while self._samples >= self._due[0] * audio.SAMPLE_RATE:
            passed = self._due.popleft()
            if not self._due:
                self._due.append((passed // EVERY_SECONDS + 1) * EVERY_SECONDS)
        return True

    def _seconds_left(self, n_piece: int) -> float:
        """Return how much sound must arrive, at least, before the next answer.

        Samples are decoded that wait for others, fewer than a piece has.

        Parameters
        ----------
        n_piece : int
            Samples of a piece.
        """
        due = audio.WINDOW_SECONDS if self._is_settled() else self._due[0]
        return due - (self._samples + n_piece) / audio.SAMPLE_RATE

    def _is_settled(self) -> bool:
        """Return whether the next answer is that of the first whole window."""
        return self._certain and not self._windows

    def _is_needless(self) -> bool:
        """Return whether an answer that is due is left out.

        It is needless before the first whole window, once an answer was certain, and where the next
        answer is due with the bytes that have arrived already. They are taken to hold as much sound
        as those that were decoded. An answer that has a whole window to tell of is never needless.
        """
        if self._windows and self._windows[-1].end > self._told_until:
            return False
        if self._is_settled():
            return True
        heard_seconds = self._samples / audio.SAMPLE_RATE
        arrived_seconds = heard_seconds * self._stream.size / max(self._stream.tell(), 1)
        return self._stream.ended or arrived_seconds >= self._due[0]

    def _scored(self, cut: audio.Cut, offset: int, *, kept: bool = True) -> _Window:
        """Score the last window of a cut that begins at a sample of the recording."""
        began = perf_counter()
        first = self._first if not self._windows else audio.LogMel()
        spectrogram = first.update(cut.windows[-1], cut.ends[-1] - cut.starts[-1])[None]
        transformed = perf_counter()
        scores = self._model.score(spectrogram)
        self._transform_seconds += transformed - began
        self._score_seconds += perf_counter() - transformed
        if kept and not self._rolling:
            self._spectrograms.append(spectrogram)
        return _Window(
            offset + cut.starts[-1],
            offset + cut.ends[-1],
            float(cut.peaks_dbfs[-1]),
            float(cut.lasting_dbfs[-1]),
            scores,
        )

    def _running(self, *, at_the_end: bool = False) -> LiveRunning | None:
        """Return the answer so far, or None before `audio.MIN_SECONDS`."""
        windows = self._so_far()
        if not windows:
            return None
        card = self._model.card
        together = Scores.together([window.scores for window in windows])
        scores, names = named(together, card, self._taxonomy)
        cut = _joined(windows)
        sounding = cut.sounding(card.thresholds.silence_dbfs)
        found = summary(cut, scores.chosen(sounding) if sounding.any() else scores, names, card)
        complete = len(windows) if at_the_end else len(self._windows)
        new = [window.end > self._told_until for window in windows[:complete]]
        new += [False] * (len(windows) - complete)
        self._told_until = windows[complete - 1].end if complete else 0
        recent = _joined([windows[index] for index in np.flatnonzero(new)])
        return LiveRunning(
            message="running",
            **found,
            heard_seconds=round(self._answered_samples() / audio.SAMPLE_RATE, SECONDS_DIGITS),
            certain=self._is_certain(found["verdict"], found["genre"]),
            timeline=timeline_of(recent, scores.chosen(np.array(new)), names, sounding[new]),
        )

    def _so_far(self) -> list[_Window]:
        """Return the complete windows, and one for the rest as `audio.cut` would place it."""
        windows = list(self._windows)
        if len(self._tail) - self._whole >= audio.MIN_SECONDS * audio.SAMPLE_RATE:
            offset = self._samples - len(self._tail)
            tail = self._tail[: self._answered_samples() - offset]
            cut = audio.cut(tail, self._model.shortest)
            windows.append(self._scored(cut, offset, kept=False))
        return windows

    def _answered_samples(self) -> int:
        """Return how much of the sound so far an answer is about.

        A window that repeats whole hops costs a part of one that repeats any number of samples.
        """
        return self._samples if self._whole else self._samples // audio.HOP * audio.HOP

    def _is_certain(self, verdict: Verdict, genre: str) -> bool:
        """Return whether this answer and the one before are confident, about the same genre."""
        before, self._confident_of = self._confident_of, genre if verdict == "confident" else None
        self._certain = self._confident_of is not None and self._confident_of == before
        return self._certain


def _joined(windows: Sequence[_Window]) -> audio.Cut:
    """Return windows as one cut, without their samples."""
    return audio.Cut(
        np.empty((len(windows), 0), np.float32),
        [window.start for window in windows],
        [window.end for window in windows],
        np.array([window.peak_dbfs for window in windows]),
        np.array([window.lasting_dbfs for window in windows]),
    )
