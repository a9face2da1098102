"""What people type who come from a related project, and what does it here; near misses of flags."""

import difflib

# What is typed elsewhere: {flags: what to do here}. pix2pix and CycleGAN, their first release, CUT, others.
# fmt: off
ELSEWHERE = {
    "num_test how_many ntest": "--max_dataset_size N does this; without it, all images are taken",
    "fineSize": "it is called --crop_size",
    "loadSize": "it is called --load_size",
    "batchSize": "it is called --batch_size",
    "nThreads num_workers workers": "it is called --num_threads",
    "which_epoch": "it is called --epoch",
    "which_direction": "it is called --direction",
    "which_model_netG": "it is called --netG",
    "which_model_netD": "it is called --netD",
    "resize_or_crop": "it is called --preprocess",
    "max_epoch epochs niter": "--n_epochs N, and --n_epochs_decay N for those with a falling learning rate",
    "niter_decay": "it is called --n_epochs_decay",
    "identity lambda_idt": "it is called --lambda_identity",
    "learning_rate": "it is called --lr",
    "resume auto_resume": "--continue_train goes on with the run --name",
    "pretrained pretrained_name load_net pretrain_path": "--init_from DIR starts from the weights of another run",
    "input input_dir input_path test_dir source": "--dataroot PATH names an image or a folder",
    "output out_dir save_dir result_dir results": "--results_dir DIR names the folder of results",
    "gt gt_dir target_dir ref_dir": "--reference DIR names images in normal light",
    "weights checkpoint ckpt model_path": "--name NAME and --checkpoints_dir DIR name the folder of the weights",
    "model_suffix": "the networks are found by their own names: leave it out",
    "device gpu gpus gpu_id cuda cpu no_cuda": "--gpu_ids 0 computes on the first GPU, --gpu_ids -1 on the CPU",
    "fp16 half mixed_precision use_amp": "--amp bf16 or --amp fp16",
    "tile_size patch_size": "--tile ROWS, which is hardly ever needed",
    "use_tensorboard tf_log use_tb tb_log": "it is called --tensorboard",
    "use_wandb wandb_project_name": "curves and images are in CHECKPOINTS_DIR/NAME/web/index.html and, "
        "with --display_id 1, in visdom: leave it out",
    "display_single_pane_ncols": "it is called --display_ncols",
    "evaluation_freq eval_freq": "it is called --val_freq",
    "experiment_name exp_name": "it is called --name",
    "GT_mean use_GT_mean": "it is called --gt_mean",
    "local_rank launcher": "torchrun starts the processes and tells each of them: leave it out",
    "no_lsgan": "--gan_mode vanilla does this",
    "lambda_GAN lambda_L1 lambda_NCE lambda_feat lambda_regression": "this method has no such term; "
        "its weights are --lambda_A, --lambda_B, --lambda_identity: leave it out",
    "beta2": "it is always 0.999: leave it out",
    "no_instance instance_norm normG normD": "--norm says how networks normalise",
    "no_antialias no_antialias_up netF nce_idt nce_layers nce_T num_patches flip_equivariance CUT_mode":
        "this is CUT's, and nothing of this method: leave it out",
    "patchD self_attention times_residual use_norm vgg patch_vgg hybrid_loss":
        "this is EnlightenGAN's, and nothing of this method: leave it out",
    "no_eval": "evaluation mode is always on in test.py: leave it out",
}
# fmt: on
HINTS = {f"--{name}": hint for names, hint in ELSEWHERE.items() for name in names.split()}


def hint_for(typed, flags):
    """What to type in place of an unknown flag, or None where nothing comes near it.

    Args:
        typed: the unknown flag, "--crop-size".
        flags: those of the command, ["--crop_size", ...].
    """
    if typed in HINTS:
        return HINTS[typed]
    name = f"--{typed.lstrip('-').replace('-', '_')}"
    begun = [flag for flag in flags if flag.startswith(name)] if len(name) > 3 else []
    spelled = {flag.lower(): flag for flag in flags}
    near = [spelled[close] for close in difflib.get_close_matches(name.lower(), spelled, 3, 0.75)]
    meant = [name] if name in flags else begun or near
    return f"did you mean {' or '.join(meant[:3])}?" if meant else None
