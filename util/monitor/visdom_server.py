"""Both ends of visdom: a client that never waits long, and a server that ends with this process."""

import atexit
import logging
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from pathlib import Path
from subprocess import DEVNULL, Popen, TimeoutExpired

import requests
import visdom

logging.getLogger("visdom").setLevel(logging.CRITICAL)  # it warns of every new session, and more


class Client(visdom.Visdom):
    """visdom's client with a time limit; it raises ConnectionError where the original waits.

    Args:
        server: URL of the server, without the port.
        port, env: its port, and the environment to show in.
        local: whether the server is on this machine, where no proxy is asked.
    """

    PATIENCE = 5  # seconds to wait for a server that has answered before; one is too little on a busy machine
    HASTE = 1  # seconds to wait for a server that was lost: training waits, too, each time it is looked for

    def __init__(self, server, port, env, local):
        # With send=False the original sends nothing yet: its server need not answer at this point.
        super().__init__(
            server=server, port=port, env=env, send=False, raise_exceptions=True, use_incoming_socket=False
        )
        self.send, self.local, self.patience, self.waiting = True, local, self.PATIENCE, None

    def _handle_post(self, url, data=None):
        # Time limits of sockets are for each byte: only a thread bounds the whole answer. At most one is left waiting.
        if self.waiting and self.waiting.is_alive():
            raise requests.Timeout("an earlier answer is still coming in")
        outcome = Future()
        self.waiting = threading.Thread(target=self._post, args=(url, data, self.patience, outcome), daemon=True)
        self.waiting.start()
        try:
            return outcome.result(self.patience)
        except FutureTimeout as error:
            raise requests.Timeout("no whole answer in time") from error

    def _post(self, url, data, seconds, outcome):
        try:
            session = self.session
            session.trust_env = not self.local
            answer = session.post(url, data=data, timeout=seconds, allow_redirects=False)
            answer.raise_for_status()  # the original takes an error page for an answer
            outcome.set_result(answer.text)
        except Exception as error:
            outcome.set_exception(error)

    def answers(self, hasty):
        """Whether a visdom server, and not something else, answers."""
        self.patience = self.HASTE if hasty else self.PATIENCE
        try:
            return self._win_exists_wrap("") in ("true", "false")
        except ConnectionError:
            return False
        finally:
            self.patience = self.PATIENCE


class LocalServer:
    """A visdom server on 127.0.0.1, in a process that ends when this one does, even when this one is killed.

    Args:
        port: to listen on; once it is open, the server is ready.
        scripts: whether it fetches the scripts of visdom's page that the package lacks, once and in the background.
    """

    def __init__(self, port, scripts=True):
        self.folder = tempfile.mkdtemp(prefix="visdom-")  # what its page saves: by default in the user's home
        arguments = [str(port), self.folder, str(os.getpid()), "scripts" if scripts else ""]
        command, project = [sys.executable, "-m", __name__, *arguments], Path(__file__).parents[2]
        try:
            # A session of its own: Ctrl-C is for the training, which may still want to show something.
            self.process = Popen(
                command, cwd=project, stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL, start_new_session=True
            )
        except OSError:
            shutil.rmtree(self.folder)
            raise
        atexit.register(self.stop)

    def runs(self):
        """Whether the process is alive."""
        return self.process.poll() is None

    def stop(self):
        """End the process, if it is alive, and remove its folder."""
        atexit.unregister(self.stop)
        self.process.terminate()
        try:
            self.process.wait(5)
        except TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def serve(port, folder, parent, scripts):
    """Run a server in this process until the process ``parent`` has ended or a SIGTERM comes."""
    from tornado.web import StaticFileHandler
    from visdom.server import app, run_server

    class Files(StaticFileHandler):
        @classmethod
        def get_version(cls, settings, path):
            # visdom's page asks for one file above its folder; newer versions of tornado would answer 403.
            return None if path.startswith("..") else super().get_version(settings, path)

    def end(*_):
        shutil.rmtree(folder, ignore_errors=True)
        os._exit(0)

    def end_if_elsewhere(bound_port):
        # If the port has been taken meanwhile, newer versions of visdom take another one, where nobody looks for them.
        if bound_port != port:
            end()

    def watch():
        # Not by a pipe from the parent: its forked workers would keep that open after it was killed.
        while os.getppid() == parent:
            time.sleep(0.5)
        end()

    signal.signal(signal.SIGTERM, end)
    threading.Thread(target=watch, daemon=True).start()
    if scripts:  # a failure, as without a network, ends only the thread
        threading.Thread(target=run_server.download_scripts, daemon=True).start()
    app.tornado_settings["static_handler_class"] = Files
    app.tornado_settings["autoreload"] = False  # it restarts the server, empty, whenever a source file is edited
    try:
        run_server.start_server(port, base_url="", env_path=folder, bind_local=True, print_func=end_if_elsewhere)
    finally:
        end()


if __name__ == "__main__":
    serve(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), bool(sys.argv[4]))
