import csv
import dataclasses
import json

import pytest

from service.library.records import AnotherFileError, JsonLines, Made, Record, RecordFile, Table
from service.schemas import ANALYSIS

GENRES = [each["genre"] for each in ANALYSIS["genres"]]
EMOTIONS = list(ANALYSIS["emotion"])
LAYOUTS = [JsonLines(), Table(GENRES, EMOTIONS)]
ODD = '/music/a, "b"\nκ\udcff.mp3'  # a name with a comma, quotes, a new line, and a stray byte


def made(path="/music/a.mp3", size=10, modified=20, model="sha256:0", asked=()):
    return Made(path, size, modified, model, tuple(asked))


def record(of, problem=None):
    analysis = None if problem else ANALYSIS
    return Record(of, analysis, problem, ["genre"] if "tags" in of.asked else [])


def keep(path, layout, records, now=()):
    with RecordFile(path, layout, now) as file:
        for each in records:
            file.add(each)
    return file.done


@pytest.fixture(params=LAYOUTS, ids=["jsonl", "csv"])
def layout(request):
    return request.param


@pytest.fixture
def path(tmp_path):
    return tmp_path / "records"


def read(path, layout):
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        return [made for made, _ in layout.read(file)]


def test_records_are_read_as_they_were_written(path, layout):
    several = [made(), made(ODD, asked=["timeline", "tags"])]
    keep(path, layout, map(record, several))
    assert read(path, layout) == several


def test_what_has_not_changed_is_done(path, layout):
    keep(path, layout, map(record, [made("/a"), made("/b")]))
    assert keep(path, layout, [], now=[made("/a"), made("/b"), made("/c")]) == {"/a", "/b"}
    assert read(path, layout) == [made("/a"), made("/b")]


@pytest.mark.parametrize(
    "change", [{"size": 11}, {"modified": 21}, {"model": "sha256:1"}, {"asked": ["tags"]}]
)
def test_what_has_changed_is_to_be_done_again(path, layout, change):
    keep(path, layout, map(record, [made("/a"), made("/b")]))
    assert keep(path, layout, [], now=[made("/a", **change), made("/b")]) == {"/b"}
    assert read(path, layout) == [made("/b")]


def test_a_record_with_more_than_is_asked_for_will_do(path, layout):
    keep(path, layout, [record(made(asked=["timeline", "tags"]))])
    assert keep(path, layout, [], now=[made(asked=["tags"])]) == {made().path}


def test_records_of_other_folders_stay(path, layout):
    keep(path, layout, [record(made("/elsewhere"))])
    keep(path, layout, [record(made("/a"))], now=[made("/a")])
    assert read(path, layout) == [made("/elsewhere"), made("/a")]


def test_wherever_a_run_was_cut_off_it_goes_on(path, layout):
    several = [made("/a"), made(ODD)]
    keep(path, layout, map(record, several))
    whole = path.read_bytes()
    first = whole.index(b"/music")
    for end in range(0, len(whole), 7):
        path.write_bytes(whole[:end])
        done = keep(path, layout, [], now=several)
        missing = [each for each in several if each.path not in done]
        assert done <= {"/a", ODD}
        assert (ODD in done) == (end >= len(whole))
        assert ("/a" in done) or end < first
        keep(path, layout, map(record, missing), now=several)
        assert path.read_bytes() == whole


def test_a_problem_is_kept(path):
    problem = {"type": "urn:problem-type:fifteen:not-audio", "detail": "This is not audio."}
    keep(path, JsonLines(), [record(made(), problem)])
    said = json.loads(path.read_text())
    assert said["problem"] == problem
    assert said["analysis"] is None


def test_a_line_has_the_analysis_as_the_service_answers_it(path):
    keep(path, JsonLines(), [record(made(asked=["tags"]))])
    said = json.loads(path.read_text())
    assert said["analysis"] == ANALYSIS
    assert said["tags"] == ["genre"]
    assert said["path"] == made().path


def test_a_table_has_a_column_for_everything_but_timelines(path):
    warned = ANALYSIS | {"warnings": [{"type": "clipped", "detail": ""}]}
    some = dataclasses.replace(record(made(asked=["tags"])), analysis=warned)
    keep(path, LAYOUTS[1], [some, record(made("/b"), {"type": "t", "detail": "d"})])
    with path.open(newline="") as file:
        first, second = csv.DictReader(file)
    assert first["genre"] == ANALYSIS["genre"]
    assert float(first[f"genres.{GENRES[-1]}"]) == ANALYSIS["genres"][-1]["probability"]
    assert float(first["emotion.energy.low"]) == ANALYSIS["emotion"]["energy"]["low"]
    assert float(first["audio.duration_seconds"]) == 15
    assert first["warnings"] == "clipped"
    assert first["asked"] == "tags"
    assert first["tags"] == "genre"
    assert second["problem.detail"] == "d"
    assert second["genre"] == ""


@pytest.mark.parametrize(
    "content", ["my shopping list", "mine\n", '{"path": "/a"}\n', "[]\n", "\xff\n"]
)
def test_another_file_is_refused_and_left_alone(path, layout, content):
    path.write_text(content, encoding="latin-1")
    with pytest.raises(AnotherFileError, match="name another file"):
        RecordFile(path, layout, [])
    assert path.read_text(encoding="latin-1") == content
    assert [each.name for each in path.parent.iterdir()] == ["records"]


def test_a_table_of_other_genres_is_refused(path):
    keep(path, Table(["a", "b"], EMOTIONS), [])
    with pytest.raises(AnotherFileError, match="begins otherwise"):
        RecordFile(path, LAYOUTS[1], [])


def test_a_file_that_is_gone_has_a_record_of_nothing(tmp_path):
    gone = Made.of(tmp_path / "gone", "sha256:0", ())
    assert (gone.size_bytes, gone.modified_ns) == (0, 0)
