"""The flags of test.py."""

from options.base_options import BaseOptions, rate


class TestOptions(BaseOptions):
    """Enhancement: what the networks are is read from the folder of the weights."""

    __test__ = False  # not a test case, whatever its name suggests to pytest

    program = "test.py"
    description = "Enhance low-light pictures with the weights in CHECKPOINTS_DIR/NAME."
    is_train = False
    dataroot_help = "a picture, a folder of pictures, or a folder with a folder testA"
    default_preprocess = "none"
    num_threads_help = "pictures decoded ahead"
    networks_help = (
        "Known from the folder of the weights, so none is needed; a value that contradicts the weights is refused. "
        "Those of the discriminators and of initial weights have no effect here."
    )
    batches_help = "Accepted for the sake of old command lines: one picture after the other is enhanced, unmirrored."

    def add_flags(self, parser):
        super().add_flags(parser)
        group = parser.add_argument_group("results")
        group.add_argument("--results_dir", default="./results/", metavar="DIR", help="where results/NAME is written")
        group.add_argument(
            "--aspect_ratio",
            type=rate,
            default=1.0,
            metavar="X",
            help="stretch the saved pictures: width times X if above 1, height divided by X if below",
        )
        group.add_argument("--ema", action="store_true", help="use the averaged weights that train.py --ema keeps")
        group.add_argument("--phase", default="test", help="the pictures lie in DATAROOT/{PHASE}A")
        group.add_argument("--eval", action="store_true", help="evaluation mode: always on")
        group.add_argument(
            "--dataset_mode",
            choices=["single", "unaligned_test"],
            default="single",
            help="two names of one thing: low-light pictures alone",
        )
