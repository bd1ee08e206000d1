import pytest

from tests.training.conftest import CARD_TEXT
from training.fit.config import DEFAULT_RECIPE, RENAMED, ConfigError, read_recipe


@pytest.fixture
def read(tmp_path):
    def read_text(text):
        path = tmp_path / "mine.toml"
        path.write_text(text)
        return read_recipe(path)

    return read_text


def test_omitted_values_are_those_of_the_default_recipe(read):
    default = read_recipe(DEFAULT_RECIPE).training
    mine = read("[training.head]\nepochs = 3\ndropout = 0\n").training
    assert mine.head == default.head.model_copy(update={"epochs": 3, "dropout": 0})
    assert mine.model_copy(update={"head": default.head}) == default
    assert read("").training == default
    assert read(CARD_TEXT).card.name == "tiny"


def test_old_names_mean_the_same(read):
    old = "[training]\nparts = 3\n[training.perceptron]\nhidden = 7\n"
    new = "[training]\nfolds = 3\n[training.head]\nhidden = 7\n"
    assert read(old).training == read(new).training
    assert set(RENAMED) == {"parts", "perceptron", "mlp"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[training", "mine.toml: "),
        ("training = 3", "training: "),
        ("[traning]\nseed = 3", "traning: Extra inputs"),
        ("[training]\nlayers = 3", "training.layers: Extra inputs"),
        ("[training.head]\nepochs = 'many'", "training.head.epochs: .*valid integer"),
        ("[training.student]\nepochs = 1.5", "training.student.epochs: .*valid integer"),
        ("[training.head]\nepochs = true", "training.head.epochs: .*valid integer"),
        ("[training.head]\nepochs = 0", "epochs: .*greater than or equal to 1"),
        ("[training]\nfolds = 1", "folds: .*greater than or equal to 2"),
        ("[training]\nhead = 1", "training.head: "),
        ("[training.student]\ncrop_frames = 452", "crop_frames: .*less than or equal to 451"),
        ("[training.head]\ndropout = 2", "dropout: .*less than or equal to 1"),
        ("[training.student]\nlearning_rate = nan", "learning_rate: .*finite number"),
        ("[training]\nmixup_alpha = 0", "mixup_alpha: .*greater than or equal to 0.001"),
        ("[card]\nname = 'x'", "card.version: Field required"),
    ],
)
def test_an_error_names_the_fault(read, text, message):
    with pytest.raises(ConfigError, match=message) as caught:
        read(text)
    assert str(caught.value).endswith(".")
    assert "\n" not in str(caught.value).rstrip(".")
