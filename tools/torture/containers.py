"""A recording in every container and variant that this FFmpeg can write, by name."""

import io
import struct
import zlib
from fractions import Fraction
from functools import cache, partial
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory

import av
import numpy as np
from mutagen import aiff, apev2, flac, id3, mp4, oggvorbis, wave

from tools import signals

SECONDS, RATE = 3.2, 48_000
CODECS = {
    "aac": ("ipod", "aac"), "alac": ("ipod", "alac"), "mp3": ("mp3", "libmp3lame"),
    "opus": ("ogg", "libopus"), "vorbis": ("ogg", "libvorbis"), "flac": ("flac", "flac"),
    "speex": ("ogg", "libspeex"), "pcm": ("wav", "pcm_s16le"), "pcm24": ("wav", "pcm_s24le"),
    "float": ("wav", "pcm_f32le"), "mulaw": ("wav", "pcm_mulaw"), "adpcm": ("wav", "adpcm_ms"),
    "big": ("aiff", "pcm_s16be"), "big24": ("aiff", "pcm_s24be"), "wavpack": ("wv", "wavpack"),
    "tta": ("tta", "tta"), "wma": ("asf", "wmav2"), "mp2": ("mp2", "mp2"), "ac3": ("ac3", "ac3"),
    "eac3": ("eac3", "eac3"),
}  # fmt: skip
"""Name of a codec here: FFmpeg's container that its packets are taken from, and its encoder."""

MUXERS = {
    "mp4": "aac alac mp3 opus flac ac3 eac3", "mov": "aac alac mp3 pcm pcm24 mulaw ac3",
    "ipod": "aac alac ac3", "3gp": "aac", "3g2": "aac", "f4v": "aac", "ismv": "aac",
    "mp3": "mp3", "mp2": "mp2", "adts": "aac", "flac": "flac", "ogg": "opus vorbis flac speex",
    "oga": "opus vorbis flac", "opus": "opus", "spx": "speex", "wav": "pcm pcm24 float mulaw adpcm",
    "w64": "pcm", "aiff": "big big24", "caf": "pcm alac aac opus", "au": "big", "voc": "pcm",
    "matroska": "aac alac mp3 opus vorbis flac pcm wavpack tta ac3", "webm": "opus vorbis",
    "wv": "wavpack", "tta": "tta", "asf": "wma mp3", "ac3": "ac3", "eac3": "eac3", "avi": "mp3 pcm",
    "flv": "aac mp3", "mpegts": "aac mp2 mp3 ac3", "mpeg": "mp2", "nut": "aac vorbis",
    "latm": "aac", "ircam": "pcm", "wtv": "mp2", "rm": "ac3",
}  # fmt: skip
"""By FFmpeg's muxer, the codecs that are tried in it; a pair that it does not take is left out."""

FRAGMENTS = (
    "frag_keyframe", "empty_moov", "default_base_moof", "omit_tfhd_offset", "separate_moof",
    "frag_every_frame", "skip_trailer", "delay_moov", "faststart", "global_sidx", "dash", "cmaf",
    "hybrid_fragmented", "isml", "use_metadata_tags", "write_colr", "skip_sidx",
)  # fmt: skip
"""Flags of FFmpeg's muxer of MP4."""

OPTIONS = {
    "mp4": [{"movflags": "rtphint"}, {"movflags": "faststart"}, {"brand": "M4B "}],
    "wav": [{"rf64": "always"}, {"write_bext": "1"}, {"write_peak": "on"}],
    "mp3": [
        {"id3v2_version": "3"}, {"id3v2_version": "4"}, {"id3v2_version": "0"},
        {"write_id3v1": "1"}, {"write_id3v1": "1", "id3v2_version": "0"}, {"write_xing": "0"},
        {"write_apetag": "1"},
    ],
    "aiff": [{"write_id3v2": "1"}, {"write_id3v2": "1", "id3v2_version": "3"}],
    "flac": [{"write_header": "1"}],
    "ogg": [{"page_duration": "20000"}, {"serial_offset": "7"}, {"pagesize": "4096"}],
    "wv": [{"write_apetag": "1"}],
}  # fmt: skip
"""Options of a muxer that are tried, each alone."""

