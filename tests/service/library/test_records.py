import csv
import dataclasses
import json
import os
import re
import resource
from pathlib import Path

import pytest

from service.library.records import Fingerprint, JsonLines, OutputError, Record, RecordFile, Table
from service.schemas import ANALYSIS, AudioFacts, EmotionRange

GENRES = [each["genre"] for each in ANALYSIS["genres"]]
EMOTIONS = list(ANALYSIS["emotion"])
LAYOUTS = [JsonLines(), Table(GENRES, EMOTIONS)]
ODD = '/music/a, "b"\nκ\udcff.mp3'  # comma, quotes, new line, a byte that is not UTF-8
CHARACTERS = [
    *map(chr, range(256)),
    "\u2028",
    "\u2029",
    "\ufeff",
    "\U0001f3b5",
    *map(chr, range(0xDC80, 0xDD00)),
]
NAMES = [
    f"/music/{around.replace('_', each)}.mp3"
    for each in CHARACTERS
    for around in ("_", "a_b", '__,"_')
]
PROBLEM = {"type": "urn:problem-type:fifteen:not-audio", "detail": "This is not audio."}


def fingerprint(
    path="/music/a.mp3", size=10, modified=20, model="sha256:0", settings="0", asked=()
):
    return Fingerprint(path, size, modified, model, settings, tuple(asked))


def record(of, problem=None):
    analysis = None if problem else ANALYSIS
    return Record(of, analysis, problem, ["genre"] if "tags" in of.asked else [])


def write(path, layout, records, current=()):
    with RecordFile(path, layout, current) as file:
        for each in records:
            file.add(each)
    return set(file.done)


@pytest.fixture(params=LAYOUTS, ids=["jsonl", "csv"])
def layout(request):
    return request.param


@pytest.fixture
def path(tmp_path):
    return tmp_path / "records"


def read(path, layout):
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        return [stored.fingerprint for stored in layout.read(file)]


def test_records_are_read_as_they_were_written(path, layout):
    several = [fingerprint(), fingerprint(ODD, asked=["timeline", "tags"])]
    write(path, layout, map(record, several))
    assert read(path, layout) == several


def test_a_record_survives_every_character(path, layout):
    several = [fingerprint(name, model=name, settings=name) for name in NAMES]
    records = [record(each, {"type": each.path, "detail": each.path}) for each in several]
    write(path, layout, records)
    before = path.read_bytes()
    assert read(path, layout) == several
    for _ in range(3):
        assert write(path, layout, [], current=several) == set(NAMES)
        assert path.read_bytes() == before


def test_a_table_is_read_by_the_standard_reader(path):
    records = [record(fingerprint(name), {"type": "t", "detail": name}) for name in NAMES]
    write(path, LAYOUTS[1], records)
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["path"], row["problem.detail"], row["tags"]) for row in rows] == [
        (name, name, "") for name in NAMES
    ]


def test_lines_are_utf8_for_all_names(path):
    write(path, LAYOUTS[0], [record(fingerprint(name)) for name in NAMES])
    lines = path.read_text(encoding="utf-8").split("\n")
    assert [json.loads(line)["path"] for line in lines[:-1]] == NAMES


def test_an_unchanged_recording_is_done(path, layout):
    write(path, layout, map(record, [fingerprint("/a"), fingerprint("/b")]))
    current = [fingerprint("/a"), fingerprint("/b"), fingerprint("/c")]
    assert write(path, layout, [], current) == {"/a", "/b"}
    assert read(path, layout) == current[:2]


@pytest.mark.parametrize(
    "change",
    [{"size": 11}, {"modified": 21}, {"model": "sha256:1"}, {"settings": "1"}, {"asked": ["tags"]}],
)
def test_a_changed_recording_is_not_done(path, layout, change):
    write(path, layout, map(record, [fingerprint("/a"), fingerprint("/b")]))
    current = [fingerprint("/a", **change), fingerprint("/b")]
    assert write(path, layout, [], current) == {"/b"}
    assert read(path, layout) == [fingerprint("/b")]


