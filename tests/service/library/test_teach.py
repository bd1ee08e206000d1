import csv
import json
import os

import numpy as np
import pytest

from service.__main__ import main
from service.heads import read_head
from service.heads.fit import cross_validate
from service.library.labelled import (
    Labelled,
    TeachError,
    in_folders,
    in_table,
    require_enough,
    require_one_label,
    without_duplicates,
)
from service.library.teach import analysis_settings, figures_of, figures_text, head_of
from service.settings import TeachSettings
from tests.service.heads.samples import examples
from tools import signals

RATE = 22_050


@pytest.fixture
def folder(tmp_path):
    """Files of two labels, some of them in albums, and what is none of them."""
    for name in (
        "loud/one.wav", "loud/album/two.wav", "loud/album/disc 2/three.wav",
        "soft/four.wav", "soft/cover.jpg", "soft/.hidden.wav", ".trash/five.wav", "six.wav",
    ):  # fmt: skip
        path = tmp_path / "music" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path / "music"


def test_folders_are_labels_and_albums_are_groups(folder):
    found = {str(each.path.relative_to(folder)): each for each in in_folders(folder)}
    assert {name: each.label for name, each in found.items()} == {
        "loud/one.wav": "loud", "loud/album/two.wav": "loud",
        "loud/album/disc 2/three.wav": "loud", "soft/four.wav": "soft",
    }  # fmt: skip
    assert found["loud/album/two.wav"].group == found["loud/album/disc 2/three.wav"].group
    groups = {found[name].group for name in ("loud/one.wav", "loud/album/two.wav", "soft/four.wav")}
    assert len(groups) == 3


def test_a_folder_without_labels_is_refused(tmp_path):
    with pytest.raises(TeachError, match="has no folders"):
        in_folders(tmp_path)
    with pytest.raises(TeachError, match="cannot be searched: No such file"):
        in_folders(tmp_path / "missing")


def write_table(folder, rows, columns=("file", "label", "answered", "created", "name")):
    path = folder / "labels.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([columns, *rows])
    return path


