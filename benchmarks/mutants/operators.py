"""Small changes of a module's code: which there are, and the module with one of them made."""

import ast
import copy
import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

COMPARISONS = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
ARITHMETIC = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.Pow: ast.Mult,
    ast.FloorDiv: ast.Mult, ast.Mod: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
}  # fmt: skip
TWINS = {"min": "max", "max": "min", "any": "all", "all": "any", "minimum": "maximum", "maximum": "minimum"}
SYMMETRIC = {*TWINS, "add", "multiply", "logaddexp", "hypot", "array_equal", "allclose", "isclose"}
HINTS = {"copy", "out", "order", "strict", "check_finite", "overwrite_a", "overwrite_b", "stacklevel"}
"""Keywords that change speed or the place of a message: without them results are the same."""
WORDS = {"warn", "cast", "TypeVar", "ValueError"}
"""Calls whose arguments are words for people or for the type checker."""


@dataclass(frozen=True)
class Mutant:
    """One change: where, what it was, what it is now, and the number of its site in the module.

    ``body`` is the outermost function that has the change in its body, "" for code that runs at import.
    """

    module: str
    path: Path
    function: str
    body: str
    line: int
    before: str
    after: str
    site: int
    key: str

    def __str__(self) -> str:
        return f"`{self.module}:{self.line}` {self.function or '(module)'}: `{self.before}` → `{self.after}`"


def _calls(node: ast.Call) -> Iterator[ast.AST]:
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    if name in TWINS:
        changed = copy.deepcopy(node)
        setattr(changed.func, "attr" if isinstance(node.func, ast.Attribute) else "id", TWINS[name])
        yield changed
    first = node.args[:2]
    if len(first) == 2 and name not in SYMMETRIC and not any(isinstance(a, ast.Starred) for a in first):
        yield ast.Call(node.func, [first[1], first[0], *node.args[2:]], node.keywords)
    for i, keyword in enumerate(node.keywords):
        if keyword.arg and keyword.arg not in HINTS:
            yield ast.Call(node.func, node.args, node.keywords[:i] + node.keywords[i + 1 :])


def _changes(node: ast.AST) -> Iterator[ast.AST]:
    """What a node may become."""
    match node:
        case ast.BinOp(left, op, right) if type(op) in ARITHMETIC:
            yield ast.BinOp(left, ARITHMETIC[type(op)](), right)
        case ast.AugAssign(target, op, value):
            yield ast.Pass()
            if type(op) in ARITHMETIC:
                yield ast.AugAssign(target, ARITHMETIC[type(op)](), value)
        case ast.Compare(left, [op, *rest], right):
            yield ast.Compare(left, [COMPARISONS[type(op)](), *rest], right)
        case ast.BoolOp(op, values):
            yield ast.BoolOp(ast.Or() if isinstance(op, ast.And) else ast.And(), values)
        case ast.UnaryOp(ast.USub() | ast.Not() | ast.Invert(), operand):
            yield operand
        case ast.Constant(bool() as value):
            yield ast.Constant(not value)
        case ast.Constant(int() as value):
            yield ast.Constant(value + 1)
        case ast.Constant(float() as value):
            yield ast.Constant(value * 2 if value else 1.0)
        case ast.If(test, body, orelse):
            yield ast.If(ast.UnaryOp(ast.Not(), test), body, orelse)
        case ast.IfExp(test, body, orelse):
            yield ast.IfExp(test, orelse, body)
        case ast.Raise() | ast.Expr(ast.Call()):
            yield ast.Pass()
        case ast.Continue():
            yield ast.Break()
        case ast.Call():
            yield from _calls(node)


def _children(node: ast.AST) -> Iterator[tuple[ast.AST, str, int | None, ast.AST]]:
    """The nodes below that are code: no annotations, decorators, messages and docstrings."""
    call = node.func if isinstance(node, ast.Call) else None
    spoken = getattr(call, "attr", getattr(call, "id", "")) in WORDS or isinstance(
        node, ast.Raise | ast.JoinedStr
    )
    for field, value in ast.iter_fields(node):
        if spoken or field in {"annotation", "returns", "decorator_list"}:
            continue
        for i, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if isinstance(child, ast.AST):
                yield node, field, i, child


def _sites(tree: ast.AST) -> Iterator[tuple[str, str, ast.AST, ast.AST, tuple[ast.AST, str, int | None]]]:
    """All changes in the order of the code: function, body, node, what it becomes, where it hangs."""
    stack = [("", "", place) for place in _children(tree)][::-1]
    while stack:
        scope, body, (parent, field, i, node) = stack.pop()
        if isinstance(parent, ast.FunctionDef) and field == "body":
            body = body or scope
        inner = scope
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            inner = f"{scope}{'.<locals>' if body else ''}.{node.name}".removeprefix(".")
        for changed in _changes(node):
            yield inner, body, node, changed, (parent, field, i)
        stack.extend([(inner, body, place) for place in _children(node)][::-1])


def _shown(node: ast.AST) -> str:
    text = ast.unparse(ast.fix_missing_locations(copy.deepcopy(node)))
    return text.splitlines()[0][:90].replace("|", "\\|")


def _called(node: ast.stmt) -> Iterator[str]:
    """Functions that a statement of a module calls by their name."""
    if not isinstance(node, ast.FunctionDef | ast.ClassDef):
        for call in ast.walk(node):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name):
                yield call.func.id


def mutants(path: Path, source: Path) -> list[Mutant]:
    """All changes of one file below ``source``; keys stay as they are while the function around them does."""
    module = ".".join(path.relative_to(source).with_suffix("").parts).removesuffix(".__init__")
    found, seen = [], Counter()
    tree = ast.parse(path.read_text())
    of_import = {name for node in tree.body for name in _called(node)}
    for site, (function, body, node, changed, _) in enumerate(_sites(tree)):
        if "'super'" in ast.dump(node) or body in of_import:
            # a function with super() has a cell more: its code cannot be exchanged for one without;
            # a function that is called at import has done its work before
            body = ""
        what = (module, function, ast.dump(node), ast.dump(changed))
        seen[what] += 1
        key = hashlib.sha256(repr((*what, seen[what])).encode()).hexdigest()[:12]
        found.append(
            Mutant(module, path, function, body, node.lineno, _shown(node), _shown(changed), site, key)
        )
    return found


def mutated(mutant: Mutant):
    """The code of the module with the change made."""
    tree = ast.parse(mutant.path.read_text())
    for site, (_, _, node, changed, (parent, field, i)) in enumerate(_sites(tree)):
        if site == mutant.site:
            changed = ast.copy_location(changed, node)
            if i is None:
                setattr(parent, field, changed)
            else:
                getattr(parent, field)[i] = changed
            break
    return compile(ast.fix_missing_locations(tree), str(mutant.path), "exec")
