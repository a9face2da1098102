"""What the values of flags can be: functions for ``type=`` of argparse."""

import argparse


def positive(text):
    """An option's type: a whole number from 1 up."""
    return _number(text, int, lambda n: n >= 1, "a whole number from 1 up")


def not_negative(text):
    """An option's type: a whole number from 0 up."""
    return _number(text, int, lambda n: n >= 0, "a whole number from 0 up")


def rate(text):
    """An option's type: a finite number above 0."""
    return _number(text, float, lambda x: 0 < x < float("inf"), "a number above 0")


def weight(text):
    """An option's type: a finite number from 0 up."""
    return _number(text, float, lambda x: 0 <= x < float("inf"), "a number from 0 up")


def momentum(text):
    """An option's type: a number from 0 up to, but not including, 1."""
    return _number(text, float, lambda x: 0 <= x < 1, "a number from 0 to below 1")


def fraction(text):
    """An option's type: a number from 0 to 1."""
    return _number(text, float, lambda x: 0 <= x <= 1, "a number from 0 to 1")


def percentage(text):
    """An option's type: a whole number from 1 to 100."""
    return _number(text, int, lambda n: 1 <= n <= 100, "a whole number from 1 to 100")


def tiling(text):
    """An option's type: ``auto``, ``off``, or a whole number from 8 up."""
    if text in ("auto", "off"):
        return text
    return _number(text, int, lambda n: n >= 8, "auto, off, or a number of rows from 8 up")


def count_or_all(text):
    """An option's type: a whole number from 1 up, or ``inf`` for no limit (None)."""
    return None if text == "inf" else positive(text)


def _number(text, kind, allowed, wanted):
    try:
        value = kind(text)
    except ValueError:
        value = None
    if value is None or not allowed(value):
        raise argparse.ArgumentTypeError(f"{text!r} is not {wanted}")
    return value


def gpu_list(text):
    """An option's type: the GPUs, "0" or "0,1", as a list of numbers; "-1" (no GPU) gives an empty list."""
    try:
        numbers = [int(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a GPU number; -1 stands for the CPU") from None
    return [] if numbers[0] < 0 else numbers
