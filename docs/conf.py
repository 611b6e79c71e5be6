"""Configuration of the documentation: sphinx-build -W docs docs/_build/html."""

from importlib import import_module

from sphinx.util.docutils import SphinxDirective

project = "sk_ebm"
author = "The sk_ebm developers"
copyright = "2026, The sk_ebm developers"
extensions = ["sphinx.ext.autodoc", "sphinx.ext.mathjax", "numpydoc"]
exclude_patterns = ["_build"]
default_role = "py:obj"
html_theme = "alabaster"
html_theme_options = {"description": "Energy-based learning with scikit-learn estimators"}
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


def escape_bars(app, what, name, obj, options, lines):
    """Norms such as ``|x - x'|`` are meant literally, not as substitutions."""
    lines[:] = [line.replace("|", r"\|") for line in lines]


def setup(app):
    app.add_directive("registry", Registry)
    app.connect("autodoc-process-docstring", escape_bars, priority=900)
