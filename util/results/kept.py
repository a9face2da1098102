"""Which results of an earlier run stand: those of the same source, weights and settings."""

import hashlib

import torch

from util.files import read_records

_KINDS = {"name": str, "file": str, "width": int, "height": int, "seconds": (float, int, type(None))}
_KINDS |= {"metrics": dict, "problem": (str, type(None)), "settings": list, "histograms": list}


def weights_hash(network):
    """A hash of all weights of a module, in hexadecimal."""
    found = hashlib.sha256()
    for key, value in network.state_dict().items():
        found.update(key.encode())
        found.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return found.hexdigest()


def shaping(opt, weights):
    """All but its source that a result depends on, {name: JSON value}; ``weights`` is their hash."""
    flags = ["strength", "aspect_ratio", "amp", "preprocess"]
    flags += ["load_size", "crop_size"] if opt.preprocess != "none" else []
    flags += ["quality"] if is_lossy(opt) else []
    return {"weights": weights, **{flag: getattr(opt, flag) for flag in flags}}


def is_lossy(opt):
    """Whether images are saved with losses."""
    return opt.output_format == "jpg" or (opt.output_format == "webp" and opt.quality < 100)


def file_facts(path):
    """By what a file is known again: path, size in bytes, time of its last change; None if it cannot be reached."""
    try:
        status = path.stat()
    except OSError:
        return None
    return [str(path.absolute()), status.st_size, status.st_mtime_ns]


def earlier_records(journal):
    """The records of an earlier run, {name: record}; what is no record is left out."""
    records = [record for record in read_records(journal) if record.keys() >= set(_KINDS)]
    records = [record for record in records if isinstance(record.get("input", ""), str)]
    sound = [record for record in records if all(isinstance(record[key], kind) for key, kind in _KINDS.items())]
    return {record["name"]: record for record in sound}


def stands(record, made, file, result):
    """Whether a result can be kept.

    A former version recorded neither weights nor settings: its result stands if it was made from a file of this path
    that has not changed since.

    Args:
        record: of an earlier run.
        made: what the result would be made from now: ``shaping``, and "source": ``file_facts``.
        file, result: the image's file as it is named now, and its result's path.
    """
    if "made" in record:
        return record["made"] == made
    return record["file"] == file and made["source"] and made["source"][-1] <= result.stat().st_mtime_ns
