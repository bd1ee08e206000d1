import csv

import pytest

from training.data.corpus import CorpusError, read_corpus


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
def test_no_artist_stands_on_two_sides(folder, seed):
    tracks = read_corpus(folder, seed)
    for group in {track.group for track in tracks}:
        assert len({track.subset for track in tracks if track.group == group}) == 1
    for split in ("train", "valid", "test"):
        assert any(track.subset == split for track in tracks)


def test_the_split_follows_its_seed(folder):
    splits = [[track.subset for track in read_corpus(folder, seed)] for seed in (0, 0, 1, 2, 3)]
    assert splits[0] == splits[1]
    assert any(split != splits[0] for split in splits[2:])


@pytest.mark.parametrize(
    "album",
    ["Bj\u00f6rk - Post", "Bjo\u0308rk - Post", "bj\u00f6rk \u2013 Homogenic", "Bj\u00f6rk"],
)
def test_an_artist_is_one_group_however_written(folder, album):
    for name in ("Bj\u00f6rk - Debut", album):
        (folder / "house" / name).mkdir(exist_ok=True)
        (folder / "house" / name / "1.mp3").touch()
    groups = {
        track.group for track in read_corpus(folder) if "bj" in track.path.parent.name.lower()
    }
    assert groups == {"bj\u00f6rk"}


def test_what_is_hidden_or_no_file_is_no_track(folder):
    (folder / "house" / "both ways" / "live.flac").mkdir(parents=True)
    (folder / ".Trash" / "old").mkdir(parents=True)
    (folder / ".Trash" / "old" / "1.mp3").touch()
    (next((folder / "jazz").iterdir()) / "._1.mp3").touch()
    assert len(read_corpus(folder)) == 20


def test_too_few_albums_are_refused(folder):
    album = next((folder / "jazz").iterdir())
    for track in album.iterdir():
        track.unlink()
    with pytest.raises(CorpusError, match="jazz has 4 albums or artists"):
        read_corpus(folder)


def test_an_empty_folder_is_refused(tmp_path):
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


def test_a_manifest_names_split_group_and_labels(tmp_path):
    write(tmp_path / "tracks.csv", [manifest_row(), manifest_row(clip_id="b", genre="")])
    emotion = dict.fromkeys(("valence", "energy", "danceability"), "")
    origins = {f"{name}_origin": "" for name in emotion}
    row = {"clip_id": "b"} | emotion | origins | {"energy": "0.25", "energy_origin": "votes"}
    write(tmp_path / "emotion.csv", [row])
    a, b = read_corpus(tmp_path)
    assert (a.genre, a.group, a.subset, a.emotion) == ("jazz", "x", "valid", {})
    assert a.path == tmp_path / "audio/a.opus"
    assert b.genre is None
    assert (b.emotion["energy"].value, b.emotion["energy"].origin) == (0.25, "votes")
    assert list(b.emotion) == ["energy"]


@pytest.mark.parametrize(
    ("change", "says"),
    [({}, "'a' is there twice"), ({"clip_id": "b", "split": "test"}, "'x' is on two sides")],
)
def test_a_manifest_that_mixes_sides_is_refused(tmp_path, change, says):
    write(tmp_path / "tracks.csv", [manifest_row(), manifest_row(**change)])
    with pytest.raises(CorpusError, match=says):
        read_corpus(tmp_path)


def test_a_manifest_with_an_unknown_split_is_refused(tmp_path):
    write(tmp_path / "tracks.csv", [manifest_row(split="dev")])
    with pytest.raises(CorpusError, match="'dev'"):
        read_corpus(tmp_path)


def test_other_music_has_a_name_unless_it_may_be_of_a_genre_after_all(tmp_path):
    others = {"a": "rock", "b": "mixed-jazz", "c": "unlabelled", "d": "", "e": "unlabelled-pop"}
    rows = [
        manifest_row(clip_id=name, genre="", other=other, source="north")
        for name, other in others.items()
    ]
    write(tmp_path / "tracks.csv", [*rows, manifest_row(clip_id="z", other="", source="south")])
    tracks = read_corpus(tmp_path)
    assert [track.other for track in tracks] == ["rock", None, None, None, None, None]
    assert [track.source for track in tracks] == ["north"] * 5 + ["south"]


def test_a_manifest_need_not_name_other_music_or_sources(tmp_path):
    write(tmp_path / "tracks.csv", [manifest_row()])
    (track,) = read_corpus(tmp_path)
    assert (track.other, track.source, track.reference) == (None, "", {})


def test_a_reference_is_no_label(tmp_path):
    write(tmp_path / "tracks.csv", [manifest_row()])
    names = ("valence", "energy", "danceability")
    row = {name: "" for emotion in names for name in (emotion, f"{emotion}_origin")}
    row |= {"clip_id": "a", "spotify_energy": "0.75", "spotify_valence": ""}
    write(tmp_path / "emotion.csv", [row])
    (track,) = read_corpus(tmp_path)
    assert track.emotion == {}
    assert track.reference == {"energy": 0.75}


def test_labels_go_with_a_plain_folder_too(folder):
    name = "house/house artist 1 - Album in house/1.mp3"
    row = {"clip_id": name, "valence": "0.5", "valence_origin": "me"}
    row |= dict.fromkeys(("energy", "energy_origin", "danceability", "danceability_origin"), "")
    write(folder / "emotion.csv", [row])
    labelled = [track for track in read_corpus(folder) if track.emotion]
    assert [track.id for track in labelled] == [name]
