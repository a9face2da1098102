"""The flags of test.py."""

from models.export import SUFFIXES
from options.argument_types import fraction, percentage, rate, tiling
from options.base_options import BaseOptions, add_speed_flags
from util.errors import UsageError

OUTPUT_FORMATS = ("png", "jpg", "webp", "tiff")


class TestOptions(BaseOptions):
    """Enhancement: what the networks are is read from the folder of the weights."""

    __test__ = False  # not a test case, whatever its name suggests to pytest

    program = "test.py"
    description = "Enhance low-light pictures with the weights in CHECKPOINTS_DIR/NAME."
    is_train = False
    dataroot_required = False  # --export needs none
    dataroot_help = "a picture, a folder of pictures (subfolders, too), or a folder with a folder testA"
    default_preprocess = "none"
    num_threads_help = "pictures decoded ahead, and results written at a time"
    networks_help = (
        "Known from the folder of the weights, so none is needed; a value that contradicts the weights is refused. "
        "Those of the discriminators and of initial weights have no effect here."
    )
    batches_help = "Pictures are taken in the order of their paths and never mirrored: the other flags have no effect."
    batch_size_help = "pictures that are enhanced together where those that follow each other have one size"

    def add_flags(self, parser):
        super().add_flags(parser)
        self._add_results(parser.add_argument_group("results"))
        self._add_hardware(parser.add_argument_group("hardware"))
        self._add_measuring(parser.add_argument_group("measuring"))
        group = parser.add_argument_group("use elsewhere")
        group.add_argument(
            "--export",
            choices=list(SUFFIXES),
            help="write the enhancer to CHECKPOINTS_DIR/NAME as one file for other programs and compare the two; "
            "no picture is enhanced",
        )
        group = parser.add_argument_group("flags of the released code")
        group.add_argument("--phase", default="test", help="the pictures lie in DATAROOT/{PHASE}A")
        group.add_argument("--eval", action="store_true", help="evaluation mode: always on")
        group.add_argument(
            "--dataset_mode",
            choices=["single", "unaligned_test"],
            default="single",
            help="two names of one thing: low-light pictures alone",
        )

    def _add_results(self, group):
        group.add_argument("--results_dir", default="./results/", metavar="DIR", help="where results/NAME is written")
        group.add_argument("--output_format", choices=OUTPUT_FORMATS, default="png", help="of the written pictures")
        group.add_argument(
            "--quality",
            type=percentage,
            default=95,
            metavar="1..100",
            help="of jpg and webp; webp loses nothing at 100",
        )
        group.add_argument(
            "--strength",
            type=fraction,
            default=1.0,
            metavar="0..1",
            help="share of the enhanced picture in the result; the rest is the input",
        )
        group.add_argument(
            "--aspect_ratio",
            type=rate,
            default=1.0,
            metavar="X",
            help="stretch the saved pictures: width times X if above 1, height divided by X if below",
        )
        group.add_argument("--save_stages", action="store_true", help="save pre_A and the mask of each picture, too")
        group.add_argument(
            "--skip_existing", action="store_true", help="keep results that are there: go on after an interruption"
        )
        group.add_argument("--ema", action="store_true", help="use the averaged weights that train.py --ema keeps")

    def _add_hardware(self, group):
        add_speed_flags(group)
        group.add_argument(
            "--tile",
            type=tiling,
            default="auto",
            metavar="auto|off|ROWS",
            help="compute so many rows of a picture at a time, with the same result; auto: only if it does not fit "
            "into memory as a whole",
        )

    def _add_measuring(self, group):
        group.add_argument(
            "--reference",
            metavar="DIR",
            help="pictures in normal light with the inputs' names and any extension: PSNR, SSIM, LPIPS",
        )
        group.add_argument(
            "--gt_mean",
            action="store_true",
            help="also PSNR and SSIM of the result in the reference's mean brightness, as some papers print",
        )

    def check(self, opt):
        super().check(opt)
        if not opt.dataroot and not opt.export:
            raise UsageError("the following arguments are required: --dataroot (see python test.py --help)")
        if opt.gt_mean and not opt.reference:
            raise UsageError("--gt_mean compares with references: name their folder with --reference")