METADATA = {
    "title": "A title", "artist": "Zoë", "date": "2001-05-06", "comment": "said", "track": "3/9",
    "ENERGY": "0.9", "replaygain_track_gain": "-3.1 dB",
}  # fmt: skip


class _Pipe(io.BytesIO):
    """A stream without seeking: a muxer cannot fill in a header afterwards."""

    def seekable(self):
        return False


@cache
def _encoded(codec):
    """Encode the groove, stereo."""
    muxer, encoder = CODECS[codec]
    pcm = (signals.groove(SECONDS, RATE) * 32_767).astype(np.int16)
    pcm = np.repeat(pcm[:, None], 2, axis=1)
    rate = 16_000 if codec == "speex" else RATE
    file = io.BytesIO()
    with av.open(file, "w", format=muxer) as container:
        stream = container.add_stream(encoder, rate=rate, layout="stereo")
        if not encoder.startswith("pcm"):
            stream.bit_rate = 96_000
        for start in range(0, len(pcm), 960):
            block = np.ascontiguousarray(pcm[start : start + 960].reshape(1, -1))
            frame = av.AudioFrame.from_ndarray(block, "s16", "stereo")
            frame.sample_rate, frame.pts = rate, start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


def muxed(muxer, *codecs, options=None, chapters=False, pipe=False):
    """Put encoded sounds into a container, without encoding them again."""
    if pipe:
        file = _Pipe()
        _mux(file, muxer, codecs, options, chapters)
        return file.getvalue()
    with TemporaryDirectory() as folder:  # FFmpeg reopens the file to move an index to the front
        path = Path(folder, "made")
        _mux(str(path), muxer, codecs, options, chapters)
        return path.read_bytes()


def _mux(file, muxer, codecs, options, chapters):
    sources = [av.open(io.BytesIO(_encoded(codec))) for codec in codecs]
    with av.open(file, "w", format=muxer, options=options or {}) as container:
        container.metadata.update(METADATA)
        streams = [container.add_stream_from_template(each.streams.audio[0]) for each in sources]
        if chapters:
            container.set_chapters([_chapter(number) for number in range(3)])
        for source, stream in zip(sources, streams, strict=True):
            for packet in source.demux(audio=0):
                if packet.dts is not None:
                    packet.stream = stream
                    container.mux(packet)


def _chapter(number):
    start, title = number * 1_000, {"title": f"chapter {number}"}
    return {
        "id": number, "start": start, "end": start + 1_000, "time_base": Fraction(1, 1_000),
        "metadata": title,
    }  # fmt: skip


@cache
def everything():
    """Return a function without parameters for each file, by name."""
    return {**plain(), **fragmented(), **tagged(), **odd()}


def plain():
    """Return functions for every container, with its options, into a file and into a pipe."""
    files = {}
    for muxer, codecs in MUXERS.items():
        for codec in codecs.split():
            for options in ({}, *OPTIONS.get(muxer, ())):
                name = f"{muxer} {codec} {options or ''}".strip()
                files[name] = partial(muxed, muxer, codec, options=options)
            files[f"{muxer} {codec} pipe"] = partial(muxed, muxer, codec, pipe=True)
            files[f"{muxer} {codec} chapters"] = partial(muxed, muxer, codec, chapters=True)
        if len(codecs.split()) > 1:
            files[f"{muxer} two sounds"] = partial(muxed, muxer, *codecs.split()[:2])
    return files