def test_a_record_with_more_than_is_requested_is_up_to_date(path, layout):
    write(path, layout, [record(fingerprint(asked=["timeline", "tags"]))])
    assert write(path, layout, [], [fingerprint(asked=["tags"])]) == {fingerprint().path}


def test_a_recording_that_took_too_long_is_retried(path, layout):
    late = {"type": "urn:problem-type:fifteen:decode-timeout", "detail": "Too long."}
    write(path, layout, [record(fingerprint("/a"), late), record(fingerprint("/b"), PROBLEM)])
    assert write(path, layout, [], [fingerprint("/a"), fingerprint("/b")]) == {"/b"}


def test_a_problem_is_known_to_the_next_run(path, layout):
    current = [fingerprint("/a"), fingerprint("/b")]
    write(path, layout, [record(current[0], PROBLEM), record(current[1])])
    with RecordFile(path, layout, current) as file:
        assert file.done == {"/a": True, "/b": False}


def test_records_of_other_folders_stay(path, layout):
    write(path, layout, [record(fingerprint("/elsewhere"))])
    write(path, layout, [record(fingerprint("/a"))], [fingerprint("/a")])
    assert read(path, layout) == [fingerprint("/elsewhere"), fingerprint("/a")]


def test_the_record_of_a_folder_goes_when_the_folder_can_be_read(path, layout, tmp_path):
    folder = fingerprint(str(tmp_path), size=0, modified=0)
    write(path, layout, [record(folder, PROBLEM)])
    assert write(path, layout, [], [folder]) == {str(tmp_path)}
    write(path, layout, [], [fingerprint(str(tmp_path / "x"))])
    assert read(path, layout) == []


def test_a_run_resumes_from_a_file_truncated_anywhere(path, layout):
    several = [fingerprint("/a"), fingerprint(ODD)]
    write(path, layout, map(record, several))
    whole = path.read_bytes()
    first = whole.index(b"/music")
    for end in range(0, len(whole), 7):
        path.write_bytes(whole[:end])
        done = write(path, layout, [], several)
        missing = [each for each in several if each.path not in done]
        assert done <= {"/a", ODD}
        assert (ODD in done) == (end >= len(whole))
        assert ("/a" in done) or end < first
        write(path, layout, map(record, missing), several)
        assert path.read_bytes() == whole


def test_a_line_has_the_analysis_of_the_service(path):
    write(path, JsonLines(), [record(fingerprint(asked=["tags"])), record(fingerprint(), PROBLEM)])
    first, second = map(json.loads, path.read_text().splitlines())
    assert first["analysis"] == ANALYSIS
    assert first["tags"] == ["genre"]
    assert first["path"] == fingerprint().path
    assert second["problem"] == PROBLEM
    assert second["analysis"] is None


def test_a_table_has_a_column_for_everything_but_timelines(path):
    warned = ANALYSIS | {"warnings": [{"type": "clipped", "detail": ""}]}
    some = dataclasses.replace(record(fingerprint(asked=["tags"])), analysis=warned)
    write(path, LAYOUTS[1], [some, record(fingerprint("/b"), {"type": "t", "detail": "d"})])
    with path.open(newline="") as file:
        first, second = csv.DictReader(file)
    assert first["genre"] == ANALYSIS["genre"]
    assert float(first[f"genres.{GENRES[-1]}"]) == ANALYSIS["genres"][-1]["probability"]
    for name in AudioFacts.model_fields:
        assert first[f"audio.{name}"] == str(ANALYSIS["audio"][name])
    for end in EmotionRange.model_fields:
        assert first[f"emotion.energy.{end}"] == str(ANALYSIS["emotion"]["energy"][end])
    assert first["warnings"] == "clipped"
    assert first["asked"] == "tags"
    assert first["tags"] == "genre"
    assert second["problem.detail"] == "d"
    assert second["genre"] == ""


