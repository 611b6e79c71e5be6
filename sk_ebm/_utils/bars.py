"""Bars of contributions to energies."""

import numpy as np

# Of Okabe and Ito's palette, which colour-blind readers can tell apart.
BLUE, ORANGE = "#0072B2", "#D55E00"
_MOST_BARS = 10


def largest_contributions(explanation, kind, row, answer):
    """What is drawn of an `Explanation`: names, values, errors and title."""
    if kind == "importance":
        values, errors, title = explanation.importances(), None, ""
    else:
        values, errors, title = _of_row(explanation, row, answer)
    order = np.argsort(-np.abs(values), kind="stable")[:_MOST_BARS]
    return {
        "names": [str(explanation.feature_names[k]) for k in order],
        "values": values[order],
        "errors": None if errors is None else errors[order],
        "title": title,
    }


def _of_row(explanation, row, answer):
    """Contributions (n_names,) to the energy of a row, their errors, and a title."""
    explanation = explanation[row]
    values, errors, energies = explanation.values[0], explanation.errors, explanation.energies()[0]
    errors = None if errors is None else errors[0]
    if values.ndim == 1:
        return values, errors, f"energy {energies:.3g}"
    classes = list(explanation.classes)
    if answer is not None and answer not in classes:
        raise ValueError(f"answer must be one of the classes, {classes}, got {answer!r}.")
    k = int(np.argmin(energies)) if answer is None else classes.index(answer)
    title = f"energy {energies[k]:.3g} of class {classes[k]}"
    return values[:, k], None if errors is None else errors[:, k], title


def draw_contributions(ax, kind, names, values, errors, title, **kwargs):
    """Draw bars, the first name on top; ``kwargs`` are those of ``ax.barh``."""
    places = np.arange(len(names))[::-1]
    colours = BLUE if kind == "importance" else np.where(np.asarray(values) > 0, ORANGE, BLUE)
    errors = None if errors is None else 2 * errors
    ax.barh(places, values, **{"color": colours, "xerr": errors} | kwargs)
    ax.axvline(0, color="black", lw=1)
    ax.set_yticks(places, names)
    raises = "lowers <- contribution to the energy -> raises"
    ax.set(
        xlabel=raises if kind == "row" else "mean absolute contribution to the energy",
        ylabel="column",
        title=title,
    )