def fragmented(most=3):
    """Return functions for MP4 with every combination of up to so many flags of FFmpeg's muxer."""
    files = {}
    for count in range(1, most + 1):
        for flags in combinations(FRAGMENTS, count):
            options = {"movflags": "+".join(flags), "frag_duration": "500000"}
            files[f"mp4 {options}"] = partial(muxed, "mp4", "aac", options=options)
    for muxer in ("mp4", "mov", "ipod", "3gp", "ismv"):
        for flags in (
            FRAGMENTS[:1],
            FRAGMENTS[:2],
            FRAGMENTS[:3],
            FRAGMENTS[8:9],
            FRAGMENTS[12:13],
        ):
            options = {"movflags": "+".join(flags)}
            files[f"{muxer} {options}"] = partial(muxed, muxer, "aac", options=options)
    return files


def tagged():
    """Return functions for files with the tags of other programs, in every version and case."""
    mp3 = partial(muxed, "mp3", "mp3", options={"id3v2_version": "0"})
    return {
        "mp3 ID3v1": lambda: mp3() + _id3v1(),
        "mp3 ID3v2.2": lambda: _id3v22() + mp3(),
        "mp3 ID3v2.3": lambda: _id3(mp3(), 3),
        "mp3 ID3v2.3, ID3v1": lambda: _id3(mp3(), 3) + _id3v1(),
        "mp3 ID3v2.4": lambda: _id3(mp3(), 4),
        "mp3 ID3v2.4 twice": lambda: _id3(mp3(), 4) + _id3(mp3(), 3),
        "mp3 ID3v2.4, APEv2, ID3v1": lambda: _id3(mp3(), 4) + _ape() + _id3v1(),
        "mp3 APEv2": lambda: mp3() + _ape(),
        "mp3 APEv2, ID3v1": lambda: mp3() + _ape() + _id3v1(),
        "mp3 APEv2, Lyrics3, ID3v1": lambda: mp3() + _ape() + LYRICS + _id3v1(),
        "mp3 APEv2 in the middle": lambda: mp3() + _ape() + mp3(),
        "mp3 twice": lambda: _id3(mp3(), 3) + mp3(),
        "tta ID3v2.4, APEv2": lambda: _id3(muxed("tta", "tta"), 4) + _ape(),
        "wv APEv2, ID3v1": lambda: muxed("wv", "wavpack") + _ape() + _id3v1(),
        "flac pictures": lambda: _by_mutagen("flac", "flac", flac.FLAC, _tag_flac),
        "flac ID3v2.3, ID3v1": lambda: _id3(muxed("flac", "flac"), 3) + _id3v1(),
        "ogg cases": lambda: _by_mutagen("ogg", "vorbis", oggvorbis.OggVorbis, _tag_vorbis),
        "m4a cover": lambda: _by_mutagen("ipod", "aac", mp4.MP4, _tag_mp4),
        "wav ID3": lambda: _by_mutagen("wav", "pcm", wave.WAVE, _tag_id3),
        "aiff ID3": lambda: _by_mutagen("aiff", "big", aiff.AIFF, _tag_id3),
    }


def _frames():
    """Return ID3 frames of other programs: a cover, chapters, names in two cases."""
    picture = id3.APIC(encoding=0, mime="image/png", type=3, desc="front", data=PNG)
    inner = [id3.TIT2(encoding=1, text="chapter")]
    return [
        id3.TIT2(encoding=1, text="A title"), id3.TPE1(encoding=1, text=["One", "Two"]), picture,
        id3.TXXX(encoding=1, desc="ENERGY", text="0.9"), id3.TYER(encoding=0, text="2001"),
        id3.TXXX(encoding=1, desc="Energy", text=["0.8", "0.7"]), id3.TDAT(encoding=0, text="0605"),
        id3.COMM(encoding=1, lang="eng", desc="", text="said"),
        id3.PRIV(owner="someone", data=b"\0\1\2"), id3.POPM(email="me", rating=3, count=4),
        id3.CHAP(element_id="c0", start_time=0, end_time=900, sub_frames=inner),
    ]  # fmt: skip


def _id3(sound, version):
    file = io.BytesIO()
    tags = id3.ID3()
    for frame in _frames():
        tags.add(frame)
    tags.save(file, v2_version=version, v23_sep=None)
    return file.getvalue() + sound