def test_the_export_of_the_web_app_is_read(folder):
    table = write_table(
        folder,
        [
            ("loud/a1/clip.webm", "loud", "house", "2026", "clip.webm"),
            ("loud/a1/more.webm", "loud", "house", "2026", "more.webm"),
            ("_pop/b2/x.m4a", "'=pop", "", "", ""),
            ("loud/c3/y.m4a", "", "", "", ""),
        ],
    )
    found = in_table(table)
    assert [each.label for each in found] == ["loud", "loud", "=pop"]
    assert [each.path for each in found[::2]] == [
        folder / "loud/a1/clip.webm", folder / "_pop/b2/x.m4a",
    ]  # fmt: skip
    assert found[0].group == found[1].group != found[2].group


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_table_that_a_spreadsheet_saved_is_read(folder, separator, mark):
    lines = [
        "label,answered,file",
        "loud,house,loud/one.wav",
        " ,,x.wav",
        "soft,",
        "soft,,soft/4.wav",
    ]
    text = mark + "\r\n".join(lines).replace(",", separator)
    (folder / "labels.csv").write_text(text, encoding="utf-8", newline="")
    if separator == ",":  # a label without a file
        with pytest.raises(TeachError, match="names no file"):
            in_table(folder / "labels.csv")
    (folder / "labels.csv").write_text(text.replace(f"soft{separator}\r\n", ""), encoding="utf-8")
    found = in_table(folder / "labels.csv")
    assert [(each.path, each.label) for each in found] == [
        (folder / "loud/one.wav", "loud"), (folder / "soft/4.wav", "soft"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "name", ["../outside.wav", "/etc/passwd", "", "a/../../x.wav", "a\0b.wav", "circle", "circle/x"]
)
def test_a_table_cannot_name_files_elsewhere(folder, name):
    (folder / "circle").symlink_to("circle")
    with pytest.raises(TeachError, match="not beside it"):
        in_table(write_table(folder, [(name, "loud", "", "", "")]))


def test_another_table_is_refused(folder):
    for rows, columns in (([], ("file", "label")), ([("a", "b")], ("path", "label"))):
        with pytest.raises(TeachError, match="no rows with the columns file and label"):
            in_table(write_table(folder, rows, columns))
    (folder / "labels.csv").write_bytes(b"file,label\r\n\xff\xfe,a\r\n")
    with pytest.raises(TeachError, match="is not a table in UTF-8"):
        in_table(folder / "labels.csv")
    with pytest.raises(TeachError, match="cannot be read"):
        in_table(folder / "missing.csv")


def test_copies_of_a_recording_count_once(folder):
    (folder / "loud/copy.wav").write_text("loud/one.wav")
    assert len(in_folders(folder)) == 5
    assert len(without_duplicates(in_folders(folder))) == 4


def test_a_recording_under_two_labels_is_refused(folder):
    (folder / "soft/copy.wav").write_text("loud/one.wav")
    with pytest.raises(TeachError, match=r"in two labels: .*one\.wav in loud, .*copy\.wav in soft"):
        without_duplicates(in_folders(folder))


def test_a_copy_in_another_coding_under_two_labels_is_refused(tmp_path):
    recordings = several(tmp_path, loud=[1, 1], soft=[1])
    vectors = np.eye(3) * 0.999 + 0.001
    require_one_label(recordings, vectors.tolist())
    vectors[2] = vectors[1] + [0.01, 0, 0.01]
    with pytest.raises(
        TeachError, match=r"The same sound is in two labels: .* in loud, .* in soft"
    ):
        require_one_label(recordings, (vectors / np.linalg.norm(vectors, axis=1)[:, None]).tolist())
    require_one_label([], [])


def several(tmp_path, **albums):
    """Recordings by label; each number is one of recordings in an album of their own."""
    return [
        Labelled(tmp_path / label / str(album) / str(number), label, f"{label}/{album}")
        for label, counts in albums.items()
        for album, count in enumerate(counts)
        for number in range(count)
    ]


@pytest.mark.parametrize(
    ("albums", "message"),
    [
        ({}, "There are no recordings"),
        ({"one": [3, 3]}, "There is one label only, one"),
        ({"one": [3, 2], "two": [3, 1], "three": [1]}, "three has 1, two has 4"),
        ({"one": [3, 2], "two": [9]}, "All recordings of two are of one album"),
    ],
)
def test_too_few_recordings_are_refused(tmp_path, albums, message):
    with pytest.raises(TeachError, match=message):
        require_enough(several(tmp_path, **albums))


@pytest.mark.parametrize(
    ("one", "other", "message"),
    [
        ("Rock", "rock", "look the same, 'Rock' and 'rock'"),
        ("caf\xe9", "cafe\u0301", "look the same"),
        ("Stra\xdfe", "strasse", "look the same"),
        ("hip hop", "hip  hop ", "look the same"),
        ("\uff21", "A", "look the same"),
        ("a\nb", "c", r"label 'a\\nb' has characters"),
        ("a\u2028b", "c", "has characters that cannot be shown"),
        ("\u200frock\u200b", "rock", "look the same"),
        ("a\udcff", "c", r"label 'a\\udcff' has characters"),
        ("x" * 257, "c", "at most 256 characters"),
    ],
)
def test_labels_that_nobody_can_tell_apart_are_refused(tmp_path, one, other, message):
    with pytest.raises(TeachError, match=message):
        require_enough(several(tmp_path, **{one: [1] * 5, other: [1] * 5}))


def test_labels_of_any_language_are_taken(tmp_path):
    zwj, persian = "\U0001f469\u200d\U0001f3a4", "\u0645\u06cc\u200c\u062e\u0648\u0627\u0646\u0645"
    names = [
        "\u30d5\u30a1\u30f3\u30af",
        "R&B, Soul",
        zwj,
        persian,
        "\u05e8\u05d5\u05e7\u200f",
        "=cmd",
    ]
    require_enough(several(tmp_path, **{name: [1] * 5 for name in names}))


def test_five_recordings_of_two_albums_are_enough(tmp_path):
    require_enough(several(tmp_path, one=[4, 1], two=[1] * 5))


def test_a_head_has_the_figures_of_its_cross_validation(tmp_path, tiny_model):
    data = examples(labels=2, tracks=6, groups=3)
    recordings = several(tmp_path, a=[2, 2, 2], b=[2, 2, 2])
    vectors = np.pad(data.vectors, ((0, 0), (0, 128 - data.vectors.shape[1])))
    card = head_of("mine", recordings, vectors.tolist(), tiny_model)
    assert (card.labels, card.space, card.model) == (["a", "b"], "tiny-5", tiny_model.digest)
    figures = card.figures
    assert (figures.tracks, figures.groups, figures.folds) == (12, 6, 3)
    assert [row.tracks for row in figures.labels] == [6, 6]
    assert np.sum(figures.confusion) == 12
    assert np.trace(figures.confusion) / 12 == pytest.approx(figures.accuracy, abs=1e-4)
    text = figures_text(figures)
    assert "12 recordings of 6 albums, 3 folds" in text
    assert "before" not in text


def test_figures_are_counted_from_the_answers():
    data = examples(labels=2, spread=6.0)
    measured = cross_validate(data)
    figures = figures_of(data, measured, ["a", "b"])
    right = measured.probabilities.argmax(axis=1) == data.label
    assert 0 < right.mean() < 1
    assert figures.accuracy == pytest.approx(right.mean(), abs=1e-4)
    for place, row in enumerate(figures.labels):
        assert row.recall == pytest.approx(right[data.label == place].mean(), abs=1e-4)
        answered = measured.probabilities.argmax(axis=1) == place
        assert row.precision == pytest.approx(right[answered].mean(), abs=1e-4)


@pytest.mark.slow
def test_the_command_teaches_and_analyze_uses_the_head(tmp_path, tiny_models, capsys):
    music, heads, head = tmp_path / "music", tmp_path / "heads", tmp_path / "heads" / "mine.json"
    heads.mkdir()
    for label, sound in (("sine", signals.sine(5)), ("groove", signals.groove(5, RATE))):
        for number in range(5):
            album = music / label / f"album {number % 2}"
            album.mkdir(parents=True, exist_ok=True)
            data = signals.wav((0.3 + 0.1 * number) * sound, RATE)
            (album / f"{number}.wav").write_bytes(data)
    broken = music / "sine" / "broken.mp3"
    broken.write_bytes(b"hello")
    common = ["--models", os.fspath(tiny_models), "--model", "tiny", "--jobs", "1"]
    teach = ["teach", os.fspath(music), "--name", "mine", "--output", os.fspath(head), *common]
    assert main(teach) == 1
    captured = capsys.readouterr()
    assert "broken.mp3" in captured.err
    assert "10 recordings of 4 albums, 2 folds" in captured.out
    card = read_head(head).card
    assert card.labels == ["groove", "sine"]
    broken.unlink()
    silent = music / "sine" / "silent.wav"
    silent.write_bytes(signals.wav(0 * signals.sine(5), RATE))
    assert main(teach) == 1
    assert "silent.wav: The recording is silent" in capsys.readouterr().err
    silent.unlink()
    assert main(teach) == 0
    assert "(before: " in capsys.readouterr().out

    table, lines = tmp_path / "records.csv", tmp_path / "records.jsonl"
    with_head = ["--head", "mine", "--heads", os.fspath(heads), *common]
    assert main(["analyze", os.fspath(music), "--output", os.fspath(table), *with_head]) == 0
    rows = list(csv.DictReader(table.read_text().splitlines()))
    assert len(rows) == 10
    for row in rows:
        assert row["head.name"] == "mine"
        assert float(row["labels.sine"]) + float(row["labels.groove"]) == pytest.approx(1, abs=1e-4)
    assert main(["analyze", os.fspath(music), "--output", os.fspath(lines), *with_head]) == 0
    records = [json.loads(line) for line in lines.read_text().splitlines()]
    assert all(record["analysis"]["head"]["digest"] == read_head(head).digest for record in records)
    assert main(["analyze", os.fspath(music), "--output", os.fspath(lines), *common]) == 0
    assert "10 unchanged since an earlier run" in capsys.readouterr().err


def refusal(arguments, capsys):
    assert main(arguments) == 2
    return capsys.readouterr().err


def test_refusals_are_one_line(folder, tmp_path, tiny_models, bare_models, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tiny = ["--name", "mine", "--models", os.fspath(tiny_models), "--model", "tiny"]
    music = os.fspath(folder)
    assert "name a folder, a table with --from" in refusal(["teach", *tiny], capsys)
    assert "soft has 1" in refusal(["teach", music, *tiny], capsys)
    table = write_table(folder, [("loud/one.wav", "loud", "", "", "")])
    assert "one label only" in refusal(["teach", "--from", os.fspath(table), *tiny], capsys)
    missing = ["--output", os.fspath(tmp_path / "no" / "mine.json")]
    assert "its folder does not exist" in refusal(["teach", music, *tiny, *missing], capsys)
    other = ["--output", os.fspath(folder / "six.wav")]
    assert "is not a head" in refusal(["teach", music, *tiny, *other], capsys)
    assert (folder / "six.wav").read_text() == "six.wav"
    bare = ["--name", "mine", "--models", os.fspath(bare_models), "--model", "tiny"]
    assert "has no embedding" in refusal(["teach", music, *bare], capsys)
    assert "FIFTEEN_NAME" in refusal(["teach", music, "--name", "../x"], capsys)
    assert not list(tmp_path.glob("*.json"))


def test_the_environment_does_not_make_teaching_write_tags(monkeypatch, folder, tiny_models):
    monkeypatch.setenv("FIFTEEN_WRITE_TAGS", "replace")
    monkeypatch.setenv("FIFTEEN_OUTPUT", "x.csv")
    settings = analysis_settings(TeachSettings(folder=folder, name="mine", models=tiny_models))
    assert (settings.write_tags, settings.output, settings.embedding) == (None, None, True)
    assert settings.models == tiny_models
