"""What an operator has installed: the models that the settings name, and the names for genres."""

from service import memory
from service.model import ModelError, Models, UnknownModelError, load_models
from service.settings import Hearing
from service.taxonomy import MODELS_OWN, Taxonomy, read_taxonomy


def load_served(settings: Hearing) -> Models:
    """Load the models, the default among them.

    Raises
    ------
    ModelError
        If one of them cannot be served, or the default is not there.
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


def load_taxonomy(settings: Hearing, models: Models) -> Taxonomy:
    """Read the operator's names for the genres of the models, if there are any.

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
