"""What --help shows: every flag in a group, with its unit and its default; examples that work."""

import argparse
import re
import shlex

import pytest

from commands import ROOT
from options.test_options import TestOptions
from options.train_options import TrainOptions

COMMANDS = {"train.py": TrainOptions, "test.py": TestOptions}
UNITS = (
    *("pixels", "images", "epochs", "channels", "layers", "rows", "percent", "processes", "share"),
    *("weight of", "learning rate", "momentum", "decay per step", "scale", "times X", "number"),
)


def actions(command):
    """(title of the group, action) of every flag but --help."""
    found = {action.dest: (None, action) for action in command().parser()._actions if action.dest != "help"}
    for group in command().parser()._action_groups:
        found.update({action.dest: (group.title, action) for action in group._group_actions if action.dest in found})
    return list(found.values())


def shown_value(command, action):
    """What the help shows in place of a flag's value."""
    return action.metavar or command().parser()._get_formatter()._get_default_metavar_for_optional(action)


def is_switch(action):
    return action.nargs == 0


every_flag = pytest.mark.parametrize(
    "command, title, action",
    [
        pytest.param(command, title, action, id=f"{name} {action.option_strings[0]}")
        for name, command in COMMANDS.items()
        for title, action in actions(command)
    ],
)


@every_flag
def test_a_flag_is_in_a_group_and_explained(command, title, action):
    assert title not in (None, "options", "positional arguments")
    assert len(action.help) > 8 and action.help[0] != " " and not action.help.endswith(".")
    if not is_switch(action) and not action.choices:
        value = shown_value(command, action)
        assert re.fullmatch(r"[A-Z]+|[a-z0-9.|]+(\|[A-Z]+)?", value)
        assert f"  {action.option_strings[0]} {value}" in command().parser().format_help()


@pytest.mark.parametrize("name", COMMANDS)
def test_a_flag_is_declared_where_one_looks_for_it(name):
    files = (ROOT / "options" / "base_options.py", ROOT / "options" / f"{name.removesuffix('.py')}_options.py")
    declared = [flag for file in files for flag in re.findall(r'\badd\(\s*"--(\w+)"', file.read_text())]
    assert sorted(declared) == sorted(action.dest for _, action in actions(COMMANDS[name]))


@every_flag
def test_a_flag_tells_its_default(command, title, action, monkeypatch):
    if is_switch(action) and action.default is False:
        return
    monkeypatch.setenv("COLUMNS", "120")
    text = re.sub(r"\s+", " ", command().parser().format_help())
    shown = re.search(re.escape(action.help) + r" \(default: ([^()]*)\)", text)
    if action.default in (None, "", []):
        assert shown is None and (action.required or "(default: " in action.help or "needed unless" in action.help)
    else:
        flags = [*required(command, action), action.option_strings[0], *shlex.split(shown[1])]
        typed = command().parser().parse_args(flags)
        assert getattr(typed, action.dest) == parsed_default(action)


def required(command, action):
    flags = {"--dataroot": "d", "--name": "n"}
    return [word for flag, value in flags.items() if flag not in action.option_strings for word in (flag, value)]


def parsed_default(action):
    return action.type(action.default) if isinstance(action.default, str) and action.type else action.default


@every_flag
def test_a_number_has_a_unit(command, title, action):
    if isinstance(action.default, (int, float)) and not is_switch(action) and title != "kept from the released code":
        assert any(unit in action.help for unit in UNITS) or action.metavar == "PORT", action.help


@pytest.mark.parametrize("columns", [80, 120, 300])
@pytest.mark.parametrize("name", COMMANDS)
def test_help_fits_the_terminal(name, columns, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = COMMANDS[name]().parser().format_help().splitlines()
    assert lines[0] == f"usage: python {name} --dataroot {'DIR' if name == 'train.py' else 'PATH'} --name NAME [flags]"
    assert lines[1] == "" and lines[3] == ""
    longest = max(map(len, lines))
    assert longest <= min(columns, 120)
    assert longest > min(columns, 120) - 10  # the room is used


def test_the_words_on_a_group_are_indented(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    lines = TrainOptions().parser().format_help().split("recipe:\n")[1].splitlines()
    assert lines[0].startswith("  Where the released code") and re.match("  [a-z]", lines[1])


@pytest.mark.parametrize("name", COMMANDS)
def test_the_examples_are_understood(name):
    text = COMMANDS[name]().parser().format_help()
    commands = [line.split(name, 1)[1] for line in text.split("examples:\n")[1].splitlines() if name in line]
    assert 2 <= len(commands) <= 4
    for command in commands:
        assert COMMANDS[name]().parser().parse_args(shlex.split(command)).name in ("my_run", "demo")


def test_help_ends_well(capsys):
    with pytest.raises(SystemExit) as ended:
        TrainOptions().parse(["--help"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("usage: python train.py")


def test_a_switch_that_is_off_names_no_default():
    parser = TrainOptions().parser()
    switches = [action for action in parser._actions if isinstance(action, argparse._StoreTrueAction)]
    assert len(switches) > 10
    assert "(default: False)" not in parser.format_help() and "None" not in parser.format_help()
