"""What a musician would say of a recording: its tempo and its key.

Both are measured on the waveform that the models hear, apart from the models::

    parts        waveform -> at most eight parts of 15 s, spread over the recording
    tempogram    parts -> how strongly the onsets repeat at every period
    tempo        tempogram -> tempi and their probabilities
    chroma       parts -> how strongly each of the twelve pitch classes sounds
    key          chroma -> keys and their probabilities

`fitted` reads the numbers that `python -m training tempo-key` fitted. Tempo needs frames of 46 ms,
key frames of 186 ms, so the two share no spectrum.
"""

from service.music.chroma import Chroma, chroma
from service.music.key import Key, Mode, key_features, keys, pitch_class
from service.music.parts import MOST_PARTS, parts
from service.music.tempo import MAX_BPM, MIN_BPM, Tempo, bpm_of, candidates, tempi, tempo_features
from service.music.tempogram import Tempogram, tempogram

__all__ = [
    "MAX_BPM",
    "MIN_BPM",
    "MOST_PARTS",
    "Chroma",
    "Key",
    "Mode",
    "Tempo",
    "Tempogram",
    "bpm_of",
    "candidates",
    "chroma",
    "key_features",
    "keys",
    "parts",
    "pitch_class",
    "tempi",
    "tempo_features",
    "tempogram",
]
