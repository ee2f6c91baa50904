"""Options in a file: every option of a command by its name, in TOML."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from collections.abc import Iterator
from difflib import get_close_matches
from enum import Enum
from itertools import chain, count
from pathlib import Path
from typing import Annotated, Any

import typer

_NOT_IN_FILES = ("config", "help")
_NOT_WRITTEN = (*_NOT_IN_FILES, "force", "json")
_COMMAND = "command"
_OF_ONE_COMMAND = ("model", "out")  # each command means something else by them


def _read(context: typer.Context, path: Path | None) -> Path | None:
    """Make what a file says the defaults of a command, below what the command line says."""
    if path is None:
        return None
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise typer.BadParameter(f"{path}: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"{path} is no TOML: {error}.") from error
    of_option = {option: parameter for option, parameter in _options(context) if option not in _NOT_IN_FILES}
    written_by = found.pop(_COMMAND, context.command.name)
    others = context.find_root().command.commands.values()  # type: ignore[attr-defined]
    of_others = {long.lstrip("-") for command in others for one in command.params for long in one.opts}
    of_others -= {*of_option, *_NOT_IN_FILES}
    values: dict[str, Any] = {}
    for name, value in found.items():
        option = name.replace("_", "-")
        if option in of_others or (option in _OF_ONE_COMMAND and written_by != context.command.name):
            continue  # a file of 'semigen fit' serves the other commands
        if option not in of_option:
            close = get_close_matches(option, of_option, n=1) or [", ".join(sorted(of_option))]
            raise typer.BadParameter(f"{path}: there is no option {name!r}; did you mean {close[0]}?")
        values[of_option[option].name] = _checked(path, name, value, several=of_option[option].multiple)
    context.default_map = {**(context.default_map or {}), **values}
    return path


Config = Annotated[
    Path | None,
    typer.Option(
        help='TOML file with options by their names (target = "y"), below those given here.',
        metavar="FILE",
        is_eager=True,
        callback=_read,
    ),
]


def config_text(context: typer.Context, **values: Any) -> str:
    """The options of a command as a file that ``--config`` reads; ``values`` go before what was given."""
    name = context.command.name
    lines = [f"# semigen {name} --config config.toml", f"{_COMMAND} = {_toml(name)}"]
    for option, parameter in _options(context):
        value = values.get(option, context.params.get(parameter.name))
        absent = value is None or value is False or value in ([], ())
        if option not in _NOT_WRITTEN and not absent:
            lines.append(f"{option} = {_toml(value)}")
    return "\n".join(lines) + "\n"


def typed(context: typer.Context, *names: str) -> bool:
    """Whether one of these parameters was given on the command line."""
    sources = map(context.get_parameter_source, names)
    return any(source is not None and source.name == "COMMANDLINE" for source in sources)


def command_line(context: typer.Context) -> str:
    """What was typed, arguments first, with the long names of options."""
    return shlex.join(["semigen", str(context.command.name), *chain(*_typed(context).values())])


def fit_command(context: typer.Context, model: str, folder: Path) -> str:
    """``semigen fit`` of the same table with the same options, those left out that it does not have.

    ``folder`` is where it writes if neither an option nor a file says where. A fit replaces nothing, so the
    command names another folder where there is one.
    """
    group = context.find_root().command
    known = {name for one in group.commands["fit"].params for name in one.opts}  # type: ignore[attr-defined]
    known -= {"--json"}
    kept = [words for name, words in _typed(context).items() if known & {name, f"--{name}"}]
    config = context.params.get("config")
    said = {} if config is None else tomllib.loads(config.read_text(encoding="utf-8"))
    if said.get(_COMMAND, "fit") == "fit":
        folder = Path(said.get("out", folder))
    if folder.exists():
        others = (f"{folder}-{model}{number}" for number in chain([""], map("-{}".format, count(2))))
        kept.append(["--out", next(one for one in others if not Path(one).exists())])
    return shlex.join(["semigen", "fit", *chain(*kept), "--model", model])


def _typed(context: typer.Context) -> dict[str, list[str]]:
    """The words of each argument and option that was typed, arguments first."""
    found: dict[str, list[str]] = {}
    for option, parameter in sorted(_options(context), key=lambda one: one[1].param_type_name != "argument"):
        value = context.params.get(parameter.name)
        if not typed(context, str(parameter.name)):
            continue
        named = [] if parameter.param_type_name == "argument" else [f"--{option}"]
        found[option] = []
        for one in value if isinstance(value, list | tuple) else [value]:
            found[option] += (
                named if one is True else [*named, str(one.value if isinstance(one, Enum) else one)]
            )
    return found


def _options(context: typer.Context) -> Iterator[tuple[str, Any]]:
    """Parameters by the names that a file has for them: ``time-budget``, and ``table`` for the argument."""
    for parameter in context.command.params:
        long = [name for name in parameter.opts if name.startswith("--")]
        yield (long[0].removeprefix("--") if long else str(parameter.name)), parameter


def _checked(path: Path, name: str, value: Any, *, several: bool) -> Any:
    """A value as the command line would have it."""
    values = value if isinstance(value, list) else [value]
    if not all(isinstance(one, str | int | float | bool) for one in values) or (
        isinstance(value, list) and not several
    ):
        wanted = "a text, a number, true or false" + (", or a list of them" if several else "")
        raise typer.BadParameter(f"{path}: {name} = {value!r} cannot be used: give {wanted}.")
    texts = [one if isinstance(one, bool) else str(one) for one in values]
    return texts if several else texts[0]


def _toml(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    text = json.dumps(str(value.value if isinstance(value, Enum) else value), ensure_ascii=False)
    return re.sub("[\x7f\ud800-\udfff]", lambda found: f"\\u{ord(found[0]):04x}", text)
