"""The flags of test.py."""

from pathlib import Path

from models.inference.export import SUFFIXES
from models.inference.video import is_video
from options.base_options import BaseOptions
from options.command_line import fraction, percentage, pixels, stretch, tiling
from util.device import cores
from util.distributed import launched, processes_here
from util.errors import UsageError

MOST_THREADS = 16  # where --num_threads does not say: more wait for each other
# What cannot be had of a video.
_FOR_IMAGES = ("reference", "gt_mean", "save_stages", "skip_existing", "output_format", "quality", "aspect_ratio")
_FOR_IMAGES += ("preprocess", "load_size", "crop_size", "batch_size")


class TestOptions(BaseOptions):
    """Enhancement: what the networks are is read from the folder of the weights."""

    __test__ = False  # not a test case, whatever its name suggests to pytest

    is_train = False
    other = "options.train_options:TrainOptions"
    program = "test.py"
    usage = "--dataroot PATH --name NAME"
    description = "Enhance low-light images with the weights in CHECKPOINTS_DIR/NAME."
    examples = (
        ("enhance ./dataset/testA, or the images of any folder", "python test.py --dataroot ./dataset --name demo"),
        (
            "measure the results against images in normal light",
            "python test.py --dataroot ./low --reference ./high --name demo",
        ),
        ("take the weights of epoch 100", "python test.py --dataroot ./dataset --name my_run --epoch 100"),
        ("write one file for other programs", "python test.py --name demo --export onnx"),
    )
    groups = (
        ("run", None),
        ("data", None),
        ("results", None),
        ("measuring", None),
        ("hardware", None),
        ("use elsewhere", None),
        (
            "networks",
            "Read from the folder of the weights, so none is needed; a value that contradicts the weights is refused. "
            "Those of the discriminators and of initial weights have no effect here.",
        ),
        ("kept from the released code", "Its commands go on working."),
    )

    def add_flags(self, groups):
        super().add_flags(groups)
        # A table, one flag a row.
        # fmt: off
        add = groups["results"].add_argument
        add("--results_dir", default="./results/", metavar="DIR", help="results are written to DIR/NAME")
        add("--output_dir", metavar="DIR",
            help="write the enhanced images alone, under their inputs' names and folders, and no page (default: none)")
        add("--overwrite", action="store_true", help="let --output_dir replace files that test.py did not write there")
        add("--output_format", choices=("png", "jpg", "webp", "tiff"), default="png", help="of the written images")
        add("--quality", type=percentage, default=95, help="of jpg and webp, percent; webp loses nothing at 100")
        add("--strength", type=fraction, default=1.0,
            help="share of the enhanced image in the result; the rest is the input")
        add("--aspect_ratio", type=stretch, default=1.0,
            help="stretch the saved images: width times X if above 1, height divided by X if below")
        add("--save_stages", action="store_true", help="save pre_A and the mask of each image, too")
        add("--skip_existing", action="store_true",
            help="keep results of the same source, weights and settings: go on after an interruption")
        add("--ema", action="store_true", help="use the averaged weights that train.py --ema keeps")
        add("--display_winsize", type=pixels, default=512, help="width of images on the web page, pixels")

        add = groups["measuring"].add_argument
        add("--reference", metavar="DIR",
            help="images in normal light, named as the inputs or as data sets name them; or one file: adds PSNR (dB), "
            "SSIM and LPIPS (default: none, so those are not measured)")
        add("--gt_mean", action="store_true",
            help="also PSNR (dB) and SSIM of the result in the reference's mean brightness, as some papers print")

        add = groups["hardware"].add_argument
        add("--tile", type=tiling, default="auto",
            help="compute this many rows of pixels of an image at a time, with the same result; auto: only if the "
            "whole image does not fit into memory")

        add = groups["use elsewhere"].add_argument
        add("--export", choices=SUFFIXES,
            help="write the enhancer to CHECKPOINTS_DIR/NAME as one file for other programs and compare the two; "
            "no image is enhanced (default: images are enhanced, no such file is written)")

        add = groups["kept from the released code"].add_argument
        add("--eval", action="store_true", help="evaluation mode: always on")
        add("--dataset_mode", choices=("single", "unaligned_test"), default="single",
            help="two names of one thing: low-light images alone")
        # fmt: on

    def complete(self, opt):
        if opt.num_threads is None:
            opt.num_threads = min(MOST_THREADS, max(1, cores() // processes_here()))

    def check(self, opt):
        super().check(opt)
        one_file = "what --export writes" if opt.export else opt.dataroot if is_video(opt.dataroot) else None
        if one_file and launched():
            raise UsageError(f"{one_file} is one file, which takes one process: type python test.py")
        if not opt.dataroot and not opt.export:
            raise UsageError("the following arguments are required: --dataroot (see python test.py --help)")
        for flag in ("results_dir", "reference", "save_stages", "display_winsize") if opt.output_dir else ():
            if flag in opt.given:
                raise UsageError(f"--{flag} is for the page, and --output_dir writes none: leave one of them out")
        if is_video(opt.dataroot):
            for flag in _FOR_IMAGES:
                if flag in opt.given:
                    raise UsageError(f"--{flag} is for images, and {opt.dataroot} is a video: leave it out")
            if opt.output_dir and Path(opt.output_dir).resolve() == Path(opt.dataroot).resolve().parent:
                raise UsageError(f"--output_dir {opt.output_dir}: {opt.dataroot} lies there; choose another")
        if opt.overwrite and not opt.output_dir:
            raise UsageError("--overwrite belongs to --output_dir: name the folder")
        if opt.gt_mean and not opt.reference:
            raise UsageError("--gt_mean compares with references: name their folder with --reference")