def _id3v22():
    frames = b""
    for name, text in ((b"TT2", b"A title"), (b"TYE", b"2001"), (b"TXX", b"ENERGY\x000.9")):
        frames += name + (len(text) + 1).to_bytes(3) + b"\0" + text
    frames += b"PIC" + (len(PNG) + 6).to_bytes(3) + b"\0PNG\3\0" + PNG
    size = len(frames) + 20
    return b"ID3\2\0\0\0\0" + bytes([size >> 7, size & 0x7F]) + frames + bytes(20)


def _id3v1():
    fields = (b"A title", 30), (b"Zoe", 30), (b"An album", 30), (b"2001", 4), (b"said", 28)
    return b"TAG" + b"".join(text.ljust(size, b"\0") for text, size in fields) + b"\0\3\x0c"


def _ape():
    file, tags = io.BytesIO(), apev2.APEv2()
    tags.update({"Title": "A title", "GENRE": "Polka", "Artist": ["One", "Two"], "Energy": "0.9"})
    tags["Cover Art (Front)"] = apev2.APEValue(b"front.png\0" + PNG, apev2.BINARY)
    tags.save(file)
    return file.getvalue()


def _ape_of_wrong_size():
    """Return tags whose stated size reaches into the sound."""
    return _ape()[:-20] + struct.pack("<I", 20_000) + _ape()[-16:]


def _by_mutagen(muxer, codec, kind, tag):
    """Tag a file with mutagen."""
    file = io.BytesIO(muxed(muxer, codec))
    tagged = kind(file)
    if tagged.tags is None:
        tagged.add_tags()
    tag(tagged)
    file.seek(0)
    tagged.save(file)
    return file.getvalue()


def _tag_id3(file):
    for frame in _frames():
        file.tags.add(frame)


def _tag_flac(file):
    picture = flac.Picture()
    picture.data, picture.mime, picture.type = PNG, "image/png", 3
    picture.width, picture.height, picture.depth = 1, 1, 24
    file.add_picture(picture)
    file.metadata_blocks.append(flac.MetadataBlock(b"ATCHsome application"))
    file.metadata_blocks[-1].code = 2
    _tag_vorbis(file)


def _tag_vorbis(file):
    file.tags.extend([("GENRE", "Polka"), ("Genre", "Waltz"), ("eNeRgY", "0.9"), ("A", "b=c")])


def _tag_mp4(file):
    file.tags["covr"] = [mp4.MP4Cover(PNG, mp4.MP4Cover.FORMAT_PNG)]
    file.tags["\xa9gen"] = ["Polka", "Waltz"]
    file.tags["----:com.apple.iTunes:energy"] = [b"0.9"]
    file.tags["----:com.apple.iTunes:Energy"] = [b"0.8", b"0.7"]
    file.tags["----:org.someone:ENERGY"] = [mp4.MP4FreeForm(b"\0\1", mp4.AtomDataType.IMPLICIT)]
    file.tags["tmpo"], file.tags["cpil"], file.tags["trkn"] = [124], True, [(3, 9)]


