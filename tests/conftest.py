"""Fixtures that many tests share."""

import os
import sys
from pathlib import Path

# Read when torch is loaded: threads that spin while they wait are slow where other programs run, too.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
if "PYTEST_XDIST_WORKER" in os.environ:  # beside others, which want cores, too
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))

from browser import Browser, find_browser
from golden_weights import with_formula_weights
from models.networks.generators import build_generator
from models.networks.mask_extractor import MaskExtractor
from models.networks.nrn import NRN
from stand_in_project import Project
from visdom_servers import be_patient, free_port


@pytest.fixture(scope="session")
def released_weights():
    """The generators' networks as the release builds them by default, with formula weights."""
    networks = {
        "Pre": NRN(64, coords="cancelled"),
        "H": MaskExtractor(64),
        "G_A": build_generator("resnet_9blocks", 6),
        "G_B": build_generator("resnet_9blocks", 3),
    }
    return {name: with_formula_weights(network, name).eval() for name, network in networks.items()}


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def pytest_collection_modifyitems(items):
    if not torch.cuda.is_available():
        for item in items:
            if "cuda" in item.keywords:
                item.add_marker(pytest.mark.skip(reason="no GPU on this machine"))


@pytest.fixture
def full_precision(monkeypatch):
    """A GPU computes in single precision where that is asked for, not in TF32."""
    before = torch.get_float32_matmul_precision()
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    torch.set_float32_matmul_precision("highest")
    yield
    torch.set_float32_matmul_precision(before)


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=pytest.mark.cuda)])
def device(request, full_precision):
    """The CPU and, where there is one, the GPU."""
    return torch.device(request.param)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """A Chromium; where there is none, the test is skipped."""
    if find_browser() is None:
        pytest.skip("no Chromium on this machine")
    with Browser(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """The file of a gallery."""
    from galleries import build_gallery  # with dominate, which a machine that only tests its GPU need not have

    return build_gallery(tmp_path_factory.mktemp("gallery") / "results")


@pytest.fixture
def page(browser, address):
    """The gallery, freshly opened, in a browser that remembers nothing."""
    browser.scripts(True)
    browser.send("Emulation.setTouchEmulationEnabled", enabled=False)
    browser.resize(1200, 900)
    browser.theme("light")
    browser.open(address)
    browser.evaluate("localStorage.clear()")
    browser.open(address)
    browser.requests.clear()
    browser.messages.clear()
    yield browser
    assert browser.messages == []
    assert all(url.startswith("file:") for url in browser.requests)


@pytest.fixture
def project(tmp_path):
    """A project without a Python on PATH."""
    return Project(tmp_path)


@pytest.fixture
def project_with_python(project):
    project.add_python(project.tools / "python3")
    return project


@pytest.fixture
def port():
    """A port of this machine that nothing listens on."""
    return free_port()


@pytest.fixture
def patient(monkeypatch):
    """A live view with time enough for a busy machine."""
    be_patient(monkeypatch)
