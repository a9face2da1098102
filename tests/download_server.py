"""A server on this machine that sends one file, and misbehaves when asked to."""

import hashlib
import re
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np

CONTENT = np.random.Generator(np.random.PCG64(0)).bytes(1_000_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server:
    """Serves CONTENT, and does what a test asks for.

    Attributes:
        ranges: the Range header of every request so far, None where there was none.
        drops: the answers to come of which only half is sent.
        failures: the status codes with which the next requests are refused.
        knows_ranges: whether Range is honoured.
    """

    def __init__(self):
        self.ranges = []
        self.drops = 0
        self.failures = []
        self.knows_ranges = True
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                server.answer(self)

            def log_message(self, *arguments):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}/folder/RN50.pt"

    def answer(self, request):
        wanted = request.headers["Range"]
        self.ranges.append(wanted)
        if self.failures:
            request.send_error(self.failures.pop(0))
            return
        start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1]) if wanted and self.knows_ranges else 0
        if start >= len(CONTENT):
            request.send_error(416)
            return
        body = CONTENT[start:]
        request.send_response(206 if start else 200)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        if self.drops:
            self.drops -= 1
            body = body[: len(body) // 2]
        request.wfile.write(body)
