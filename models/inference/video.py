"""Enhancing a video frame by frame: its size, its times, its rotation and its sound stay. PyAV reads and writes."""

import struct
from pathlib import Path

import torch
from tqdm import tqdm

from models.inference.steady import SteadyBrightness
from util.errors import WorkError
from util.files import write_file
from util.image_io.tensors import to_levels
from util.interruption import interruptions

VIDEOS = (".mp4", ".m4v", ".mov", ".mkv", ".webm")
QUALITY = {"crf": "17"}  # of H.264: differences that cannot be seen
# How FFmpeg numbers BT.709, BT.601 and BT.2020: in files, and where it computes.
_SPACES = {1: 1, 5: 5, 6: 5, 9: 9, 10: 9}
_VIDEO_RANGE = 1  # levels from 16 to 235
_ROUNDED = 2 | 1 << 18  # bilinear; by itself, FFmpeg rounds down


def is_video(path):
    """Whether a path is called as videos are, and is no folder."""
    return bool(path) and Path(path).suffix.lower() in VIDEOS and not Path(path).is_dir()


def enhance_video(inference, source, target, strength=1.0, threads=1):
    """Enhance a video. Ctrl-C ends it after the frame at hand: the file that is left can be played.

    Args:
        inference: an ``Inference``.
        source: the video.
        target: an mp4 file, written in one step; its folder exists.
        strength: share of the enhanced frame in the result.
        threads: of decoder and encoder.

    Returns:
        The number of frames, why they are not all of them (a line, or None), and the exit status.

    Raises:
        WorkError: PyAV is missing, the video cannot be read at all, or the result cannot be written.
    """
    try:
        import av
    except ImportError:
        raise WorkError(f"{source}: videos are read with PyAV: pip install -r requirements-formats.txt") from None
    av.logging.set_level(av.logging.PANIC)  # errors are raised, too
    try:
        with av.open(str(source)) as video:
            first = next(video.decode(_stream(video)))
    except (av.FFmpegError, StopIteration, IndexError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it has no frames"
        advice = "check the path" if isinstance(error, FileNotFoundError) else "replace it"
        raise WorkError(f"{source}: cannot read this video ({reason.lower()}); {advice}") from error
    work = _Video(inference, source, first, strength, threads)
    try:
        with interruptions() as interruption:
            write_file(Path(target), lambda beside: work.write(beside, interruption))
    except av.FFmpegError as error:
        raise WorkError(f"{target}: cannot write this file ({error.strerror.lower()})") from error
    if interruption.signal:
        return work.frames, f"interrupted after {work.frames} frames, which {target} has", interruption.status
    if work.problem:
        return work.frames, f"error: {source}: damaged after {work.frames} frames ({work.problem})", 1
    return work.frames, None, 0


def _stream(video):
    return video.streams.best("video") or video.streams.video[0]


def _aac(result, sound):
    """A stream for sound that mp4 does not hold as it is."""
    encoder = result.add_stream("aac", rate=sound.codec_context.sample_rate)
    encoder.codec_context.layout = sound.codec_context.layout
    return encoder


class _Video:
    """A video on its way from file to file; ``first`` is its first frame, which tells what all are like."""

    def __init__(self, inference, source, first, strength, threads):
        self.inference, self.source, self.first, self.strength = inference, source, first, strength
        self.threads = max(1, threads)
        self.steady = SteadyBrightness()
        self.frames, self.problem, self.last = 0, None, None  # last: the time of the last frame, in units of the stream
        assumed = 1 if first.height >= 720 else 6  # by players, where the file does not say
        self.space = first.colorspace if first.colorspace in _SPACES else assumed
        # What every player takes has colours of half the width and height: both must be even.
        self.form = "yuv444p" if first.width % 2 or first.height % 2 else "yuv420p"

    def write(self, path, interruption):
        """Write the result, as far as the original can be read, or until there is an interruption."""
        import av

        with av.open(str(self.source)) as video, av.open(str(path), "w") as result:
            stream = _stream(video)
            stream.thread_type, stream.codec_context.thread_count = "AUTO", self.threads
            copied = {sound for sound in video.streams.audio if sound.codec_context.name in result.supported_codecs}
            written = {stream: self._encoder(result, stream)}
            for sound in video.streams.audio:
                written[sound] = result.add_stream_from_template(sound) if sound in copied else _aac(result, sound)
            with tqdm(total=stream.frames or None, unit="frame", dynamic_ncols=True) as bar:
                for origin, item in self._read(video, written, copied):
                    if origin in copied:
                        item.stream = written[origin]
                        result.mux(item)
                        continue
                    if origin is stream:
                        item = self._enhanced(item, stream.time_base)
                        bar.update()
                    result.mux(written[origin].encode(item))
                    if interruption.signal:
                        break
            for origin in written.keys() - copied:
                result.mux(written[origin].encode(None))

    def _read(self, video, streams, copied):
        """Pairs of a stream and a packet of it, or a frame where it is not copied; damage ends them."""
        import av

        try:
            for packet in video.demux(list(streams)):
                if packet.stream not in copied:
                    yield from ((packet.stream, frame) for frame in packet.decode())
                elif packet.dts is not None:
                    yield packet.stream, packet
        except av.FFmpegError as error:
            self.problem = error.strerror.lower()

    def _encoder(self, result, stream):
        """The stream of the result: H.264, in the size, the times and the colours of the original."""
        first = self.first
        encoder = result.add_stream("libx264", rate=stream.average_rate or 25, options=QUALITY)
        encoder.width, encoder.height = first.width, first.height
        encoder.pix_fmt = self.form
        context = encoder.codec_context
        context.time_base, context.thread_count = stream.time_base, self.threads
        context.sample_aspect_ratio = stream.sample_aspect_ratio or 1
        context.colorspace, context.color_range = self.space, _VIDEO_RANGE
        context.color_primaries, context.color_trc = first.color_primaries, first.color_trc
        if matrix := first.side_data.get("DISPLAYMATRIX"):
            encoder.set_display_matrix(struct.unpack("9i", bytes(matrix)))
        return encoder

    def _enhanced(self, frame, unit):
        """A frame, enhanced, at the time of the original (``unit``: seconds)."""
        import av

        time = frame.pts if frame.pts is not None else (self.last or 0) + 1
        time = time if self.last is None else max(time, self.last + 1)
        seconds = 0 if self.last is None else float((time - self.last) * unit)
        self.last, self.frames = time, self.frames + 1
        space = _SPACES[self.space]
        size = {"width": self.first.width, "height": self.first.height}
        colours = frame.to_ndarray(format="gbrpf32le", src_colorspace=space, **size)  # in 8 bits, it would round down
        low = torch.from_numpy(colours).permute(2, 0, 1)[None].clamp(0, 1).mul_(2).sub_(1)  # (1, 3, H, W)
        turns = round(self.first.rotation / 90)
        upright = torch.rot90(low, turns, (2, 3))
        enhanced = self.steady(upright, self.inference(upright)[0], seconds)
        enhanced = torch.lerp(low, torch.rot90(enhanced, -turns, (2, 3)), self.strength)[0]
        result = av.VideoFrame.from_ndarray(to_levels(enhanced), format="rgb24")
        space = {"dst_colorspace": space, "dst_color_range": _VIDEO_RANGE}
        result = result.reformat(format=self.form, interpolation=_ROUNDED, **space)
        result.pts, result.time_base, result.duration = time, unit, frame.duration
        return result
