import numpy as np
import pytest

from training.data.corpus import CorpusError
from training.data.synthetic import SYNTHETIC
from training.data.teachers import MAX_DEVIATION, read_targets


def place(dataset, name):
    return next(i for i, track in enumerate(dataset.tracks) if track.id == name)


def write(folder, name, clips, starts, **arrays):
    """Write the outputs of a teacher."""
    np.savez(folder / f"{name}.npz", clip_id=np.array(clips), start_seconds=starts, **arrays)


def targets_rows(targets, dataset, track, take="raw"):
    rows = dataset.rows(take, np.array([place(dataset, track)]))
    return np.isin(targets.rows, rows)


def targets_of(targets, dataset, track, take="raw"):
    return targets.values[targets_rows(targets, dataset, track, take)]


def test_every_take_of_a_window_has_its_targets(dataset, tmp_path):
    """The tracks have two windows, at 0 s and at 15 s at most."""
    clips, starts = ["jazz-0"] * 3 + ["jazz-1"], [0.0, 7.5, 14.0, 0.0]
    write(tmp_path, "a", clips, starts, level=np.array([[1.0], [5.0], [3.0], [7.0]]))
    targets = read_targets(tmp_path, dataset)
    for take in ("raw", "trimmed", "phone"):
        first, second = targets_of(targets, dataset, "jazz-0", take)[:, 0]
        assert first < second
        only = targets_of(targets, dataset, "jazz-1", take)[:, 0]
        assert only[0] == only[1] > second
    assert set(dataset.track_of[targets.rows]) == {place(dataset, f"jazz-{i}") for i in (0, 1)}


def test_targets_are_standardised_and_clipped(dataset, tmp_path):
    clips = [track.id for track in dataset.tracks if track.source != SYNTHETIC]
    levels = np.stack([np.arange(len(clips)), np.eye(len(clips))[0]], axis=1)
    write(tmp_path, "a", clips, np.zeros(len(clips)), levels=levels)
    level, outlier = read_targets(tmp_path, dataset).values.T
    assert level.mean() == pytest.approx(0, abs=1e-3)
    assert level.std() == pytest.approx(1, abs=1e-3)
    assert outlier.max() == MAX_DEVIATION


def test_targets_can_be_returned_as_the_teacher_gave_them(dataset, tmp_path):
    levels = np.array([[3.0, -40.0], [4.0, 0.0], [8.0, 10.0]])
    write(tmp_path, "a", ["jazz-0", "jazz-1", "jazz-2"], np.zeros(3), level=levels)
    targets = read_targets(tmp_path, dataset)
    for number, level in enumerate(levels):
        rows = targets_rows(targets, dataset, f"jazz-{number}")
        np.testing.assert_allclose(targets.original(slice(0, 2))[rows][0], level, rtol=1e-5)
        np.testing.assert_allclose(targets.original(slice(1, 2))[rows][0], level[1:], rtol=1e-5)


def test_each_array_of_each_teacher_is_a_kind(dataset, tmp_path):
    one, other = np.arange(2.0)[:, None], np.arange(6.0).reshape(2, 3)
    write(tmp_path, "b", ["jazz-0", "jazz-1"], [0.0, 0.0], tags=other)
    write(tmp_path, "a", ["jazz-0", "jazz-1"], [0.0, 0.0], embedding=one)
    targets = read_targets(tmp_path, dataset)
    assert targets.kinds == {"a.embedding": slice(0, 1), "b.tags": slice(1, 4)}
    assert targets.values.shape[1] == 4


def test_a_row_that_one_teacher_did_not_hear_has_no_values_of_it(dataset, tmp_path):
    write(tmp_path, "a", ["jazz-0", "jazz-1"], [0.0, 0.0], level=np.array([[0.0], [1.0]]))
    write(tmp_path, "b", ["jazz-1", "jazz-2"], [0.0, 0.0], level=np.array([[0.0], [1.0]]))
    targets = read_targets(tmp_path, dataset)
    known = {
        name: ~np.isnan(targets_of(targets, dataset, name)[0]) for name in ("jazz-0", "jazz-1")
    }
    assert known["jazz-0"].tolist() == [True, False]
    assert known["jazz-1"].tolist() == [True, True]


def test_sounds_that_are_not_recordings_have_no_targets(dataset, teachers):
    tracks = dataset.track_of[read_targets(teachers, dataset).rows]
    assert {dataset.tracks[i].source for i in tracks}.isdisjoint({SYNTHETIC})


def test_other_values_have_another_digest(dataset, tmp_path):
    digests = []
    for last in (1.0, 1.0, 5.0):
        level = np.array([[0.0], [1.0], [last]])
        write(tmp_path, "a", ["jazz-0", "jazz-1", "jazz-2"], [0.0] * 3, level=level)
        digests.append(read_targets(tmp_path, dataset).digest)
    assert digests[0] == digests[1] != digests[2]


def test_a_folder_without_teachers_is_an_error(dataset, tmp_path):
    with pytest.raises(CorpusError, match="no outputs of teachers"):
        read_targets(tmp_path, dataset)


def test_teachers_of_another_corpus_are_an_error(dataset, tmp_path):
    write(tmp_path, "a", ["somewhere else"], [0.0], level=np.ones((1, 1)))
    with pytest.raises(CorpusError, match="heard none of the tracks"):
        read_targets(tmp_path, dataset)
