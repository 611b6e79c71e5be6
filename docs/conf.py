"""Configuration of the documentation: sphinx-build -W docs docs/_build/html."""

from importlib import import_module

from sphinx.util.docutils import SphinxDirective

from sk_ebm._core.compatibility import compatible
from sk_ebm.energies import ENERGIES
from sk_ebm.losses import GRADED_LOSSES, LOSSES

project = "sk_ebm"
author = "The sk_ebm developers"
copyright = "2026, The sk_ebm developers"
extensions = [
    "sphinx.ext.autodoc",
    "sphinx-mathjax-offline",  # mathematics without a network
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
    "numpydoc",
]
exclude_patterns = ["_build", "gallery"]
sphinx_gallery_conf = {
    "examples_dirs": "gallery",
    "gallery_dirs": "auto_gallery",
    "show_memory": False,
    "write_computation_times": False,  # a table that loads scripts from the network
    "min_reported_time": 1e9,
    "remove_config_comments": True,
}
default_role = "py:obj"
html_theme = "pydata_sphinx_theme"
html_theme_options = {"show_toc_level": 2, "navigation_with_keys": False}
html_title = "sk_ebm: energy-based learning with scikit-learn estimators"
autodoc_default_options = {"show-inheritance": True}
numpydoc_show_class_members = False


class Registry(SphinxDirective):
    """Documents every class of a registry: ``.. registry:: sk_ebm.losses.LOSSES``."""

    required_arguments = 1

    def run(self):
        module, name = self.arguments[0].rsplit(".", 1)
        lines = []
        for key, component in getattr(import_module(module), name).items():
            path = f"{module}.{component.__name__}"
            lines += [f'.. rubric:: "{key}"', "", f".. autoclass:: {path}", ""]
        return self.parse_text_to_nodes("\n".join(lines))


class Compatibility(SphinxDirective):
    """A table of which losses can train which energies: ``.. compatibility:: classes``."""

    required_arguments = 1

    def run(self):
        answers = self.arguments[0]
        energies = {name: energy() for name, energy in energies_of(answers).items()}
        losses = {name: loss() for name, loss in losses_of(answers).items()}
        table = compatible(energies, losses, answers)
        rows = [["", *(f'``"{name}"``' for name in energies)]]
        for loss in losses:
            marks = ["✓" if table[energy][loss] else "-" for energy in energies]
            rows.append([f'``"{loss}"``', *marks])
        lines = [".. list-table::", "   :header-rows: 1", "   :stub-columns: 1", ""]
        for row in rows:
            bullets = ["   * -", *["     -"] * (len(row) - 1)]
            lines += [f"{bullet} {cell}" for bullet, cell in zip(bullets, row, strict=True)]
        return self.parse_text_to_nodes("\n".join(lines))


def energies_of(answers):
    """The energies by name that some loss can train for these answers."""
    return {name: energy for name, energy in ENERGIES.items() if answers in energy.answers}


def losses_of(answers):
    """The losses by name that an estimator of these answers offers."""
    return {"classes": LOSSES, "items": GRADED_LOSSES, "values": {"nll": LOSSES["nll"]}}[answers]


def escape_bars(app, what, name, obj, options, lines):
    """Norms such as ``|x - x'|`` are text, not substitutions."""
    lines[:] = [line.replace("|", r"\|") for line in lines]


def setup(app):
    app.add_directive("registry", Registry)
    app.add_directive("compatibility", Compatibility)
    app.connect("autodoc-process-docstring", escape_bars, priority=900)
