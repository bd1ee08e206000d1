"""What is installed and what is accepted, over HTTP: models, their cards, the limits."""

from fastapi import APIRouter
from fastapi.exceptions import RequestValidationError

from service.model import UnknownModelError
from service.schemas import Limits, ModelCard, ModelList, ModelSummary
from service.web import problems
from service.web.dependencies import ModelsDep, NameInPath, SettingsDep, named
from service.web.limits import limits_of

router = APIRouter()


@router.get("/v1/models", tags=["models"], responses=problems.responses())
async def list_models(settings: SettingsDep, models: ModelsDep) -> ModelList:
    """List the installed models."""
    return ModelList(
        models=[
            ModelSummary(
                name=name,
                version=model.card.version,
                digest=model.digest,
                description=model.card.description,
                genres=model.card.genres,
                default=name == settings.model,
            )
            for name, model in models.items()
        ]
    )


@router.get(
    "/v1/models/{name}",
    tags=["models"],
    responses=problems.responses(UnknownModelError, RequestValidationError),
)
async def show_model(models: ModelsDep, name: NameInPath) -> ModelCard:
    """Show a model's card: what it was trained on, how good it is and what it cannot do."""
    model = named(models, name)
    return ModelCard(**dict(model.card), digest=model.digest)


@router.get("/v1/limits", tags=["limits"], responses=problems.responses())
async def show_limits(settings: SettingsDep) -> Limits:
    """Show what is accepted, in numbers."""
    return limits_of(settings)
