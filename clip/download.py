"""Downloads that can be resumed and are checked before they get their name."""

import contextlib
import hashlib
import os
import ssl
import sys
import time
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from tqdm import tqdm

from util.errors import WorkError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

TIMEOUT = 30  # seconds without an answer
CHUNK = 1 << 18  # bytes


def cache_folder(download_root=None):
    """The folder for downloaded files: ``download_root``, else ``$CLIP_CACHE``, else ``~/.cache/clip``.

    A file in place of a folder stands for the folder it lies in.
    """
    path = Path(download_root or os.environ.get("CLIP_CACHE") or "~/.cache/clip").expanduser()
    return path.parent if path.is_file() else path


def sha256_of(path):
    """The SHA-256 of a file, in hexadecimal digits."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def is_complete(path, sha256):
    """Whether a file is there with its published content, whose checksum is ``sha256`` (hexadecimal digits)."""
    return path.is_file() and sha256_of(path) == sha256


def fetch(url, sha256, target, retry_delays=(1, 2, 4, 8)):
    """Make sure that a file is there with its published content; download it where it is not.

    Bytes are collected in ``TARGET.part``, which a later call resumes, and get the final name once their checksum
    is right: a file that already has that name is never lost to a download that fails. Of several processes that want
    it, the first downloads it, and the others wait.

    Args:
        url: public address. TLS certificates are always verified.
        sha256: the expected checksum, in hexadecimal digits.
        target: path of the file; its folder is made if need be.
        retry_delays: seconds to wait before each new attempt after a lost connection or a server's failure.

    Returns:
        The path of the file.

    Raises:
        WorkError: the address cannot be reached, its certificate is not valid, the file cannot be written, or the
            bytes received have another checksum (they are then removed).
    """
    target = Path(target)
    part = target.with_name(f"{target.name}.part")
    try:
        if is_complete(target, sha256):
            return target
        target.parent.mkdir(parents=True, exist_ok=True)
        with _alone(target.parent):
            if is_complete(target, sha256):  # another process has downloaded it meanwhile
                return target
            if target.exists():
                print(f"{target} does not have the SHA-256 {sha256}: downloading it again", file=sys.stderr)
            _download(url, part, retry_delays)
            received = sha256_of(part)
            if received == sha256:
                return part.replace(target)
            part.unlink()
    except (OSError, HTTPException) as error:
        raise WorkError(
            f"could not download {url} ({error}); put the file with the SHA-256 {sha256} "
            f"into the folder {target.parent} by hand"
        ) from error
    raise WorkError(f"{url} gave a file with the SHA-256 {received} instead of {sha256}: removed, not used")


@contextlib.contextmanager
def _alone(folder):
    """Wait until no other process downloads into a folder; on a system without such locks, do not wait."""
    if not fcntl:
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(handle, fcntl.LOCK_EX)  # of the folder itself: nothing is left behind
        yield
    finally:
        os.close(handle)


def _download(url, part, retry_delays):
    for delay in retry_delays:
        try:
            return _resume(url, part)
        except (OSError, HTTPException) as error:
            if not _may_pass(error):
                raise
        time.sleep(delay)
    return _resume(url, part)


def _may_pass(error):
    """Whether a later attempt may succeed: not without a network, with a bad certificate or a refused request."""
    if isinstance(error, HTTPError):
        return error.code >= 500
    reason = error.reason if isinstance(error, URLError) else error
    lasting = (ConnectionRefusedError, ssl.SSLCertVerificationError)
    passing = (ConnectionError, TimeoutError, ssl.SSLError, HTTPException)
    return isinstance(reason, passing) and not isinstance(reason, lasting)


def _resume(url, part):
    """Ask for the bytes that ``part`` still lacks and append them; from zero if the server sends everything."""
    start = part.stat().st_size if part.exists() else 0
    request = Request(url, headers={"Range": f"bytes={start}-"} if start else {})
    try:
        response = urlopen(request, timeout=TIMEOUT, context=ssl.create_default_context())
    except HTTPError as error:
        error.close()
        if start and error.code == 416:  # nothing is left to send; the checksum tells whether that is right
            return
        raise
    with response, part.open("ab" if response.status == 206 else "wb") as file:
        length = response.headers["Content-Length"]
        total = file.tell() + int(length) if length else None
        with tqdm(total=total, initial=file.tell(), desc=part.stem, unit="B", unit_scale=True, disable=None) as bar:
            while chunk := response.read(CHUNK):
                file.write(chunk)
                bar.update(len(chunk))
        if total is not None and file.tell() < total:
            raise ConnectionResetError(f"the connection was lost after {file.tell()} of {total} bytes")
