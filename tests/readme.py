"""The READMEs as text, and the code in them."""

import re

from commands import ROOT

ENGLISH, CHINESE = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "README.zh-CN.md"))
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```\n", re.MULTILINE | re.DOTALL)


def spans(text):
    """The inline code of a text, without blocks and with line breaks as spaces."""
    return [" ".join(code.split()) for _, code in re.findall(r"(`+)(.+?)\1", BLOCK.sub("", text), re.DOTALL)]
