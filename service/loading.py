"""Loads the models and the taxonomy that the settings name."""

from service import memory
from service.model import ModelError, Models, UnknownModelError, load_models
from service.settings import CommonSettings
from service.taxonomy import MODELS_OWN, Taxonomy, read_taxonomy


def load_served(settings: CommonSettings) -> Models:
    """Load the models, and check that the default model is among them.

    Raises
    ------
    ModelError
        If a model cannot be served, or the default model is missing.
    """
    memory.limit()  # before the models start threads
    models = load_models(settings.models)
    try:
        models[settings.model]
    except UnknownModelError as error:
        names = ", ".join(f"{model.card.name}:{model.card.version}" for model in models)
        raise ModelError(
            f"The default model {settings.model} is not in {settings.models}, which has: {names}."
        ) from error
    return models


def load_taxonomy(settings: CommonSettings, models: Models) -> Taxonomy:
    """Read the taxonomy of the settings, if one is set.

    Raises
    ------
    TaxonomyError
        If the file cannot be used.
    """
    if settings.taxonomy is None:
        return MODELS_OWN
    return read_taxonomy(
        settings.taxonomy, {genre for model in models for genre in model.card.genres}
    )
