"""Finds the recordings of a library, and counts the files that are left out.

The rule
--------
* A file that is given on the command line is a candidate, whatever its name.
* In a folder, everything is a candidate except hidden files and folders, links to folders, and
  files with a suffix of `NO_SOUND`. These are left out and counted.
* The content of a candidate decides, not its name. A candidate without sound is left out and
  counted as well, unless its suffix (`SOUND`) or its first bytes (`_SIGNATURES`) promise sound.
* Every other candidate gets a record: an analysis, or the problem with it.
"""

import os
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

SOUND = {
    ".3g2", ".3gp", ".8svx", ".aa", ".aa3", ".aac", ".aax", ".ac3", ".adts", ".aif", ".aifc",
    ".aiff", ".alac", ".amr", ".ape", ".asf", ".au", ".avi", ".awb", ".bwf", ".caf", ".dff",
    ".divx", ".dsf", ".dts", ".dtshd", ".eac3", ".ec3", ".f4a", ".f4b", ".f4v", ".flac", ".flv",
    ".gsm", ".it", ".latm", ".loas", ".m1a", ".m2a", ".m2ts", ".m4a", ".m4b", ".m4p", ".m4r",
    ".m4v", ".mka", ".mkv", ".mlp", ".mod", ".mov", ".mp1", ".mp2", ".mp3", ".mp4", ".mpa",
    ".mpc", ".mpe", ".mpeg", ".mpg", ".mts", ".ofr", ".oga", ".ogg", ".ogm", ".ogv", ".ogx",
    ".oma", ".opus", ".qcp", ".qt", ".ra", ".rf64", ".rm", ".rmvb", ".s3m", ".shn", ".snd",
    ".spx", ".tak", ".thd", ".tta", ".vob", ".voc", ".vqf", ".w64", ".wav", ".wave", ".weba",
    ".webm", ".wma", ".wmv", ".wv", ".xm", ".xwma",
}  # fmt: skip
"""Suffixes of sound and of films with sound, whether they can be decoded or not."""

NO_SOUND = {
    suffix: kind
    for kind, suffixes in {
        "picture": ".ai .avif .bmp .eps .gif .heic .heif .ico .jfif .jpe .jpeg .jpg .jxl .png .psd"
        " .svg .tga .tif .tiff .webp .xcf",
        "text": ".accurip .cfg .conf .css .csv .ffp .htm .html .ini .js .json .jsonl .log"
        " .lrc .md .md5 .nfo .par2 .py .rst .rtf .sfv .sha1 .sha256 .tex .toml .txt .url .xml"
        " .yaml .yml",
        "playlist": ".asx .cue .m3u .m3u8 .pls .wpl .xspf",
        "subtitle": ".ass .idx .mks .srt .ssa .sub .sup .vtt",
        "score": ".gp3 .gp4 .gp5 .gpx .kar .mid .midi .mscx .mscz .musicxml .mxl .sib",
        "document": ".doc .docx .epub .odp .ods .odt .pdf .ppt .pptx .ps .xls .xlsx",
        "archive": ".7z .bz2 .gz .rar .tar .tgz .torrent .xz .zip .zst",
        "program": ".bat .dll .dylib .exe .jar .pyc .sh .so",
        "database": ".db .db-shm .db-wal .sqlite .sqlite3",
    }.items()
    for suffix in suffixes.split()
}
"""Suffixes of files that cannot be sound, and the kind under which they are counted."""

OTHER = "other"  # the kind of candidates without sound

_SIGNATURES = re.compile(
    rb"ID3|OggS|fLaC|FRM8|DSD |MAC |TTA1|MPCK|MP\+|wvpk|tBaK|ajkg|caff|riff|RF64|BW64|RIFX"
    rb"|\.snd|\.RMF|#!AMR|#!SILK|Creative Voice|\x1aE\xdf\xa3|\x30\x26\xb2\x75\x8e\x66\xcf\x11"
    rb"|.{4}ftypM4[ABP]|.{8}(WAVE|AIFF|AIFC|8SVX)|G.{187}G.{187}G",
    re.DOTALL,
)
"""First bytes of sound files."""
_SIGNATURE_BYTES = 2 * 188 + 1  # the last one: a transport stream has packets of 188 bytes


class MissingPathError(ValueError):
    """There is nothing at a path. The message is for the operator, in one line."""


class Library:
    """The candidates below some paths, and a count of the files that were left out.

    Parameters
    ----------
    paths : iterable of Path
        Files and folders.
    exclude : collection of Path
        Files that are neither candidates nor counted: the output of the command.

    Attributes
    ----------
    candidates : list of Path
        Absolute paths without duplicates, sorted. An unreadable folder is a candidate, so that it
        gets a record.
    no_sound : Counter of str
        Number of files left out because they are not sound, by kind.
    hidden : int
        Number of hidden files and folders left out.
    links : int
        Number of links to folders left out: they may form a loop.

    Raises
    ------
    MissingPathError
        If there is nothing at one of the paths.
    """

    def __init__(self, paths: Iterable[Path], exclude: Collection[Path] = ()) -> None:
        self.no_sound: Counter[str] = Counter()
        self.hidden = self.links = 0
        self._excluded = {os.path.realpath(path) for path in exclude}
        self._excluded_names = {Path(path).name for path in [*map(str, exclude), *self._excluded]}
        self._walked: set[Path] = set()
        absolute = [Path(os.path.abspath(path)) for path in paths]  # noqa: PTH100
        folders = [path for path in absolute if os.path.isdir(path)]  # noqa: PTH112
        self._named = set(absolute).difference(folders)
        for path in self._named:
            if not os.path.lexists(path):
                raise MissingPathError(f"There is nothing at {path}.")
        candidates = {path for path in self._named if not self._is_excluded(path)}
        for folder in folders:
            candidates.update(self._below(folder))
        self.candidates = sorted(candidates)

    def leave_out(self, path: Path) -> bool:
        """Return whether a candidate without sound is left out, and count it if so."""
        if path in self._named or promises_sound(path):
            return False
        self.no_sound[OTHER] += 1
        return True

    def _below(self, top: Path) -> Iterator[Path]:
        """Yield the candidates in a folder and in its subfolders, at any depth."""
        pending = [top]
        while pending:
            folder = pending.pop()
            if folder in self._walked:
                continue
            self._walked.add(folder)
            try:
                with os.scandir(folder) as scan:
                    entries = list(scan)
            except OSError:
                yield folder
                continue
            for entry in entries:
                path = folder / entry.name
                if path in self._named or self._is_excluded(path):
                    continue
                if entry.name.startswith("."):
                    self.hidden += 1
                elif entry.is_dir(follow_symlinks=False):
                    pending.append(path)
                elif entry.is_symlink() and os.path.isdir(path):  # noqa: PTH112, it never raises
                    self.links += 1
                elif kind := NO_SOUND.get(_suffix(path)):
                    self.no_sound[kind] += 1
                else:
                    yield path

    def _is_excluded(self, path: Path) -> bool:
        return path.name in self._excluded_names and os.path.realpath(path) in self._excluded


def promises_sound(path: Path) -> bool:
    """Return whether the suffix or the first bytes of a file promise sound."""
    if _suffix(path) in SOUND:
        return True
    try:
        with path.open("rb") as file:
            start = file.read(_SIGNATURE_BYTES)
    except OSError:
        return False
    return _SIGNATURES.match(start) is not None


def _suffix(path: Path) -> str:
    return path.suffix.strip().lower()
