"""Videos keep size, times, rotation and sound; brightness is steady, and what ends early can be played."""

import os
import signal
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
import torch

from models.inference.steady import SteadyBrightness
from models.inference.video import enhance_video
from options.test_options import TestOptions
from sample_images import photograph
from util.errors import UsageError, WorkError

TIMES = (0, 40, 130, 150, 240, 280)  # ms: a variable rate


def write_clip(path, size=(96, 64), codec="libx264", sound=None, rotation=0):
    """Six frames of a photograph at TIMES, and 0.3 seconds of a tone."""
    av = pytest.importorskip("av")
    with av.open(str(path), "w") as clip:
        video = clip.add_stream(codec, rate=25, options={"crf": "4", "b:v": "0"})
        video.width, video.height = size
        video.pix_fmt = "yuv444p" if size[0] % 2 else "yuv420p"
        video.codec_context.time_base = Fraction(1, 1000)
        if rotation:
            video.set_display_rotation(rotation)
        tone = clip.add_stream(sound, rate=48000, layout="stereo") if sound else None
        colours = np.asarray(photograph(size, brightness=0.3))
        for time in TIMES:
            frame = av.VideoFrame.from_ndarray(colours, format="rgb24")
            frame = frame.reformat(format=video.pix_fmt, dst_colorspace=5, dst_color_range=1, interpolation=2 | 1 << 18)
            frame.pts, frame.time_base = time, Fraction(1, 1000)
            clip.mux(video.encode(frame))
        for start in range(0, 14400, 960) if tone else ():
            wave = (np.sin(np.arange(start, start + 960) / 20) * 8000).astype(np.int16)
            frame = av.AudioFrame.from_ndarray(wave.repeat(2)[None], format="s16", layout="stereo")
            frame.sample_rate, frame.pts, frame.time_base = 48000, start, Fraction(1, 48000)
            clip.mux(tone.encode(frame))
        for stream in clip.streams:
            clip.mux(stream.encode(None))
    return path


def read_clip(path):
    """Size, times (ms), rotation, codecs of the sounds, and the frames, float (H, W, 3) from 0 to 255."""
    import av

    with av.open(str(path)) as clip:
        sounds = [stream.codec_context.name for stream in clip.streams.audio]
        frames = list(clip.decode(video=0))
        colours = [frame.to_ndarray(format="gbrpf32le", src_colorspace=5) * 255 for frame in frames]
        size = frames[0].width, frames[0].height
        return size, [round(frame.time * 1000) for frame in frames], frames[0].rotation, sounds, colours


CLIPS = [
    ("a.mp4", {"sound": "aac"}, "aac"),
    ("a.webm", {"codec": "libvpx-vp9", "sound": "libopus"}, "opus"),
    ("a.mkv", {"size": (97, 65), "sound": "flac"}, "flac"),
    ("a.mov", {"rotation": -90, "sound": "pcm_mulaw"}, "aac"),  # which mp4 does not hold
]


@pytest.mark.parametrize("name, kind, sound", CLIPS, ids=[name for name, *_ in CLIPS])
def test_all_but_the_colours_stays(tmp_path, name, kind, sound):
    before = read_clip(write_clip(tmp_path / name, **kind))
    seen = []

    def inference(low):
        seen.append(tuple(low.shape))
        return [low]

    assert enhance_video(inference, tmp_path / name, tmp_path / "out.mp4") == (6, None, 0)
    after = read_clip(tmp_path / "out.mp4")
    assert after[:3] == before[:3] and after[1] == list(TIMES) and after[3] == [sound]
    width, height = before[0]
    assert set(seen) == {(1, 3, width, height) if "rotation" in kind else (1, 3, height, width)}  # upright
    for old, new in zip(before[4], after[4], strict=True):
        assert np.abs((new - old).mean((0, 1))).max() < 0.5 and np.abs(new - old).mean() < 4


