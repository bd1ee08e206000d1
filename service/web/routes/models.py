"""The installed models, their cards, and the limits of requests."""

from fastapi import APIRouter, Depends
from fastapi.exceptions import RequestValidationError

from service.model import UnknownModelError
from service.schemas import HeadList, HeadSummary, Limits, ModelCard, ModelList, ModelSummary
from service.web import errors
from service.web.auth import RateLimitedError, UnauthorizedError, authenticate
from service.web.dependencies import (
    HeadsDep,
    LimitsDep,
    ModelsDep,
    NameInPath,
    SettingsDep,
    TaxonomyDep,
)

_ANY = (UnauthorizedError, RateLimitedError)

router = APIRouter(prefix="/v1", dependencies=[Depends(authenticate)])


@router.get("/models", tags=["models"], responses=errors.responses(*_ANY))
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
    "/models/{name}",
    tags=["models"],
    responses=errors.responses(*_ANY, UnknownModelError, RequestValidationError),
)
async def show_model(models: ModelsDep, name: NameInPath) -> ModelCard:
    """Show a model's card: what it was trained on, how good it is and what it cannot do."""
    model = models[name]
    return ModelCard(**dict(model.card), digest=model.digest)


@router.get("/heads", tags=["models"], responses=errors.responses(*_ANY))
async def list_heads(heads: HeadsDep) -> HeadList:
    """List the operator's heads: labels that were taught, and how right they are."""
    return HeadList(
        heads=[
            HeadSummary(
                **head.card.model_dump(include={"name", "created", "space", "labels"}),
                **head.card.figures.model_dump(
                    include={"tracks", "accuracy", "kept", "left_out_refused"}
                ),
                digest=head.digest,
            )
            for head in heads
        ]
    )


@router.get("/limits", tags=["limits"], responses=errors.responses(*_ANY))
async def show_limits(limits: LimitsDep) -> Limits:
    """Show what is accepted, in numbers."""
    return limits
