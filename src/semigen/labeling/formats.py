"""Labels in files that other programs read and write: tables, two columns, Label Studio's JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import narwhals as nw

from semigen.columns.numerals import plain_number
from semigen.columns.tables import is_missing, listing
from semigen.exceptions import ParameterError, TableError
from semigen.io.files import first_line, written_at_once
from semigen.io.tables import read_table, table_format
from semigen.io.writing import write_table
from semigen.labeling.answers import Answers, plain_answer
from semigen.labeling.cells import cell_text
from semigen.labeling.items import Items, TableItems

FORMS = ("auto", "table", "pairs", "label-studio")
KEY, ROW, FILE = "key", "row", "file"
"""Columns that name rows: by key, by number from 0, by image file."""
CANDIDATES = "|"
"""Between the classes of a candidate set in one cell."""
STUDIO_KEY = "semigen_key"
_ROUNDED = 1e-5
"""Relative difference of numbers that are the same: spreadsheets save what they show, six digits or more."""

Label = tuple[str, ...]
Found = list[tuple[int, list[str], str]]
"""Rows with their classes and a note."""


def export(
    items: Items,
    target: str,
    labels: Mapping[int, Label],
    answers: Answers,
    path: Path,
    *,
    form: str = "auto",
    overwrite: bool = False,
) -> tuple[Path, ...]:
    """Write labels to files, and return these.

    Parameters
    ----------
    items : Items
    target : str
    labels : mapping of row to classes
    answers : Answers
    path : Path
    form : {"auto", "table", "pairs", "label-studio"}
        "table": all rows with the target and a column ``p_<class>`` for each class (1 and 0 where the class
        is known, equal for the candidates of a row, empty where there is no label), and beside it, in
        ``<name>-journal``, every answer. "pairs": labeled rows only, their key or id and their class, the
        classes of a candidate set with ``|`` between. "label-studio": JSON that Label Studio imports, one
        task for each labeled row. "auto": Label Studio for ``.json``, else a table.
    overwrite : bool
        Whether files may be replaced.

    Raises
    ------
    ParameterError, TableError
        If there is no such form, or no such format.
    OSError
        If a file exists, or cannot be written.
    """
    if form not in FORMS:
        raise ParameterError(f"form={form!r}: use one of {', '.join(map(repr, FORMS))}.")
    if form == "label-studio" or (form == "auto" and path.suffix.lower() == ".json"):
        text = json.dumps(_tasks(items, labels, answers), ensure_ascii=False, indent=1)
        with written_at_once(path, overwrite=overwrite) as unfinished:
            unfinished.write_text(text + "\n", encoding="utf-8", errors="surrogatepass")
        return (path,)
    ending = table_format(path)
    if form == "pairs":
        rows = sorted(labels)
        name = _key_name(items)
        columns = {
            name: [items.keys[row] for row in rows],
            target: [CANDIDATES.join(labels[row]) for row in rows],
        }
        _write(columns, path, ending, overwrite)
        return (path,)
    beside = path.with_name(f"{path.name[: -len(ending)]}-journal{ending}")
    if beside.exists() and not overwrite:
        raise FileExistsError(f"{beside} exists and is not overwritten: choose another name.")
    _write(_table(items, target, labels, answers), path, ending, overwrite)
    lines = [plain_answer(one) for one in answers.all()]
    names = list(lines[0]) if lines else ["number", "time", "person", KEY, "classes"]
    _write({name: [line[name] for line in lines] for name in names}, beside, ending, overwrite)
    return path, beside


def _write(columns: Mapping[str, Any], path: Path, ending: str, overwrite: bool) -> None:
    table = nw.from_dict(dict(columns), backend="pyarrow").to_native()
    with written_at_once(path, overwrite=overwrite) as unfinished:
        write_table(table, unfinished, ending)


def _key_name(items: Items) -> str:
    if isinstance(items, TableItems):
        return items.id_name or KEY
    return FILE


def _table(items: Items, target: str, labels: Mapping[int, Label], answers: Answers) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    if isinstance(items, TableItems):
        frame = items.frame.to_arrow()
        columns = {
            str(name): nw.new_series("", frame[j], backend="pyarrow")
            for j, name in enumerate(frame.column_names)
        }
    else:
        columns[FILE] = list(items.keys)
    classes = list(answers.classes)
    hard = [labels[row][0] if len(labels.get(row, ())) == 1 else None for row in range(len(items))]
    columns[target] = [None if one is None else items.values.get(one, one) for one in hard]
    if len({type(one) for one in columns[target] if one is not None}) > 1:
        columns[target] = hard
    for name in classes:
        shares = [
            None if row not in labels else (1 / len(labels[row]) if name in labels[row] else 0.0)
            for row in range(len(items))
        ]
        title = f"p_{name}"
        while title in columns:
            title += "_"
        columns[title] = shares
    return columns


def _tasks(items: Items, labels: Mapping[int, Label], answers: Answers) -> list[dict[str, Any]]:
    """A task for each labeled row, with an annotation for each person."""
    tasks = []
    for row in sorted(labels):
        key = items.keys[row]
        said = [one for one in answers.latest(key).values() if one.classes]
        given = [(one.person, one.classes, one.time) for one in said] or [("", labels[row], "")]
        tasks.append(
            {
                "id": row + 1,
                "data": {STUDIO_KEY: key, **_data(items, row)},
                "annotations": [
                    {
                        "completed_by": {"email": person},
                        "created_at": at,
                        "was_cancelled": False,
                        "result": [
                            {
                                "type": "choices",
                                "from_name": "label",
                                "to_name": "item",
                                "value": {"choices": list(classes)},
                            }
                        ],
                    }
                    for person, classes, at in given
                ],
            }
        )
    return tasks


def _data(items: Items, row: int) -> dict[str, Any]:
    if not isinstance(items, TableItems):
        return {"image": items.keys[row]}
    cells = {str(name): items.frame.get_column(name)[row] for name in items.frame.columns}
    return {name: None if is_missing(cell) else cell_text(cell) for name, cell in cells.items()}


def read_labels(path: Path, items: Items, target: str) -> Found:
    """The labels in a file: Label Studio's JSON, or a table that names rows and has the target.

    Rows of a table are named by a column ``key``, the id, ``file`` or ``row`` (numbers from 0, whose other
    cells must be those of the row), or else by its first column. Empty cells are no labels.

    Raises
    ------
    TableError
        If the file cannot be read, or names rows that are not there.
    """
    if path.suffix.lower() == ".json":
        return _from_studio(path, items)
    frame = nw.from_native(read_table(path, [target, KEY, FILE, _key_name(items)]))
    names = frame.columns
    if target not in names:
        raise TableError(f"{path} has no column {target!r}: it has {listing(list(map(repr, names)))}.")
    known = [name for name in (KEY, _key_name(items), ROW) if name in names and name != target]
    named_by = next(iter(known), next((name for name in names if name != target), None))
    if named_by is None:
        raise TableError(f"{path} has only the column {target!r}: add one that names the rows.")
    cells = frame.get_column(named_by).to_list()
    by_number = named_by == ROW and ROW not in items.row_of
    if by_number:
        rows = [cell if isinstance(cell, int) and 0 <= cell < len(items) else None for cell in cells]
        _refuse_others(path, frame, rows, items)
    else:
        rows = [items.row_of.get(cell_text(cell)) for cell in cells]
    found: Found = []
    unknown = []
    for row, name, cell in zip(rows, cells, frame.get_column(target).to_list(), strict=True):
        text = "" if is_missing(cell) else cell_text(cell).strip()
        if text and row is None:
            unknown.append(cell_text(name))
        elif text and row is not None:
            classes = [part.strip() for part in text.split(CANDIDATES)]
            found.append((row, [one for one in classes if one], ""))
    _refuse_unknown(path, unknown)
    return found


def _refuse_unknown(path: Path, unknown: Sequence[str]) -> None:
    if unknown:
        raise TableError(
            f"{path} labels {len(unknown)} rows that the table does not have: {listing(list(unknown), 3)}. "
            "Nothing was saved: take them out, or give the table that they are from."
        )


def _refuse_others(path: Path, frame: Any, rows: Sequence[int | None], items: Items) -> None:
    """Refuse row numbers of another table, as its cells tell."""
    if not isinstance(items, TableItems):
        return
    for name in set(frame.columns) & set(items.frame.columns):
        there, here = frame.get_column(name).to_list(), items.frame.get_column(name)
        for cell, row in zip(there, rows, strict=True):
            if row is not None and not _same(cell, here[row]):
                raise TableError(
                    f"{path}: row {row} has {_text(cell)!r} in column {name!r}, and {_text(here[row])!r} in "
                    "the table: the rows have moved. Name them by an id (--id)."
                )


def _same(one: Any, other: Any) -> bool:
    """Whether two cells are the same: numbers may be text, and rounded unless both are whole."""
    one, other = _text(one), _text(other)
    here, there = plain_number(one), plain_number(other)
    if here is None or there is None:
        return bool(one == other)
    whole = here.is_integer() and there.is_integer()
    return here == there if whole else math.isclose(here, there, rel_tol=_ROUNDED)


def _text(cell: Any) -> str:
    return "" if is_missing(cell) else cell_text(cell).strip()


def _from_studio(path: Path, items: Items) -> Found:
    try:
        tasks = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise TableError(f"{path} cannot be read as JSON: {first_line(error)}") from error
    if not isinstance(tasks, list) or not all(isinstance(task, dict) for task in tasks):
        raise TableError(f"{path} is no export of Label Studio: a list of tasks is expected.")
    by_cells: dict[frozenset[tuple[str, str]], int] = {}
    if any(not isinstance(task.get("data"), dict) or STUDIO_KEY not in task["data"] for task in tasks):
        for row in range(len(items)):  # of other makers
            by_cells.setdefault(_named(_data(items, row)), row)
    found: Found = []
    unknown: list[str] = []
    for number, task in enumerate(tasks):
        data = task.get("data") if isinstance(task.get("data"), dict) else {}
        place = _row_of(data, items, by_cells)
        for classes in _choices(task):
            if place is None:
                unknown.append(str(task.get("id", number)))
            else:
                found.append((place, classes, ""))
    _refuse_unknown(path, unknown)
    return found


def _named(data: Mapping[str, Any]) -> frozenset[tuple[str, str]]:
    return frozenset((str(name), _text(cell)) for name, cell in data.items())


def _row_of(data: Mapping[str, Any], items: Items, by_cells: Mapping[Any, int]) -> int | None:
    """The row of a task: by the key, the id, the file name at the end of the image, or all cells."""
    row = items.row_of.get(str(data.get(STUDIO_KEY, "")))
    if row is None and isinstance(items, TableItems) and items.id_name:
        row = items.row_of.get(_text(data.get(items.id_name)))
    if row is None and not isinstance(items, TableItems):
        name = str(data.get("image", ""))
        ends = [key for key in items.keys if name == key or name.endswith(("/" + key, "-" + key))]
        row = items.row_of[max(ends, key=len)] if ends else None
    return by_cells.get(_named(data)) if row is None else row


def _choices(task: Mapping[str, Any]) -> list[list[str]]:
    """The classes of each annotation that was not cancelled."""
    found = []
    annotations = task.get("annotations")
    for one in annotations if isinstance(annotations, list) else ():
        if not isinstance(one, dict) or one.get("was_cancelled"):
            continue
        results = one.get("result")
        for result in results if isinstance(results, list) else ():
            value = result.get("value") if isinstance(result, dict) else None
            choices = value.get("choices") if isinstance(value, dict) else None
            if isinstance(choices, list) and choices:
                found.append([str(name) for name in choices])
    return found
