"""Contracts of the package: public names, import floors, light imports, docstrings, readable files."""

import ast
import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
from itertools import cycle
from pathlib import Path

import pytest

import semigen
from semigen.exceptions import MissingExtraError

SOURCE = Path(semigen.__file__).parent
MODULES = [
    "semigen",
    *(m.name for m in pkgutil.walk_packages([str(SOURCE)], "semigen.") if "__main__" not in m.name),
]

DEFAULT = re.compile(r"^(\w+(?:, \w+)*) : .*\bdefault=(.+)$", re.MULTILINE)


def run(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_public_names_exist_and_are_listed():
    for name in semigen.__all__:
        assert getattr(semigen, name) is not None
    assert set(semigen.__all__) <= set(dir(semigen))
    with pytest.raises(AttributeError, match="no attribute 'absent'"):
        _ = semigen.absent


def test_documented_modules_need_no_import_of_their_own():
    """Each in a package that nothing of is loaded yet."""
    names = (
        "columns.describe",
        "comparison.Verdict",
        "em.ThreadEngine",
        "families.LowRank",
        "representation.NeighborGraph",
        "testing.check_classifier",
    )
    code = (
        "import sys, operator\n"
        f"for name in {names}:\n"
        "  for one in [one for one in sys.modules if one.split('.')[0] == 'semigen']: del sys.modules[one]\n"
        "  import semigen\n"
        "  print(operator.attrgetter(name)(semigen).__name__)"
    )
    assert run(code).split() == [name.split(".")[1] for name in names]


def test_importing_semigen_is_light():
    """Names load on use. scikit-learn, which estimators need, loads pandas and rich where installed."""
    loaded = run("import semigen, sys; print(*sys.modules)").split()
    assert not {"sklearn", "pandas", "torch", "dask", "matplotlib", "jinja2", "pyarrow", "typer"} & set(
        loaded
    )
    names = "semigen.MixtureClassifier; semigen.metrics; semigen.load; semigen.AutoClassifier"
    loaded = run(f"import semigen, sys; {names}; print(*sys.modules)").split()
    heavy = {"torch", "accelerate", "safetensors", "dask", "matplotlib", "jinja2", "typer", "skops"}
    assert not heavy & set(loaded)


@pytest.mark.parametrize("module", MODULES)
def test_every_public_thing_says_what_it_is(module):
    """Functions, classes and their methods have a docstring, their own or that of the base they override."""
    try:
        loaded = importlib.import_module(module)
    except MissingExtraError as error:
        pytest.skip(str(error))
    assert loaded.__doc__, module
    for name, thing in vars(loaded).items():
        ours = getattr(thing, "__module__", None) == module
        if name.startswith("_") or not ours or not (inspect.isclass(thing) or inspect.isfunction(thing)):
            continue
        assert inspect.getdoc(thing), f"{module}.{name}"
        if inspect.isclass(thing):
            for method, function in vars(thing).items():
                named = inspect.isfunction(function) and function.__name__ == method  # no default of a field
                if not method.startswith("_") and named:
                    assert inspect.getdoc(getattr(thing, method)), f"{module}.{name}.{method}"


def test_documented_defaults_are_the_defaults():
    """Of every function, class and method: "name : type, default=value"."""
    n_seen = 0
    for module in MODULES:
        try:
            loaded = importlib.import_module(module)
        except MissingExtraError:
            continue
        for thing in vars(loaded).values():
            if getattr(thing, "__module__", None) != module or not callable(thing):
                continue
            methods = vars(thing).values() if inspect.isclass(thing) else ()
            for one in (thing, *filter(inspect.isfunction, methods)):
                for names, values in DEFAULT.findall(inspect.cleandoc(one.__doc__ or "")):
                    for name, value in zip(names.split(", "), cycle(values.split(" and ")), strict=False):
                        found = inspect.signature(one).parameters[name].default
                        assert ast.literal_eval(value) == found, f"{module}.{one.__qualname__}: {name}"
                        n_seen += 1
    assert n_seen > 200


def test_files_stay_readable():
    long = {p.name: n for p in SOURCE.rglob("*.py") if (n := len(p.read_text().splitlines())) > 420}
    assert not long
