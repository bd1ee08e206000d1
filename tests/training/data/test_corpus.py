import csv
import subprocess
import sys

import numpy as np
import pytest

from service.card import EMOTIONS
from training.data.corpus import (
    REFERENCE,
    CorpusError,
    Proxy,
    corpus_digest,
    random_stream,
    read_corpus,
    read_reference,
)


@pytest.fixture
def folder(tmp_path):
    """Two genres of five albums of two tracks; one artist has an album in each genre."""
    for genre in ("house", "jazz"):
        for number in range(5):
            artist = "Both Ways" if number == 0 else f"{genre} artist {number}"
            album = tmp_path / genre / f"{artist} - Album in {genre}"
            album.mkdir(parents=True)
            for track in ("1.mp3", "2.FLAC", "cover.jpg"):
                (album / track).touch()
    return tmp_path


def test_a_folder_is_genre_album_track(folder):
    tracks = read_corpus(folder)
    assert len(tracks) == 20
    assert {track.genre for track in tracks} == {"house", "jazz"}
    assert all(track.path.exists() and track.path.suffix != ".jpg" for track in tracks)


@pytest.mark.parametrize("seed", range(5))
def test_no_artist_is_in_two_subsets(folder, seed):
    tracks = read_corpus(folder, seed)
    for group in {track.group for track in tracks}:
        assert len({track.subset for track in tracks if track.group == group}) == 1
    for split in ("train", "valid", "test"):
        assert any(track.subset == split for track in tracks)


def test_the_seed_determines_the_split(folder):
    splits = [[track.subset for track in read_corpus(folder, seed)] for seed in (0, 0, 1, 2, 3)]
    assert splits[0] == splits[1]
    assert any(split != splits[0] for split in splits[2:])


@pytest.mark.parametrize(
    "album",
    ["Bj\u00f6rk - Post", "Bjo\u0308rk - Post", "bj\u00f6rk \u2013 Homogenic", "Bj\u00f6rk"],
)
def test_spellings_of_an_artist_are_one_group(folder, album):
    for name in ("Bj\u00f6rk - Debut", album):
        (folder / "house" / name).mkdir(exist_ok=True)
        (folder / "house" / name / "1.mp3").touch()
    groups = {
        track.group for track in read_corpus(folder) if "bj" in track.path.parent.name.lower()
    }
    assert groups == {"bj\u00f6rk"}


def test_hidden_files_and_folders_are_not_tracks(folder):
    (folder / "house" / "both ways" / "live.flac").mkdir(parents=True)
    (folder / ".Trash" / "old").mkdir(parents=True)
    (folder / ".Trash" / "old" / "1.mp3").touch()
    (next((folder / "jazz").iterdir()) / "._1.mp3").touch()
    assert len(read_corpus(folder)) == 20


def test_too_few_albums_are_an_error(folder):
    album = next((folder / "jazz").iterdir())
    for track in album.iterdir():
        track.unlink()
    with pytest.raises(CorpusError, match="jazz has 4 albums or artists"):
        read_corpus(folder)


def test_an_empty_folder_is_an_error(tmp_path):
    with pytest.raises(CorpusError, match=r"neither a tracks\.csv with genres"):
        read_corpus(tmp_path)


def write(path, rows):
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def manifest_row(**changes):
    row = {
        "clip_id": "a",
        "file": "audio/a.opus",
        "genre": "jazz",
        "artist_group": "x",
        "split": "valid",
    }
    return row | changes


def test_a_manifest_has_split_group_and_labels(tmp_path):
    write(tmp_path / "tracks.csv", [manifest_row(), manifest_row(clip_id="b", genre="")])
    emotion = dict.fromkeys(("valence", "energy", "danceability"), "")
    origins = {f"{name}_origin": "" for name in emotion}
    row = {"clip_id": "b"} | emotion | origins | {"energy": "0.25", "energy_origin": "votes"}
    write(tmp_path / "emotion.csv", [row])
    a, b = read_corpus(tmp_path)
    assert (a.genre, a.group, a.subset, a.emotion) == ("jazz", "x", "valid", {})
    assert a.path == tmp_path / "audio/a.opus"
    assert b.genre is None
    assert b.proxies == {"energy": Proxy(0.25, "votes")}
    assert b.emotion == {}


@pytest.mark.parametrize(
    ("change", "message"),
    [({}, "'a' is in two rows"), ({"clip_id": "b", "split": "test"}, "'x' is in two subsets")],
)
def test_a_duplicate_id_or_a_group_in_two_subsets_is_an_error(tmp_path, change, message):
    write(tmp_path / "tracks.csv", [manifest_row(), manifest_row(**change)])
    with pytest.raises(CorpusError, match=message):
        read_corpus(tmp_path)


