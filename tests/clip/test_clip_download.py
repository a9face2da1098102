"""Downloads, from a server on this machine that can misbehave."""

import socket
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor
from urllib.error import HTTPError, URLError

import pytest

from clip import download
from clip.download import cache_folder, fetch, sha256_of
from download_server import CONTENT, SHA256, Server
from util.errors import WorkError

NO_WAIT = (0, 0, 0)


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server = Server()
    thread = threading.Thread(target=server.http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.http.shutdown()
    server.http.server_close()
    thread.join()


@pytest.fixture
def target(tmp_path):
    return tmp_path / "new" / "RN50.pt"


def files(folder):
    return sorted(path.name for path in folder.iterdir())


def test_whole_download(server, target):
    assert fetch(server.url, SHA256, target) == target
    assert target.read_bytes() == CONTENT
    assert files(target.parent) == ["RN50.pt"]
    assert server.ranges == [None]


def test_file_that_is_there_is_not_downloaded(server, target):
    target.parent.mkdir()
    target.write_bytes(CONTENT)
    assert fetch(server.url, SHA256, target) == target
    assert server.ranges == []


def test_of_several_the_first_downloads_and_the_others_wait(server, target):
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: fetch(server.url, SHA256, target), range(4)))
    assert found == [target] * 4 and target.read_bytes() == CONTENT
    assert files(target.parent) == ["RN50.pt"]
    assert server.ranges == [None]


def test_lost_connection_is_resumed(server, target):
    server.drops = 2
    fetch(server.url, SHA256, target, NO_WAIT)
    assert target.read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=500000-", "bytes=750000-"]


def test_a_later_call_resumes(server, target):
    server.drops = 1
    with pytest.raises(WorkError, match="lost after 500000 of 1000000 bytes"):
        fetch(server.url, SHA256, target, retry_delays=())
    assert files(target.parent) == ["RN50.pt.part"]
    fetch(server.url, SHA256, target, NO_WAIT)
    assert target.read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=500000-"]


def test_retries_are_few(server, target):
    server.drops = 99
    with pytest.raises(WorkError, match="lost"):
        fetch(server.url, SHA256, target, NO_WAIT)
    assert len(server.ranges) == 1 + len(NO_WAIT)


def test_server_without_ranges_starts_from_zero(server, target):
    server.drops = 1
    server.knows_ranges = False
    fetch(server.url, SHA256, target, NO_WAIT)
    assert target.read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=500000-"]


@pytest.mark.parametrize(("kept", "good"), [(CONTENT, True), (CONTENT + b"more", False)])
def test_nothing_left_to_send(server, target, kept, good):
    target.parent.mkdir()
    part = target.with_name("RN50.pt.part")
    part.write_bytes(kept)
    if good:
        fetch(server.url, SHA256, target)
        assert files(target.parent) == ["RN50.pt"]
    else:
        with pytest.raises(WorkError, match="instead of"):
            fetch(server.url, SHA256, target)
        assert files(target.parent) == []


def test_wrong_content_is_removed(server, target):
    target.parent.mkdir()
    (target.parent / "RN101.pt").write_bytes(b"another file")
    with pytest.raises(WorkError) as caught:
        fetch(server.url, "0" * 64, target)
    assert server.url in str(caught.value)
    assert SHA256 in str(caught.value)
    assert "0" * 64 in str(caught.value)
    assert files(target.parent) == ["RN101.pt"]
    assert (target.parent / "RN101.pt").read_bytes() == b"another file"


def test_wrong_file_in_the_cache_is_replaced(server, target, capfd):
    target.parent.mkdir()
    target.write_bytes(b"old")
    fetch(server.url, SHA256, target)
    assert target.read_bytes() == CONTENT
    lines = capfd.readouterr().err.splitlines()
    assert len(lines) == 1
    assert str(target) in lines[0]
    assert "again" in lines[0]


@pytest.mark.parametrize("sha256", [SHA256, "0" * 64])
def test_wrong_file_in_the_cache_survives_a_failed_download(server, target, sha256):
    target.parent.mkdir()
    target.write_bytes(b"old")
    server.failures = [404] if sha256 == SHA256 else []
    with pytest.raises(WorkError):
        fetch(server.url, sha256, target)
    assert target.read_bytes() == b"old"
    assert files(target.parent) == ["RN50.pt"]


@pytest.mark.parametrize("status", [403, 404])
def test_refused_request_is_not_repeated(server, target, status):
    server.failures = [status] * 9
    with pytest.raises(WorkError, match=str(status)):
        fetch(server.url, SHA256, target, NO_WAIT)
    assert len(server.ranges) == 1
    assert files(target.parent) == []


def test_failing_server_is_asked_again(server, target):
    server.failures = [503, 500]
    fetch(server.url, SHA256, target, NO_WAIT)
    assert target.read_bytes() == CONTENT
    assert len(server.ranges) == 3


def test_absent_server(target, monkeypatch):
    def no_sleep(seconds):
        raise AssertionError("waits for a server that refuses connections")

    monkeypatch.setattr(download.time, "sleep", no_sleep)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/RN50.pt"
        with pytest.raises(WorkError) as caught:
            fetch(url, SHA256, target)
    message = str(caught.value)
    assert url in message
    assert SHA256 in message
    assert str(target.parent) in message
    assert "\n" not in message


def test_folder_that_cannot_be_made(server, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(WorkError, match=r"RN50\.pt"):
        fetch(server.url, SHA256, tmp_path / "file" / "RN50.pt")
    assert server.ranges == []


def test_certificates_are_verified(target, monkeypatch):
    contexts = []

    def refuse(request, timeout, context):
        contexts.append(context)
        raise URLError(ssl.SSLCertVerificationError("self-signed certificate"))

    monkeypatch.setattr(download, "urlopen", refuse)
    with pytest.raises(WorkError, match=r"https://example\.org/RN50\.pt .*self-signed"):
        fetch("https://example.org/RN50.pt", SHA256, target, NO_WAIT)
    (context,) = contexts  # one attempt
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (ConnectionResetError(), True),
        (TimeoutError(), True),
        (URLError(TimeoutError()), True),
        (ssl.SSLEOFError(), True),
        (URLError(ssl.SSLCertVerificationError()), False),
        (URLError(ConnectionRefusedError()), False),
        (URLError(socket.gaierror()), False),
        (PermissionError(), False),
        (HTTPError("", 502, "", None, None), True),
        (HTTPError("", 429, "", None, None), False),
    ],
)
def test_which_errors_are_worth_another_attempt(error, again):
    assert download._may_pass(error) is again


def test_cache_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("CLIP_CACHE", raising=False)
    assert cache_folder() == tmp_path / ".cache" / "clip"
    monkeypatch.setenv("CLIP_CACHE", "~/models")
    assert cache_folder() == tmp_path / "models"
    assert cache_folder(tmp_path / "given") == tmp_path / "given"
    (tmp_path / "RN50.pt").touch()
    assert cache_folder(tmp_path / "RN50.pt") == tmp_path


def test_sha256_of_a_file_longer_than_a_chunk(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    assert len(CONTENT) > download.CHUNK
    assert sha256_of(path) == SHA256
