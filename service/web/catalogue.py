"""What is installed and what is accepted, over HTTP: models, their cards, the limits."""

from fastapi import APIRouter
from fastapi.exceptions import RequestValidationError

from service.model import UnknownModelError
from service.schemas import Limits, ModelCard, ModelList, ModelSummary
from service.web import problems
from service.web.dependencies import LimitsDep, ModelsDep, NameInPath, SettingsDep, TaxonomyDep

router = APIRouter()


@router.get("/v1/models", tags=["models"], responses=problems.responses())
async def list_models(settings: SettingsDep, models: ModelsDep, taxonomy: TaxonomyDep) -> ModelList:
    """List the installed models."""
    default = models[settings.model]
    return ModelList(
        models=[
            ModelSummary(
                name=model.card.name,
                version=model.card.version,
                digest=model.digest,
                description=model.card.description,
                genres=taxonomy.rename(model.card.genres),
                default=model is default,
            )
            for model in models
        ]
    )


@router.get(
    "/v1/models/{name}",
    tags=["models"],
    responses=problems.responses(UnknownModelError, RequestValidationError),
)
async def show_model(models: ModelsDep, name: NameInPath) -> ModelCard:
    """Show a model's card: what it was trained on, how good it is and what it cannot do."""
    model = models[name]
    return ModelCard(**dict(model.card), digest=model.digest)


@router.get("/v1/limits", tags=["limits"], responses=problems.responses())
async def show_limits(limits: LimitsDep) -> Limits:
    """Show what is accepted, in numbers."""
    return limits
