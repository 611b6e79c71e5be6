"""Write the type stubs of the public modules, from their signatures and docstrings.

Run as ``python .ci/stubs.py``; with ``--check`` it only says which stubs differ.
"""

import inspect
import re
import sys
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))  # this checkout
MODULES = [
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
HEADER = '''"""Written by .ci/stubs.py from the signatures and docstrings: do not edit."""

from typing import Any, Literal, Self

from numpy.typing import NDArray
'''
AUTO = 'float | Literal["auto"]'
PARAMETERS = {
    "alpha": AUTO,
    "beta": AUTO,
    "max_iter": "int",
    "n_jobs": "int | None",
    "coverage": "float",
    "n_samples": "int | None",
    "confidence": "float | None",
    "kind": "str | None",
}
BY_DEFAULT = {bool: "bool", float: "float"}  # integers and strings have alternatives


def annotation(parameter):
    """The type of a parameter, from its name and default."""
    if parameter.name in PARAMETERS:
        return PARAMETERS[parameter.name]
    return BY_DEFAULT.get(type(parameter.default), "Any")


def returned(function, name):
    """The type that a function returns, from its docstring."""
    if name in ("fit", "set_params", "set_callbacks", "set_output", "plot", "conformalize"):
        return "Self"
    if name.startswith("from_") or (name.startswith("set_") and name.endswith("_request")):
        return "Self"
    match = re.search(r"Returns\n\s*-+\n\s*(.+)", function.__doc__ or "")
    text = match.group(1).partition(" : ")[2] or match.group(1) if match else ""
    if name == "score" or text.startswith("float"):
        return "float"
    if text.startswith("self"):
        return "Self"
    return "NDArray[Any]" if text.startswith("ndarray") else "Any"


def arguments(function):
    """The arguments of a function, with types."""
    parts, seen_star = [], False
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name in ("self", "cls"):
            parts.append(parameter.name)
        elif parameter.kind is parameter.VAR_POSITIONAL:
            parts.append(f"*{parameter.name}: Any")
            seen_star = True
        elif parameter.kind is parameter.VAR_KEYWORD:
            parts.append(f"**{parameter.name}: Any")
        else:
            if parameter.kind is parameter.KEYWORD_ONLY and not seen_star:
                parts.append("*")
                seen_star = True
            default = "" if parameter.default is parameter.empty else " = ..."
            parts.append(f"{parameter.name}: {annotation(parameter)}{default}")
    return ", ".join(parts)


def method(cls, name):
    """The lines of a public method, property or class attribute; none where it is no such thing."""
    raw = inspect.getattr_static(cls, name)
    if isinstance(raw, property):
        return ["    @property", f"    def {name}(self) -> Any: ..."]
    value = getattr(cls, name)
    if isinstance(value, (bool, str, int, frozenset, tuple)) or value is None:
        return [f"    {name}: Any"]
    if not callable(value) or inspect.isclass(value):
        return [f"    {name}: Any"]
    kind = {classmethod: ["    @classmethod"], staticmethod: ["    @staticmethod"]}
    lines, listed = kind.get(type(raw), []), arguments(value)
    if type(raw) is classmethod:
        listed = ", ".join(filter(None, ["cls", listed]))
    elif type(raw) is not staticmethod and not listed.startswith("self"):
        listed = ", ".join(filter(None, ["self", listed]))
    result = "None" if name == "__init__" else returned(value, name)
    return [*lines, f"    def {name}({listed}) -> {result}: ..."]


def attributes(cls):
    """Names that the docstring lists as attributes."""
    section = re.search(r"Attributes\n\s*-+\n(.*?)(?:\n\n|\Z)", inspect.getdoc(cls) or "", re.S)
    return re.findall(r"^(\w+) : ", section.group(1), re.M) if section else []


def class_lines(cls, public):
    """The lines of a class: own members and those of bases that are not public here."""
    base = next((b for b in cls.__mro__[1:] if public.get(b.__name__) is b), None)
    if issubclass(cls, Warning) and base is None:
        base = UserWarning
    names = [n for n in dir(cls) if not n.startswith("_")] + ["__init__"]
    names += [n for n in ("__call__", "__add__", "__radd__") if n in dir(cls)]
    if base is not None:
        names = [n for n in names if inspect.getattr_static(cls, n) is not inspect_or_none(base, n)]
    lines = [f"    {name}: Any" for name in attributes(cls) if name not in names]
    for name in names:
        lines += method(cls, name)
    parent = "" if base is None else f"({base.__name__})"
    return [f"class {cls.__name__}{parent}:", *(lines or ["    ..."])]


def inspect_or_none(cls, name):
    return inspect.getattr_static(cls, name, None)


def defined_in(value):
    return getattr(value, "__module__", None)


def exported(module):
    names = getattr(module, "__all__", None)
    if names is None:
        own = [n for n, v in vars(module).items() if defined_in(v) == module.__name__]
        names = [n for n in vars(module) if n in own or n.isupper()]
    return {name: getattr(module, name) for name in names if not name.startswith("_")}


def by_inheritance(things):
    """Classes after their bases."""
    return sorted(things.items(), key=lambda item: len(getattr(item[1], "__mro__", ())))


def stub(name):
    """The text of the stub of a module."""
    things = exported(import_module(name))
    blocks = []
    for own, value in by_inheritance(things):
        if inspect.isclass(value) and getattr(value, "__name__", own) == own:
            blocks.append("\n".join(class_lines(value, things)))
        elif inspect.isfunction(value):
            blocks.append(f"def {own}({arguments(value)}) -> {returned(value, own)}: ...")
        else:
            blocks.append(f"{own}: Any")
    if name == "sk_ebm":
        blocks.append("__version__: str")
    return HEADER + "\n" + "\n\n".join(blocks) + "\n"


def path_of(name):
    source = Path(import_module(name).__file__)
    return source.with_suffix(".pyi")


def main():
    differ = [n for n in MODULES if not path_of(n).exists() or path_of(n).read_text() != stub(n)]
    if "--check" in sys.argv:
        sys.exit(f"Run python .ci/stubs.py: {differ} differ." if differ else 0)
    for name in differ:
        path_of(name).write_text(stub(name))


if __name__ == "__main__":
    main()
