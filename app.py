"""A page in the browser that enhances images: python app.py (--help lists the flags)."""

from util.terminal import begin

if __name__ == "__main__":
    begin()  # the imports below take seconds: until they are done, Ctrl-C ends all in silence

import os
import shutil
import sys
import zipfile
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

# Read when torch and Gradio are loaded: see test.py; and nothing about the page or its users is sent anywhere.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ |= {"GRADIO_ANALYTICS_ENABLED": "False", "GRADIO_RUN_HISTORY": "False"}

try:
    import gradio as gr
    from starlette.middleware import Middleware
except ImportError as error:
    sys.exit(f"error: the page is made with Gradio ({error}): pip install -r requirements-app.txt")

from data import create_dataset
from models.enhancer import Enhancer
from models.inference.runner import Inference
from options.command_line import Parser, gpu_list, port, positive
from options.test_options import TestOptions
from util.checkpoint import net_file
from util.device import select_device, to_host
from util.errors import UsageError, WorkError, run_command
from util.image_io.finding import EXTENSIONS, results_folder
from util.results.image_files import ImageFiles, prepared

UPLOADS = "GRADIO_TEMP_DIR"  # names the folder of all that comes in and goes out
KEPT = 24 * 3600  # seconds after which an upload is removed; results go with their user's session
THEME = gr.themes.Default(font=["system-ui", "sans-serif"], font_mono=["monospace"])  # none is fetched from elsewhere


def flags(words=None):
    """The flags of app.py; ``words`` is a list of strings, None stands for ``sys.argv``."""
    examples = (("let others in the network use it", "python app.py --host 0.0.0.0 --port 8000"),)
    parser = Parser("app.py", "", "Enhance images on a page in the browser.", examples)
    add = parser.add_argument
    add("--host", help="address to listen on; 0.0.0.0: all (default: GRADIO_SERVER_NAME if set, else 127.0.0.1)")
    add("--port", type=port, help="port to listen on (default: the first free one from 7860 up)")
    add("--checkpoints_dir", default="./saves", metavar="DIR", help="the weights lie in the folders in it")
    add("--gpu_ids", type=gpu_list, default=[0], help="number of the GPU to compute on; -1: the CPU")
    add("--max_upload", type=positive, default=200, help="largest file that is taken, MB")
    return parser.parse_args(words)


def weights_in(folder):
    """The names of the weights that lie in a folder, sorted."""
    return sorted(path.parent.name for path in Path(folder).glob(f"*/{net_file('latest', 'G_A')}"))


def enhance(opt, uploads, weights, strength, output_format, progress):
    """Enhance images as test.py does.

    Args:
        opt: what ``flags`` returned.
        uploads: files.
        weights, strength, output_format: what ``--name`` and the flags of these names would be.
        progress: a ``gradio.Progress``.

    Returns:
        A ``TemporaryDirectory``, with which the results go; {name: (file, before, after)}, of which the last two are
        what a browser shows; and a list of lines about what was not done.

    Raises:
        gr.Error: nothing can be done at all.
    """
    kept = TemporaryDirectory(prefix="enhanced-", dir=os.environ.get(UPLOADS))
    folder, results, problems = Path(kept.name), {}, []
    for number, upload in enumerate(uploads or ()):  # apart: they may share a name
        place = folder / "in" / f"{number:04}"
        place.mkdir(parents=True)
        shutil.copy(upload, place)
    where = ["--dataroot", folder / "in", "--results_dir", folder, "--checkpoints_dir", opt.checkpoints_dir]
    how = ["--name", weights, "--strength", strength, "--output_format", output_format]
    try:
        settings = TestOptions().parse(map(str, [*where, *how]))
        images, device = create_dataset(settings), select_device(opt.gpu_ids)
        enhancer = Enhancer.from_checkpoint(Path(opt.checkpoints_dir) / weights, settings.epoch, device)
        inference = Inference(enhancer, settings.amp, device.type == "cpu", tile=settings.tile, say=gr.Info)
        files = ImageFiles(results_folder(settings) / "images", settings)
    except (UsageError, WorkError) as error:
        raise gr.Error(without_folders(str(error), opt, folder), print_exception=False) from None
    for sample in progress.tqdm(images, desc="enhancing", unit="images"):
        name = sample["name"]
        try:
            if "error" in sample:
                raise sample["error"]
            fake_B, _, _ = inference(sample["A"])
            stages, arrived = to_host(prepared(settings, sample, {"fake_B": fake_B[0]}))
            arrived()
            record = {"name": name, "input": files.input_name(sample)}
            files.write_previews(record, files.write(sample, stages))
            results[name] = (files.path(name, "fake_B"), *files.shown(record))
        except WorkError as error:
            problems.append(str(error))
    return kept, results, [without_folders(line, opt, folder) for line in [*images.notices, *problems]]


def without_folders(line, opt, folder):
    """A line that names files alone: where they lie on this machine is nobody's business."""
    for path in (Path(opt.checkpoints_dir), *(folder / "in").glob("*"), folder / "in", folder):
        line = line.replace(f"{path}{os.sep}", "").replace(str(path), path.name)
    return line