def test_strength_blends(tmp_path):
    write_clip(tmp_path / "a.mp4")
    enhance_video(lambda low: [torch.ones_like(low)], tmp_path / "a.mp4", tmp_path / "out.mp4", strength=0.25)
    before, after = (np.mean(read_clip(tmp_path / name)[4]) for name in ("a.mp4", "out.mp4"))
    assert abs(after - (0.75 * before + 0.25 * 255)) < 1


def test_ctrl_c_leaves_a_file_that_can_be_played(tmp_path):
    write_clip(tmp_path / "a.mp4", sound="aac")
    calls = []

    def inference(low):
        calls.append(low)
        if len(calls) == 3:
            os.kill(os.getpid(), signal.SIGINT)
        return [low]

    frames, told, status = enhance_video(inference, tmp_path / "a.mp4", tmp_path / "out.mp4")
    assert (frames, status) == (3, 130) and told.startswith("interrupted after 3 frames")
    assert read_clip(tmp_path / "out.mp4")[1] == list(TIMES[:3])
    assert {path.name for path in tmp_path.iterdir()} == {"a.mp4", "out.mp4"}


def test_what_cannot_be_read_is_one_line_and_replaces_nothing(tmp_path):
    whole = write_clip(tmp_path / "a.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[:3000])
    (tmp_path / "text.mkv").write_text("no video")
    (tmp_path / "out.mp4").write_text("what was there")
    for name in ("cut.mp4", "text.mkv", "nowhere.mp4"):
        with pytest.raises(WorkError, match=rf"{name}: cannot read this video \(.+\)"):
            enhance_video(lambda low: [low], tmp_path / name, tmp_path / "out.mp4")
    with pytest.raises(WorkError, match="not enough memory"):
        enhance_video(refuse, tmp_path / "a.mp4", tmp_path / "out.mp4")
    assert (tmp_path / "out.mp4").read_text() == "what was there"
    assert {path.name for path in tmp_path.iterdir()} == {"a.mp4", "cut.mp4", "text.mkv", "out.mp4"}


def refuse(low):
    raise WorkError("not enough memory")


def test_flags_that_cannot_be_are_refused():
    with pytest.raises(UsageError, match=r"--reference is for images, and a\.mp4 is a video"):
        TestOptions().parse(["--dataroot", "a.mp4", "--name", "n", "--reference", "high"])
    with pytest.raises(UsageError, match=r"--output_dir \.: a\.mp4 lies there"):
        TestOptions().parse(["--dataroot", "a.mp4", "--name", "n", "--output_dir", "."])


def panning(frames=30, side=64):
    """A window that moves over a dark photograph, (1, 3, side, side) in [-1, 1], and its place at each frame."""
    whole = torch.from_numpy(np.array(photograph((160, side), brightness=0.3))).permute(2, 0, 1)[None] / 127.5 - 1
    return [(x, whole[..., x : x + side].contiguous()) for x in range(0, 3 * frames, 3)]


def flicker(frames):
    """How far what is in two frames that follow each other differs in brightness, mean over a video."""
    pairs = pairwise(frames)
    return np.mean([abs((new[..., : y - x] - old[..., x - y :]).mean().item()) for (y, old), (x, new) in pairs])


def normed(low):
    """An enhancer whose brightness hangs on all that is in the image."""
    return (low - low.mean()) / low.std() / 2


def test_a_panning_camera_changes_no_brightness():
    steady = SteadyBrightness()
    plain = [(x, normed(low)) for x, low in panning()]
    smoothed = [(x, steady(low, normed(low), 0.04)) for x, low in panning()]
    assert torch.equal(smoothed[0][1], plain[0][1])
    assert flicker(smoothed) < flicker(plain) / 4


def test_another_scene_is_as_it_would_be_alone():
    steady, (_, low) = SteadyBrightness(), panning(1)[0]
    other = -low
    steady(low, normed(low), 0)
    assert torch.equal(steady(other, normed(other), 0.04), normed(other))
