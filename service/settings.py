"""What an operator can set, from ``FIFTEEN_*`` environment variables."""

import os
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

MODELS = Path(__file__).parent / "models"


class Settings(BaseSettings):
    """The service's settings. `service.__main__` reads them once, nothing does at import."""

    model_config = SettingsConfigDict(env_prefix="FIFTEEN_", frozen=True)

    host: str = Field("127.0.0.1", description="Address to listen on; 0.0.0.0 in a container.")
    port: int = Field(
        8000, ge=0, le=65_535, description="TCP port to listen on; 0 takes a free one."
    )
    models: Path = Field(MODELS, description="Folder of the model files, every *.onnx in it.")
    model: str = Field(
        "fifteen", description="Name of the model that answers unless asked otherwise."
    )
    max_upload_bytes: int = Field(
        32 * 2**20, ge=1, description="Largest request body, bytes, multipart framing included."
    )
    workers: int = Field(
        default_factory=lambda: os.cpu_count() or 1,
        ge=1,
        description="Recordings analysed at the same time; each may need 0.5 GB of memory. "
        "As many as there are processors unless set.",
    )
