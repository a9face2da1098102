"""The flags of what train.py saves, validates and shows, group by group."""

from options.argument_types import momentum, not_negative, positive


def add_validation(group):
    """Add how a run is watched and averaged."""
    group.add_argument(
        "--val_dir",
        metavar="DIR",
        help="low-light images to enhance while training, the first 8 of them (default: no validation)",
    )
    group.add_argument(
        "--val_ref",
        metavar="DIR",
        help="the same images in normal light: PSNR (dB) and SSIM are logged, the weights with the best PSNR are "
        "kept as best (default: images are shown, not measured)",
    )
    group.add_argument("--val_freq", type=positive, default=1000, metavar="N", help="images between validations")
    group.add_argument(
        "--ema",
        type=momentum,
        default=0.0,
        metavar="DECAY",
        help="keep averaged weights, too, with this decay per step (0.999, say); 0: none",
    )


def add_saving(group):
    """Add when weights are saved."""
    group.add_argument(
        "--save_latest_freq", type=positive, default=5000, metavar="N", help="images between weights 'latest'"
    )
    group.add_argument(
        "--save_epoch_freq", type=positive, default=5, metavar="N", help="epochs between numbered weights"
    )
    group.add_argument(
        "--save_by_iter", action="store_true", help="keep each 'latest' as iter_N, too, N being images seen"
    )
    group.add_argument(
        "--keep_last",
        type=positive,
        metavar="N",
        help="numbered weights to keep, the newest N of each kind (default: all)",
    )


def add_showing(group):
    """Add what is shown while a run goes on."""
    group.add_argument("--print_freq", type=positive, default=100, metavar="N", help="images between log lines")
    group.add_argument(
        "--update_html_freq",
        type=positive,
        default=1000,
        metavar="N",
        help="images between updates of web/index.html and of the curves in loss/",
    )
    group.add_argument("--no_html", action="store_true", help="write no web/index.html")
    group.add_argument(
        "--display_winsize",
        type=positive,
        default=512,
        metavar="PIXELS",
        help="width of images on the web page and in visdom, pixels",
    )
    group.add_argument(
        "--display_freq",
        type=positive,
        default=400,
        metavar="N",
        help="images between updates of visdom's images; the released code's 59456 shows nothing for hours",
    )
    group.add_argument(
        "--display_id",
        type=not_negative,
        default=1,
        metavar="N",
        help="number of the first visdom window; 0: no visdom",
    )
    group.add_argument(
        "--display_ncols", type=positive, default=4, metavar="N", help="images in a row of visdom's window"
    )
    group.add_argument(
        "--display_server", default="http://localhost", metavar="URL", help="address of the visdom server"
    )
    group.add_argument("--display_port", type=positive, default=8097, metavar="PORT", help="port of the visdom server")
    group.add_argument("--display_env", default="main", metavar="NAME", help="visdom environment to show in")