def test_an_unknown_split_is_an_error(tmp_path):
    write(tmp_path / "tracks.csv", [manifest_row(split="dev")])
    with pytest.raises(CorpusError, match="'dev'"):
        read_corpus(tmp_path)


def test_other_music_has_a_kind_unless_its_genre_is_uncertain(tmp_path):
    others = {"a": "rock", "b": "mixed-jazz", "c": "unlabelled", "d": "", "e": "unlabelled-pop"}
    rows = [
        manifest_row(clip_id=name, genre="", other=other, source="north")
        for name, other in others.items()
    ]
    write(tmp_path / "tracks.csv", [*rows, manifest_row(clip_id="z", other="", source="south")])
    tracks = read_corpus(tmp_path)
    assert [track.other for track in tracks] == ["rock", None, None, None, None, None]
    assert [track.source for track in tracks] == ["north"] * 5 + ["south"]


def test_other_music_and_sources_are_optional_columns(tmp_path):
    write(tmp_path / "tracks.csv", [manifest_row()])
    (track,) = read_corpus(tmp_path)
    assert (track.other, track.source, track.emotion) == (None, "", {})


def test_a_value_of_spotify_is_an_emotion_and_no_proxy(tmp_path):
    write(tmp_path / "tracks.csv", [manifest_row()])
    names = ("valence", "energy", "danceability")
    row = {name: "" for emotion in names for name in (emotion, f"{emotion}_origin")}
    row |= {"clip_id": "a", "spotify_energy": "0.75", "spotify_valence": ""}
    write(tmp_path / "emotion.csv", [row])
    (track,) = read_corpus(tmp_path)
    assert track.emotion == {"energy": 0.75}
    assert track.proxies == {}


def test_a_plain_folder_can_have_labels(folder):
    name = "house/house artist 1 - Album in house/1.mp3"
    write(folder / "emotion.csv", [{"clip_id": name, "spotify_valence": "0.5"}])
    labelled = [track for track in read_corpus(folder) if track.emotion]
    assert [track.id for track in labelled] == [name]


def test_the_content_and_not_the_suffix_of_a_file_decides(folder):
    """The service analyses these files, too."""
    album = next((folder / "jazz").iterdir())
    recordings = ["a.3gp", "b.aifc", "c.mka", "d.oga", "e.wave", "f.unknown", "no suffix"]
    for name in [*recordings, "booklet.pdf", "notes.txt", "list.m3u", "front.PNG"]:
        (album / name).touch()
    added = {track.path.name for track in read_corpus(folder)} - {"1.mp3", "2.FLAC"}
    assert added == set(recordings)


@pytest.mark.parametrize(
    ("header", "count", "last", "message"),
    [
        (EMOTIONS, 101, "1", None),
        (EMOTIONS, 100, "1", "101 ascending"),
        (EMOTIONS, 101, "-1", "101 ascending"),
        (EMOTIONS, 101, "much", "not a number"),
        (EMOTIONS[1:], 101, "1", "no column"),
    ],
)
def test_a_reference_has_101_ascending_values_of_each_emotion(
    tmp_path, header, count, last, message
):
    assert read_reference(tmp_path) == {}
    rows = [[str(number / 100)] * len(header) for number in range(count - 1)] + [
        [last] * len(header)
    ]
    with (tmp_path / REFERENCE).open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    if message is None:
        assert read_reference(tmp_path)["energy"][50] == 0.5
    else:
        with pytest.raises(CorpusError, match=message):
            read_reference(tmp_path)


def test_the_digest_depends_on_rows_and_labels_only(tmp_path):
    one, two = manifest_row(), manifest_row(clip_id="b", file="b.opus")
    digests = {}
    for name, rows in {
        "first": [one, two],
        "other order": [two, one],
        "other file": [one, two | {"file": "elsewhere/b.opus"}],
        "other split": [row | {"split": "test"} for row in (one, two)],
        "other genre": [one, two | {"genre": "blues"}],
        "fewer": [one],
    }.items():
        (tmp_path / name).mkdir()
        write(tmp_path / name / "tracks.csv", rows)
        digests[name] = corpus_digest(read_corpus(tmp_path / name))
    assert digests["first"] == digests["other order"] == digests["other file"]
    assert len(set(digests.values())) == 4
    assert all(len(digest) == 64 for digest in digests.values())


def test_random_streams_are_reproducible_and_independent_of_each_other(folder):
    tracks = read_corpus(folder)
    first = {
        purpose: np.array([random_stream(track, purpose).random() for track in tracks])
        for purpose in ("sound", "phone")
    }
    again = np.array([random_stream(track, "sound").random() for track in tracks])
    np.testing.assert_array_equal(first["sound"], again)
    assert len(np.unique(np.concatenate(list(first.values())))) == 2 * len(tracks)


def test_a_corpus_is_read_without_torch():
    """The test of the shipped model reads it where torch is not installed."""
    code = "import sys, training.data.corpus; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