def test_a_table_has_the_columns_that_the_page_names():
    page = (Path(__file__).parents[3] / "docs/LIBRARY.md").read_text()
    (section,) = re.findall(r"## Columns\n(.*?)\n#?Beside", page, re.DOTALL)
    cells = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    columns = [*LAYOUTS[1].head.strip().split(","), "head.label", "labels.mine"]
    for name in re.findall(r"`([\w.]+)`", " ".join(cells)):
        wanted = re.compile(name.replace(".", r"\.").replace("NAME", r"[\w-]+"))
        assert any(wanted.fullmatch(each) for each in columns), name


def test_two_runs_do_not_write_one_file(path, layout):
    with RecordFile(path, layout, []) as file:
        file.add(record(fingerprint("/a")))
        with pytest.raises(OutputError, match="Another run writes"):
            RecordFile(path, layout, [fingerprint("/a")])
        file.add(record(fingerprint("/b")))
    assert write(path, layout, [], [fingerprint("/a"), fingerprint("/b")]) == {"/a", "/b"}
    assert [each.name for each in path.parent.iterdir()] == ["records"]


@pytest.mark.parametrize(
    "content",
    ["my shopping list", "mine\n", '{"path": "/a"}\n', "[]\n", "\xff\n", "[" * 100_000 + "\n"],
    ids=lambda content: content[:8],
)
def test_another_file_is_refused_and_not_changed(path, layout, content):
    path.write_text(content, encoding="latin-1")
    with pytest.raises(OutputError, match="choose another file"):
        RecordFile(path, layout, [])
    assert path.read_text(encoding="latin-1") == content
    assert [each.name for each in path.parent.iterdir()] == ["records"]


@pytest.mark.parametrize("cell", ["1.7E+18", "x" * 200_000])
def test_a_table_rewritten_by_a_spreadsheet_is_refused(path, cell):
    write(path, LAYOUTS[1], [record(fingerprint())])
    path.write_text(path.read_text().replace(",20,", f",{cell},"))
    with pytest.raises(OutputError, match="not a record"):
        RecordFile(path, LAYOUTS[1], [])


def test_a_table_of_other_genres_is_refused(path):
    write(path, Table(["a", "b"], EMOTIONS), [])
    with pytest.raises(OutputError, match="begins differently"):
        RecordFile(path, LAYOUTS[1], [])


def test_a_link_to_a_file_of_records_stays_a_link(path, layout):
    link = path.with_name("link")
    link.symlink_to(path)
    write(link, layout, [record(fingerprint())])
    assert link.is_symlink()
    assert read(path, layout) == [fingerprint()]


def test_the_permissions_of_a_file_of_records_stay(path, layout):
    path.touch(0o600)
    write(path, layout, [record(fingerprint())])
    assert path.stat().st_mode & 0o777 == 0o600


def test_an_unwritable_output_is_reported_in_one_sentence(tmp_path, layout):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "circle").symlink_to("circle")
    for path in ("nowhere/x", "pipe", "circle", "x" * 300, "."):
        with pytest.raises(OutputError, match=r"^[^\n]+$"):
            RecordFile(tmp_path / path, layout, [])


@pytest.fixture
def limit_size():
    """Return a function that limits the size of files, in bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_is_reported_in_one_sentence_and_loses_no_record(path, layout, limit_size):
    with pytest.raises(OutputError, match="cannot be written"):  # noqa: PT012, SIM117
        with RecordFile(path, layout, []) as file:
            file.add(record(fingerprint("/a")))
            limit_size(path.stat().st_size + 100)
            file.add(record(fingerprint("/b")))
    limit_size(resource.getrlimit(resource.RLIMIT_FSIZE)[1])
    assert write(path, layout, [], [fingerprint("/a"), fingerprint("/b")]) == {"/a"}
