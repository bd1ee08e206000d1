import pytest

from service.model import Model
from service.settings import Settings
from tests.http import serving
from tests.service import tiny


@pytest.fixture(scope="session")
def tiny_models(tmp_path_factory):
    """A folder with a model that has features and an embedding."""
    folder = tmp_path_factory.mktemp("tiny")
    tiny.write(folder)
    return folder


@pytest.fixture(scope="session")
def bare_models(tmp_path_factory):
    """A folder with a model that has neither features nor an embedding."""
    folder = tmp_path_factory.mktemp("bare")
    tiny.write(folder, features=[], embedding=None)
    return folder


@pytest.fixture(scope="session")
def open_models(tmp_path_factory):
    """A folder with a model that takes short windows."""
    folder = tmp_path_factory.mktemp("open")
    tiny.write(folder, n_frames="frames")
    return folder


@pytest.fixture
def tiny_model(tiny_models):
    return Model(tiny_models / "tiny.onnx")


@pytest.fixture(scope="session")
def tiny_client(tiny_models):
    """A client of a service with that model."""
    with serving(Settings(models=tiny_models, model="tiny")) as client:
        yield client
