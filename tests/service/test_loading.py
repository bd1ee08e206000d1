import pytest

from service.loading import load_served, load_taxonomy
from service.model import ModelError
from service.settings import Settings
from service.taxonomy import MODELS_OWN, TaxonomyError


def test_the_default_model_is_loaded():
    settings = Settings()
    models = load_served(settings)
    assert models[settings.model].card.name == settings.model


def test_a_missing_default_model_is_refused():
    with pytest.raises(ModelError, match=r"other is not in .*, which has: fifteen:"):
        load_served(Settings(model="other"))


def test_without_a_taxonomy_genres_keep_their_names():
    settings = Settings()
    assert load_taxonomy(settings, load_served(settings)) is MODELS_OWN


def test_a_taxonomy_may_rename_only_genres_of_the_models(tmp_path):
    path = tmp_path / "names.toml"
    settings = Settings(taxonomy=path)
    models = load_served(settings)
    path.write_text('house = "Club"\n')
    assert load_taxonomy(settings, models).rename(["house"]) == ["Club"]
    path.write_text('polka = "Folk"\n')
    with pytest.raises(TaxonomyError, match="polka"):
        load_taxonomy(settings, models)