def odd():
    """Return functions for broken files: cut, joined, with wrong sizes or parts of other files."""
    wav, aiff_ = partial(muxed, "wav", "pcm"), partial(muxed, "aiff", "big")
    m4a, ogg = partial(muxed, "ipod", "aac"), partial(muxed, "ogg", "vorbis")
    return {
        "wav iXML, cue, IGNR": lambda: _riff(wav(), *WAV_CHUNKS),
        "wav odd chunk": lambda: _riff(wav(), (b"odd ", b"abc")),
        "wav odd chunk without its byte": lambda: _riff(wav(), (b"odd ", b"abc"))[:-1],
        "wav odd sound": lambda: _with_size(wav()[:-1]),
        "wav and more": lambda: wav() + b"what follows the end",
        "wav too short": lambda: wav()[:-1_001],
        "wav of size 0": lambda: _sized(wav(), 0),
        "wav of the greatest size": lambda: _sized(wav(), 2**32 - 1),
        "wav of ID3 in front": lambda: _riff(wav(), (b"ID3 ", _id3(b"", 3)), front=True),
        "wav big-endian": lambda: b"RIFX" + wav()[4:],
        "aiff and more": lambda: aiff_() + b"what follows the end",
        "aiff too short": lambda: aiff_()[:-1_001],
        "aiff odd": lambda: aiff_()[:-1],
        "flac cut": lambda: muxed("flac", "flac")[:60_000],
        "flac and more": lambda: muxed("flac", "flac") + b"what follows the end",
        "flac without padding": lambda: _flac_without_padding(muxed("flac", "flac")),
        "mp3 after junk": lambda: bytes(999) + muxed("mp3", "mp3"),
        "mp3 APEv2 of wrong size": lambda: muxed("mp3", "mp3") + _ape_of_wrong_size(),
        "mp3 cut": lambda: muxed("mp3", "mp3")[:-1_001],
        "ogg chained": lambda: ogg() + muxed("ogg", "vorbis", options={"serial_offset": "9"}),
        "ogg of the same serial": lambda: ogg() + ogg(),
        "ogg of two codecs": lambda: ogg() + muxed("ogg", "opus", options={"serial_offset": "9"}),
        "ogg cut": lambda: ogg()[:-1_001],
        "ogg and more": lambda: ogg() + b"what follows the end",
        "ogg without its end": lambda: ogg()[: ogg().rfind(b"OggS")],
        "m4a cut": lambda: muxed("ipod", "aac", options={"movflags": "faststart"})[:-1_001],
        "m4a and more": lambda: m4a() + b"what follows the end",
        "m4a and a box": lambda: m4a() + (24).to_bytes(4) + b"uuid" + bytes(16),
        "m4a twice": lambda: m4a() + m4a(),
        "m4a of size 0": lambda: _last_box_to_the_end(muxed("ipod", "aac", options=_FASTSTART)),
        "m4a, another before": lambda: _box(b"free", bytes(99)) + m4a(),
    }


_FASTSTART = {"movflags": "faststart"}
WAV_CHUNKS = (
    (b"iXML", b"<BWFXML><PROJECT>p</PROJECT></BWFXML>"), (b"cue ", struct.pack("<I", 0)),
    (b"LIST", b"INFOIGNR" + struct.pack("<I", 6) + b"Polka\0"), (b"junk", bytes(77)),
)  # fmt: skip


def _riff(data, *chunks, front=False):
    """Insert chunks after the others, or before them."""
    inserted = b"".join(
        name + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)
        for name, content in chunks
    )
    return _with_size(data[:12] + inserted + data[12:] if front else data + inserted)


def _with_size(data):
    return data[:4] + struct.pack("<I", len(data) - 8) + data[8:]


def _sized(data, size):
    """Write the size of an unfinished stream into the file and its sound."""
    at = data.index(b"data") + 4
    field = struct.pack("<I", size)
    return data[:4] + field + data[8:at] + field + data[at + 4 :]


def _flac_without_padding(data):
    file = io.BytesIO(data)
    tagged = flac.FLAC(file)
    file.seek(0)
    tagged.save(file, padding=lambda _: 0)
    return file.getvalue()


def _box(name, content):
    return (8 + len(content)).to_bytes(4) + name + content


def _last_box_to_the_end(data):
    at = data.rindex(b"mdat") - 4
    return data[:at] + bytes(4) + data[at + 4 :]


def _png():
    """Return a picture of one pixel."""

    def chunk(name, content):
        crc = zlib.crc32(name + content)
        return len(content).to_bytes(4) + name + content + crc.to_bytes(4)

    head = struct.pack(">2I5B", 1, 1, 8, 2, 0, 0, 0)
    content = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(4)))
    return b"\x89PNG\r\n\x1a\n" + content + chunk(b"IEND", b"")


PNG = _png()
LYRICS = b"LYRICSBEGININD0000200" + b"000021LYRICS200"
