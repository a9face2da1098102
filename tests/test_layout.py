"""The floors of the code (docs/layout.md): no import runs up or in a circle, and tests lie where their code lies."""

import ast
from graphlib import TopologicalSorter
from pathlib import PurePosixPath

from commands import ROOT

FLOORS = (("util",), ("data", "clip"), ("models",), ("options",), ("train", "test", "app", "hubconf", "benchmarks"))
FLOOR = {package: floor for floor, packages in enumerate(FLOORS, 1) for package in packages}


def modules():
    """The product's modules, {dotted name: path below the project's folder}."""
    files = [*ROOT.glob("*.py"), *(file for package in FLOOR for file in (ROOT / package).rglob("*.py"))]
    paths = [file.relative_to(ROOT) for file in files]
    return {".".join(path.with_suffix("").parts).removesuffix(".__init__"): path for path in paths}


MODULES = modules()


def imports(name):
    """The modules of the project that a module imports anywhere in its text."""
    found = set()
    for node in ast.walk(ast.parse((ROOT / MODULES[name]).read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{MODULES[name]}: a relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            found.update(one if one in MODULES else node.module for one in names)
        elif isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
    return {one for one in found if one in MODULES} - {name}


IMPORTS = {name: imports(name) for name in MODULES}


def package(name):
    return name.partition(".")[0]


def folder(name):
    """The folder of a module inside its package, or the module itself where it lies beside such folders."""
    path = MODULES[name]
    return path.parent.as_posix() if len(path.parts) > 2 else path.as_posix()


def test_all_floors_are_there():
    assert {package(name) for name in MODULES} <= set(FLOOR)
    assert len(MODULES) > 70 and sum(map(len, IMPORTS.values())) > 200


def test_no_import_runs_up():
    up = [
        f"{name} imports {used}"
        for name, all_used in IMPORTS.items()
        for used in all_used
        if package(name) != package(used) and FLOOR[package(used)] >= FLOOR[package(name)]
    ]
    assert up == []


def test_no_files_import_each_other_in_a_circle():
    TopologicalSorter(IMPORTS).prepare()  # or CycleError, which names them


def test_no_folders_import_each_other_in_a_circle():
    between = {}
    for name, all_used in IMPORTS.items():
        between.setdefault(folder(name), set()).update(folder(used) for used in all_used)
    for name, used in between.items():
        used.discard(name)
        used -= {init for init in used if init.endswith("__init__.py")}
    TopologicalSorter(between).prepare()


def test_tests_lie_in_the_folders_of_what_they_test():
    places = {file.parent.relative_to(ROOT / "tests") for file in (ROOT / "tests").rglob("test_*.py")}
    own = {PurePosixPath(place) for place in (".", "commands", "docs", "make")}
    assert {place.as_posix() for place in places if place not in own and not (ROOT / place).is_dir()} == set()


def test_nothing_below_the_commands_is_longer_than_a_reader_bears():
    lengths = {path: len((ROOT / path).read_text(encoding="utf-8").splitlines()) for path in MODULES.values()}
    tables = {path for path in lengths if path.parts[0] == "options"}  # of flags
    assert {path.as_posix(): n for path, n in lengths.items() if n > 300 and path not in tables} == {}
