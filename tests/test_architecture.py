"""How the package is built: layers, nothing written on arguments, sizes, and what is documented."""

import ast
import inspect
import re
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest

import sk_ebm

ROOT = Path(sk_ebm.__file__).parent
API = ROOT.parent / "docs" / "api.rst"
MODULES = sorted(ROOT.rglob("*.py"))
PUBLIC = [
    "sk_ebm",
    "sk_ebm.energies",
    "sk_ebm.losses",
    "sk_ebm.thresholds",
    "sk_ebm.metrics",
    "sk_ebm.features",
    "sk_ebm.distributions",
    "sk_ebm.explanations",
    "sk_ebm.exceptions",
    "sk_ebm.displays",
    "sk_ebm.testing",
    "sk_ebm.persistence",
]
# Lowest first. Parts of one layer may import each other, without cycles.
LAYERS = [
    ["_version", "exceptions"],
    ["_utils"],
    ["losses"],
    ["_solvers", "_core"],
    ["_tables"],
    ["energies"],
    ["distributions", "explanations", "thresholds", "metrics", "features", "_density"],
    ["_estimators"],
    ["_displays", "_testing"],
    ["displays", "testing", "persistence"],
    ["", "__main__"],
]
LEVEL = {part: level for level, parts in enumerate(LAYERS) for part in parts}
# Sums and energies on tables are made of energies, so that the base class of energies imports them
# when one is made.
LAZY = {
    ("energies/_base.py", "sk_ebm.energies._sum"),
    ("energies/_base.py", "sk_ebm.energies._encoded"),
}

MOST_LINES, MOST_LINES_OF_A_FUNCTION = 400, 40


def name_of(path):
    return path.relative_to(ROOT).as_posix()


every_module = pytest.mark.parametrize("path", MODULES, ids=name_of)


@cache
def tree_of(path):
    return ast.parse(path.read_text())


def part_of(module):
    """The part of the package, the empty string for the package itself."""
    return module.split(".")[1] if "." in module else ""


def imported(path):
    """Modules of this package that a module imports, at its top or in a function."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.ImportFrom):
            assert not node.level, f"{name_of(path)} imports relatively in line {node.lineno}."
            names = [node.module]
            if node.module == "sk_ebm":  # a part of it, or one of the names that it exports
                parts = {alias.name for alias in node.names}
                names = [f"sk_ebm.{p}" if p in LEVEL else "sk_ebm" for p in parts]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        yield from (name for name in names if name.split(".")[0] == "sk_ebm")


@every_module
def test_imports_point_down_only(path):
    own = name_of(path).removesuffix(".py").removesuffix("__init__").split("/")[0]
    up = [
        module
        for module in imported(path)
        if part_of(module) != own and LEVEL[part_of(module)] > LEVEL[own]
    ]
    assert not up


def test_every_part_has_a_layer():
    parts = {name_of(path).removesuffix(".py").split("/")[0] for path in MODULES} - {"__init__"}
    assert parts == set(LEVEL) - {""}


def cycle(graph):
    """A cycle of a graph, as a list of its nodes, or None."""
    done, path = set(), []

    def visit(node):
        if node in path:
            return path[path.index(node) :] + [node]
        if node in done:
            return None
        path.append(node)
        found = next(filter(None, map(visit, sorted(graph.get(node, ())))), None)
        path.pop()
        done.add(node)
        return found

    return next(filter(None, map(visit, sorted(graph))), None)


def test_no_modules_import_each_other():
    """But for imports that are lazy for a reason."""
    graph = {}
    for path in MODULES:
        module = "sk_ebm." + name_of(path).removesuffix(".py").replace("/", ".")
        lazy = {target for source, target in LAZY if source == name_of(path)}
        graph[module.removesuffix(".__init__")] = set(imported(path)) - lazy
    assert cycle(graph) is None


def test_the_base_of_energies_imports_sums_when_one_is_made():
    """At its top, it would import what imports it."""
    for source, target in LAZY:
        tree = tree_of(ROOT / source)
        lines = [n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)]
        assert target in lines
        assert target not in [n.module for n in tree.body if isinstance(n, ast.ImportFrom)]


def functions(node, prefix=""):
    """(name, definition) of all functions in a tree, nested ones too."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield prefix + child.name, child
            yield from functions(child, f"{prefix}{child.name}.")
        else:
            inner = f"{prefix}{child.name}." if isinstance(child, ast.ClassDef) else prefix
            yield from functions(child, inner)


def arguments(function):
    """Names of the arguments, without ``self`` and ``cls``."""
    args = function.args
    every = [*args.posonlyargs, *args.args, *args.kwonlyargs, args.vararg, args.kwarg]
    return {arg.arg for arg in every if arg is not None} - {"self", "cls"}


def owner(target):
    """The name whose attribute is the target, as in ``name.attribute`` or ``name.a.b``."""
    found = None
    while isinstance(target, (ast.Attribute, ast.Subscript)):
        if isinstance(target, ast.Attribute):
            found = target.value
        target = target.value
    return found.id if isinstance(found, ast.Name) else None


def of_vars(node):
    """The name of which ``vars(name)`` or ``name.__dict__`` is changed."""
    if isinstance(node, ast.Call) and getattr(node.func, "id", None) == "vars" and node.args:
        return getattr(node.args[0], "id", None)
    if isinstance(node, ast.Attribute) and node.attr == "__dict__":
        return getattr(node.value, "id", None)
    return None


