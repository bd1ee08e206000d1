from collections import Counter

from tests.training.studies.compare.conftest import FEELINGS
from training.data.corpus import SUBSETS
from training.studies.compare.clips import read_clips
from training.studies.compare.labels import PUNK


def test_a_clip_has_the_columns_of_the_manifests(clips):
    by_id = {clip.id: clip for clip in clips}
    punk, folk = by_id["pop-punk-6"], by_id["folk-17"]
    assert (punk.genre, punk.kind, punk.subset) == ("pop-punk", "pop-punk", "train")
    assert punk.subgenre == next(iter(PUNK))
    assert punk.emotion["valence"] == 0.15
    assert not punk.votes
    assert (folk.genre, folk.kind, folk.emotion) == ("", "folk", {})
    assert folk.votes == dict(zip(FEELINGS, (0.5, 0.1), strict=True))


def test_the_number_of_clips_can_be_limited(corpus):
    counts = Counter((clip.kind, clip.subset) for clip in read_clips(corpus, 1))
    assert set(counts.values()) == {1}
    assert {side for _, side in counts} == set(SUBSETS)


def test_a_plain_folder_can_be_compared(tmp_path):
    for genre in ("house", "jazz"):
        for album in "abcde":
            (tmp_path / genre / album).mkdir(parents=True)
            (tmp_path / genre / album / "1.wav").write_bytes(b"")
    clips = read_clips(tmp_path)
    assert {(clip.kind, clip.subgenre, len(clip.votes)) for clip in clips} == {
        ("house", "", 0),
        ("jazz", "", 0),
    }