def page(opt):
    """The page, a ``gradio.Blocks``; ``opt`` is what ``flags`` returned."""

    def run(uploads, weights, strength, output_format, progress=gr.Progress()):  # noqa: B008 (where Gradio looks)
        if not uploads:
            raise gr.Error("choose an image first", print_exception=False)
        kept, results, lines = enhance(opt, uploads, weights, strength, output_format, progress)
        files, archive = [str(file) for file, *_ in results.values()], Path(kept.name) / "enhanced.zip"
        with zipfile.ZipFile(archive, "w") as all_files:  # stored as they are: images are compressed
            for file in files:
                all_files.write(file, Path(file).name)
        state, first = (kept, results), next(iter(results), None)
        return (
            state,
            gr.Dropdown(list(results), value=first, visible=len(results) > 1),
            compared(state, first),
            files,
            gr.DownloadButton(value=str(archive), interactive=bool(files)),
            gr.Textbox("\n".join(lines), visible=bool(lines)),
        )

    def compared(state, name):
        return None if name is None else [str(shown) for shown in state[1][name][1:]]

    with gr.Blocks(title="NeRCo", analytics_enabled=False, delete_cache=(3600, KEPT)) as made:
        gr.Markdown("# NeRCo: low-light image enhancement")
        state = gr.State()
        with gr.Row():
            with gr.Column():
                uploads = gr.File(label="Low-light images", file_count="multiple", file_types=list(EXTENSIONS))
                weights = gr.Dropdown(weights_in(opt.checkpoints_dir), label="Weights")
                strength = gr.Slider(0, 1, 1, step=0.05, label="Strength", info="share of the enhanced image")
                output_format = gr.Radio(["png", "jpg", "webp", "tiff"], value="png", label="Output format")
                start = gr.Button("Enhance", variant="primary")
            with gr.Column(scale=2):
                slider = gr.ImageSlider(label="Before and after", interactive=False, buttons=["fullscreen"])
                shown = gr.Dropdown(label="Image", visible=False)
                problems = gr.Textbox(label="Not done", visible=False)
                files = gr.File(label="Results", file_count="multiple", interactive=False)
                archive = gr.DownloadButton("Download all (zip)", interactive=False, elem_id="all")
        # One user after the other: those who come meanwhile wait in a queue.
        start.click(
            run,
            [uploads, weights, strength, output_format],
            [state, shown, slider, files, archive, problems],
            concurrency_limit=1,
            api_visibility="private",
        )
        shown.input(compared, [state, shown], slider, api_visibility="private")
        made.load(lambda: gr.Dropdown(weights_in(opt.checkpoints_dir)), outputs=weights, api_visibility="private")
    return made


class Alias:
    """ASGI middleware: for the browser, another name stands for the folder of uploads and results.

    Gradio puts the paths of files into its page. Both names have one length, as answers tell theirs beforehand.
    """

    def __init__(self, app, folder):
        self.app, self.folder = app, folder.encode()
        self.alias = b"/files".ljust(len(self.folder), b"-")

    async def __call__(self, scope, receive, send):
        async def whole():
            message = await receive()
            while message.get("more_body"):
                more = await receive()
                message = {**more, "body": message["body"] + more.get("body", b"")}
            return changed(message, self.alias, self.folder)

        def changed(message, old, new):
            return {**message, "body": message["body"].replace(old, new)} if "body" in message else message

        path = scope.get("path", "").encode().replace(self.alias, self.folder).decode()
        is_upload = path.endswith("/upload")  # of any length, and names no path
        await self.app(
            {**scope, "path": path},
            receive if is_upload else whole,
            lambda message: send(changed(message, self.folder, self.alias)),
        )


@contextmanager
def served(opt):
    """Serve the page in the background while in a ``with`` statement, which is given it and its address."""
    with TemporaryDirectory(prefix="nerco-") as folder:
        os.environ[UPLOADS] = folder = str(Path(folder).resolve())
        made = page(opt)
        try:
            _, address, _ = made.launch(
                server_name=opt.host,
                server_port=opt.port,
                share=False,
                ssr_mode=False,
                max_file_size=f"{opt.max_upload}mb",
                theme=THEME,
                footer_links=[],  # they lead elsewhere
                app_kwargs={"middleware": [Middleware(Alias, folder=folder)]},
                prevent_thread_lock=True,
                quiet=True,
            )
        except OSError as error:
            raise UsageError(f"--port {opt.port or '7860 and up'}: cannot listen there; choose another") from error
        try:
            yield made, address
        finally:
            made.close(verbose=False)


def main():
    opt = flags()
    if not weights_in(opt.checkpoints_dir):
        raise WorkError(f"{opt.checkpoints_dir}: no folder in it holds weights; name another --checkpoints_dir")
    with served(opt) as (made, address):
        print(address, flush=True)
        made.block_thread()


if __name__ == "__main__":
    sys.exit(run_command(main, verbose=False))
demo = page(flags([]))  # for those that import it: Gradio's own command, other servers
