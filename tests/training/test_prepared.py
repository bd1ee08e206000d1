import numpy as np

from service.card import EMOTIONS


def test_rows_of_the_splits_are_all_rows_once(prepared):
    rows = np.concatenate([prepared.rows(split) for split in ("train", "valid", "test")])
    assert sorted(rows) == list(range(len(prepared.track_of)))


def test_no_track_has_rows_on_two_sides(prepared):
    sides = [set(prepared.track_of[prepared.rows(s)]) for s in ("train", "valid", "test")]
    assert not sides[0] & sides[1] | sides[0] & sides[2] | sides[1] & sides[2]


def test_labels_go_with_their_tracks(prepared):
    track = next(i for i, t in enumerate(prepared.tracks) if t.id == "metal-1")
    assert prepared.genres[prepared.genre[track]] == "metal"
    energy = EMOTIONS.index("energy")
    assert prepared.emotion[track, energy] == np.float32(2.5 / 3)
    assert prepared.origins[prepared.origin[track, energy]] == "words"


def test_spectrograms_come_in_the_order_asked_for(prepared):
    rows = np.array([5, 0, 5])
    spectrograms = prepared.spectrograms(rows)
    assert spectrograms.dtype == np.float32
    np.testing.assert_array_equal(spectrograms[0], spectrograms[2])
    np.testing.assert_array_equal(spectrograms[1], prepared.spectrograms(rows[1:2])[0])
