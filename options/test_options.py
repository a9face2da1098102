"""The flags of test.py."""

from models.inference.export import SUFFIXES
from options.argument_types import fraction, percentage, positive, rate, tiling
from options.base_options import BaseOptions
from options.shared_flags import add_data, add_kept, add_networks, add_run, add_speed
from util.errors import UsageError

OUTPUT_FORMATS = ("png", "jpg", "webp", "tiff")


class TestOptions(BaseOptions):
    """Enhancement: what the networks are is read from the folder of the weights."""

    __test__ = False  # not a test case, whatever its name suggests to pytest

    program = "test.py"
    usage = "--dataroot PATH --name NAME"
    description = "Enhance low-light images with the weights in CHECKPOINTS_DIR/NAME."
    examples = (
        ("enhance ./dataset/testA, or the images of any folder", "python test.py --dataroot ./dataset --name LSRW"),
        (
            "measure the results against images in normal light",
            "python test.py --dataroot ./low --reference ./high --name LSRW",
        ),
        ("take the weights of epoch 100", "python test.py --dataroot ./dataset --name my_run --epoch 100"),
        ("write one file for other programs", "python test.py --name LSRW --export onnx"),
    )
    is_train = False
    dataroot_required = False  # --export needs none
    dataroot_help = (
        "an image, a folder of images (subfolders, too), or a folder with a folder testA; needed unless --export is "
        "given"
    )
    phase = "test"
    phase_help = "look for the images in DATAROOT/{PHASE}A first; results are named after it"
    preprocess = "none"
    batch_size_help = "images that are enhanced together where those that follow each other have one size"
    serial_batches_help = "no effect: images are always taken in the order of their paths"
    no_flip_help = "no effect: images are never mirrored"
    num_threads_help = "images decoded ahead, and results written at a time; 0 counts as 1"

    def add_flags(self, parser):
        add_run(parser.add_argument_group("run"))
        add_data(parser.add_argument_group("data"), self)
        _add_results(parser.add_argument_group("results"))
        _add_measuring(parser.add_argument_group("measuring"))
        group = parser.add_argument_group("hardware")
        add_speed(group)
        _add_tile(group)
        _add_export(parser.add_argument_group("use elsewhere"))
        add_networks(
            parser.add_argument_group(
                "networks",
                "Known from the folder of the weights, so none is needed; a value that contradicts the weights is "
                "refused. Those of the discriminators and of initial weights have no effect here.",
            )
        )
        group = parser.add_argument_group("kept from the released code", "Its commands go on working.")
        add_kept(group)
        _add_kept_of_testing(group)

    def check(self, opt):
        super().check(opt)
        if not opt.dataroot and not opt.export:
            raise UsageError("the following arguments are required: --dataroot (see python test.py --help)")
        if opt.gt_mean and not opt.reference:
            raise UsageError("--gt_mean compares with references: name their folder with --reference")


def _add_results(group):
    group.add_argument("--results_dir", default="./results/", metavar="DIR", help="results are written to DIR/NAME")
    group.add_argument("--output_format", choices=OUTPUT_FORMATS, default="png", help="of the written images")
    group.add_argument(
        "--quality",
        type=percentage,
        default=95,
        metavar="1..100",
        help="of jpg and webp, percent; webp loses nothing at 100",
    )
    group.add_argument(
        "--strength",
        type=fraction,
        default=1.0,
        metavar="0..1",
        help="share of the enhanced image in the result; the rest is the input",
    )
    group.add_argument(
        "--aspect_ratio",
        type=rate,
        default=1.0,
        metavar="X",
        help="stretch the saved images: width times X if above 1, height divided by X if below",
    )
    group.add_argument("--save_stages", action="store_true", help="save pre_A and the mask of each image, too")
    group.add_argument(
        "--skip_existing", action="store_true", help="keep results that are there: go on after an interruption"
    )
    group.add_argument("--ema", action="store_true", help="use the averaged weights that train.py --ema keeps")
    group.add_argument(
        "--display_winsize",
        type=positive,
        default=512,
        metavar="PIXELS",
        help="width of images on the web page, pixels",
    )


def _add_measuring(group):
    group.add_argument(
        "--reference",
        metavar="DIR",
        help="images in normal light with the inputs' names and any extension: adds PSNR (dB), SSIM and LPIPS "
        "(default: none, so those are not measured)",
    )
    group.add_argument(
        "--gt_mean",
        action="store_true",
        help="also PSNR (dB) and SSIM of the result in the reference's mean brightness, as some papers print",
    )


def _add_tile(group):
    group.add_argument(
        "--tile",
        type=tiling,
        default="auto",
        metavar="auto|off|ROWS",
        help="compute so many rows of pixels of an image at a time, with the same result; auto: only if it does not "
        "fit into memory as a whole",
    )


def _add_export(group):
    group.add_argument(
        "--export",
        choices=list(SUFFIXES),
        help="write the enhancer to CHECKPOINTS_DIR/NAME as one file for other programs and compare the two; "
        "no image is enhanced (default: images are enhanced, no such file is written)",
    )


def _add_kept_of_testing(group):
    group.add_argument("--eval", action="store_true", help="evaluation mode: always on")
    group.add_argument(
        "--dataset_mode",
        choices=["single", "unaligned_test"],
        default="single",
        help="two names of one thing: low-light images alone",
    )
