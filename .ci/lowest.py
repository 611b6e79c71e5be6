"""Print the lowest versions that pyproject.toml allows, as constraints of pip."""

import tomllib
from pathlib import Path

pyproject = Path(__file__).parent.parent / "pyproject.toml"
project = tomllib.loads(pyproject.read_text())["project"]
for extra in [project["dependencies"], *project["optional-dependencies"].values()]:
    for requirement in extra:
        print(requirement.replace(">=", "=="))
