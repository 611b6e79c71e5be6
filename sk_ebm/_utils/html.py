"""Estimators and components as boxes in a notebook."""

from inspect import isclass

from sk_ebm._utils.sklearn_private import VisualBlock


class Boxes:
    """Mixin of what has parameters: a box for each component among them, and for each of a list.

    It comes before scikit-learn's `BaseEstimator`.
    """

    def _sk_visual_block_(self):
        parts = [(name, _box(name, value)) for name, value in self.get_params(deep=False).items()]
        parts = [(name, part) for name, part in parts if part is not None]
        if not parts:
            name = type(self).__name__
            return VisualBlock("single", self, names=name, name_details=str(self))
        names = [_title(name, part) for name, part in parts]
        details = [str(part) for _, part in parts]
        return VisualBlock("parallel", [p for _, p in parts], names=names, name_details=details)


def _box(name, value):
    """What stands for a parameter: a component, the boxes of a list of them, or None."""
    if _is_component(value):
        return value
    if not isinstance(value, (list, tuple)):
        return None
    pairs = list(map(_as_pair, value))
    holds_components = any(_is_component(part) for _, part in pairs)
    if not holds_components and name not in ("energy", "terms"):
        return None
    titles = [_title(name, part) for name, part in pairs]
    return VisualBlock("parallel", [part for _, part in pairs], names=titles, dash_wrapped=False)


def _as_pair(part):
    """The name, or None, and the component of an entry of a list."""
    return part if isinstance(part, tuple) and len(part) == 2 else (None, part)


def _is_component(value):
    return hasattr(value, "get_params") and not isclass(value)


def _title(name, part):
    """The name of a parameter or term, and of what it is."""
    kind = part if isinstance(part, str) else type(part).__name__
    if isinstance(part, VisualBlock):
        kind = f"list of {len(part.estimators)}"
    return kind if name is None else f"{name}: {kind}"