def written(node):
    """Names of objects of which a statement or call sets or deletes an attribute."""
    if isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Delete)):
        targets = getattr(node, "targets", None) or [node.target]
        for target in targets:
            for part in getattr(target, "elts", [target]):
                yield owner(part)
                yield of_vars(part.value) if isinstance(part, ast.Subscript) else None
    if isinstance(node, ast.Call):
        if getattr(node.func, "id", None) in ("setattr", "delattr") and node.args:
            yield getattr(node.args[0], "id", None)
        changes = ("pop", "update", "clear", "setdefault", "popitem")
        if isinstance(node.func, ast.Attribute) and node.func.attr in changes:
            yield of_vars(node.func.value)


@every_module
def test_nothing_is_written_on_an_argument(path):
    found = [
        f"{name}, line {node.lineno}"
        for name, function in functions(tree_of(path))
        for node in ast.walk(function)
        if arguments(function) & set(written(node))
    ]
    assert not found


@pytest.mark.parametrize(
    "line",
    [
        "arg.a = 1",
        "arg.a += 1",
        "arg.a: int = 1",
        "arg.a, b = 1, 2",
        "arg.a[0] = 1",
        "arg.a.b = 1",
        "del arg.a",
        "setattr(arg, 'a', 1)",
        "delattr(arg, 'a')",
        "vars(arg).pop('a')",
        "vars(arg).update(a=1)",
        "vars(arg)['a'] = 1",
        "arg.__dict__.clear()",
    ],
)
def test_what_is_written_on_an_argument_is_seen(line):
    function = ast.parse(f"def f(arg):\n    {line}").body[0]
    assert any("arg" in set(written(node)) for node in ast.walk(function))


@pytest.mark.parametrize(
    "line", ["arg = other", "b = arg.a", "arg[0] = 1", "self.a = arg", "b.a = arg"]
)
def test_what_is_not_written_on_an_argument_is_not_seen(line):
    function = ast.parse(f"def f(self, arg):\n    {line}").body[0]
    assert not any("arg" in set(written(node)) for node in ast.walk(function))


def exported(module):
    """Public classes and functions of a module: of ``__all__``, or those that it defines."""
    module = import_module(module)
    names = getattr(module, "__all__", None)
    if names is None:
        names = [
            name
            for name, thing in vars(module).items()
            if not name.startswith("_") and getattr(thing, "__module__", None) == module.__name__
        ]
    things = {name: getattr(module, name) for name in names}
    return {k: v for k, v in things.items() if inspect.isclass(v) or inspect.isfunction(v)}


def own_docstring(thing):
    return vars(thing).get("__doc__") if inspect.isclass(thing) else thing.__doc__


@pytest.mark.parametrize("module", PUBLIC)
def test_every_public_name_has_a_docstring(module):
    """Of its own: one that is inherited says nothing about it."""
    things = exported(module)
    assert things
    assert [name for name, thing in things.items() if not own_docstring(thing)] == []


def documented():
    """Names that the page of the API documents, directly or through a directive."""
    text = API.read_text()
    names = set(re.findall(r"^\.\. auto(?:class|function):: (\S+)", text, re.M))
    for module in re.findall(r"^\.\. public-names:: (\S+)", text, re.M):
        names |= {f"{module}.{name}" for name in exported(module)}
    for path in re.findall(r"^\.\. registry:: (\S+)", text, re.M):
        module, registry = path.rsplit(".", 1)
        components = getattr(import_module(module), registry).values()
        names |= {f"{module}.{component.__name__}" for component in components}
    return names


@pytest.mark.skipif(not API.exists(), reason="the package was installed without its documentation")
@pytest.mark.parametrize("module", PUBLIC)
def test_every_public_name_is_in_the_documentation(module):
    missing = {f"{module}.{name}" for name in exported(module)} - documented()
    assert sorted(missing) == []


@pytest.mark.skipif(not API.exists(), reason="the package was installed without its documentation")
def test_what_the_documentation_names_exists():
    for name in documented():
        module, _, attribute = name.rpartition(".")
        assert hasattr(import_module(module), attribute), name


def lines_of_docstrings(tree):
    """How many lines the docstrings in a tree have, those below an assignment too."""
    strings = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    ]
    return sum(string.end_lineno - string.lineno + 1 for string in strings)


@every_module
def test_modules_are_short(path):
    n_lines = len(path.read_text().splitlines()) - lines_of_docstrings(tree_of(path))
    assert n_lines <= MOST_LINES


def only_stores(function):
    """Whether it is a constructor that stores its arguments: as long as there are parameters."""
    stored = [f"self.{name} = {name}" for name in arguments(function)]
    body = [ast.unparse(statement) for statement in function.body]
    return function.name == "__init__" and sorted(body) == sorted(stored)


@every_module
def test_functions_are_short(path):
    """But constructors that do no more than store arguments, two lines for each."""
    lengths = {
        name: function.end_lineno - function.lineno + 1 - lines_of_docstrings(function)
        for name, function in functions(tree_of(path))
        if not only_stores(function)
    }
    assert {k: v for k, v in lengths.items() if v > MOST_LINES_OF_A_FUNCTION} == {}


@every_module
def test_every_module_says_what_it_is(path):
    assert ast.get_docstring(tree_of(path))
