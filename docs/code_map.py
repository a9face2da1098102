"""The map of the code, drawn from its imports: python -m docs.code_map writes docs/map.md."""

import ast
import textwrap
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parent.parent
MAP = ROOT / "docs" / "map.md"
COMMANDS = ("train", "test")
PACKAGES = ("options", "models", "data", "clip", "util", "benchmarks")
WIDTH = 120  # characters in a line

INTRODUCTION = """\
# Map of the code

Written by `python -m docs.code_map`, not by hand. An arrow leads from a package to one that it imports; its number
counts the pairs of files. Packages may use each other; files never do so in a circle."""

LEGEND = """\
Below, each file with the first line of its docstring and, after the arrow, the files it imports: those of its own
package by their bare names, and in brackets those that are imported inside functions, when they are needed."""


def project_files(root=ROOT):
    """The modules in the order of the map, {name: path}; ``models`` is models/__init__.py."""
    files = {command: root / f"{command}.py" for command in COMMANDS}
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            name = ".".join(path.relative_to(root).with_suffix("").parts)
            files[name.removesuffix(".__init__")] = path
    return files


def imports(files):
    """Which modules of the project each one imports by name.

    Args:
        files: {module: path}.

    Returns:
        Two dicts {module: set of modules}: what is imported when it is loaded, and what only inside its functions.

    Raises:
        ValueError: an import is relative.
    """
    at_load, when_needed = {}, {}
    for module, path in files.items():
        loaded, needed = set(), set()
        _collect(ast.parse(path.read_text(encoding="utf-8"), path), files, loaded, needed)
        at_load[module], when_needed[module] = loaded, needed - loaded
    return at_load, when_needed


def _collect(node, files, now, later):
    """Add what the code under ``node`` imports to the set ``now``, and what its functions import to ``later``."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            now.update(alias.name for alias in child.names if alias.name in files)
        elif isinstance(child, ast.ImportFrom):
            if child.level:
                raise ValueError(f"line {child.lineno}: a relative import; write the module's whole name")
            names = (f"{child.module}.{alias.name}" for alias in child.names)
            now.update({name if name in files else child.module for name in names} & files.keys())
        elif isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            _collect(child, files, later, later)
        else:
            _collect(child, files, now, later)


def package_of(module):
    """``models`` of ``models.losses.edges``; the commands are alone."""
    return module.partition(".")[0]


def package_arrows(*arrows):
    """How many pairs of modules join two packages, {(package, package it uses): count}.

    Args:
        arrows: dicts {module: set of modules}, counted together.
    """
    pairs = [(package_of(a), package_of(b)) for each in arrows for a, used in each.items() for b in used]
    return Counter(pair for pair in pairs if pair[0] != pair[1])


def draw(root=ROOT):
    """The map, Markdown."""
    files = project_files(root)
    at_load, when_needed = imports(files)
    lines = [INTRODUCTION, "", *_diagram(package_arrows(at_load, when_needed)), "", LEGEND]
    titles = {"Commands": COMMANDS, **{f"{package}/": (package,) for package in PACKAGES}}
    for title, packages in titles.items():
        lines += ["", f"## {title}", ""]
        for module, path in files.items():
            if package_of(module) in packages and path.stat().st_size:  # most __init__.py are empty
                link = f"[`{path.name}`](../{path.relative_to(root).as_posix()})"
                lines += _entry(f"- {link}: {_purpose(path)}", module, at_load[module], when_needed[module])
    return "\n".join(lines) + "\n"


def _diagram(arrows):
    """The packages and their arrows, as Mermaid draws them."""
    names = {**{command: f"{command}.py" for command in COMMANDS}, **{package: f"{package}/" for package in PACKAGES}}
    order = list(names)
    lines = ["```mermaid", "flowchart TD", *(f'    {package}["{name}"]' for package, name in names.items())]
    for user, used in sorted(arrows, key=lambda pair: [order.index(package) for package in pair]):
        lines.append(f"    {user} -->|{arrows[user, used]}| {used}")
    return [*lines, "```"]


def _purpose(path):
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"), path)) or "(no docstring)"
    return text.partition("\n")[0]


def _entry(text, module, loaded, needed):
    """The lines about one module: what it is for, then what it uses."""
    own = f"{package_of(module)}."
    names = {name: name.removeprefix(own) for name in sorted(loaded | needed)}
    nearest_first = sorted(names, key=lambda name: (name in needed, names[name] == name))
    used = ", ".join(f"({names[name]})" if name in needed else names[name] for name in nearest_first)
    paragraph = f"{text} -> {used}" if used else text
    return textwrap.wrap(paragraph, WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


if __name__ == "__main__":
    MAP.write_text(draw(), encoding="utf-8")
    print(MAP)
