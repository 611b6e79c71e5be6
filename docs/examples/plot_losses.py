"""The losses as functions of the energies of the correct and the most offending answer.

Run as ``python docs/examples/plot_losses.py [picture.png]``; needs matplotlib.
"""

import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from sk_ebm._core.gibbs import Gibbs
from sk_ebm.losses import LOSSES


def main(path):
    plus, minus = np.meshgrid(np.linspace(-2, 2, 101), np.linspace(-2, 2, 101))
    gibbs = Gibbs(np.stack([plus.ravel(), minus.ravel()], axis=1))
    target = np.zeros(plus.size, dtype=int)  # the first answer is correct
    figure = Figure(figsize=(13, 5.6), layout="constrained")
    panels = figure.subplots(2, 5, sharex=True, sharey=True)
    for panel, (name, loss) in zip(panels.flat, LOSSES.items(), strict=True):
        values, _ = loss()(gibbs, target)
        image = panel.contourf(plus, minus, values.reshape(plus.shape), levels=15)
        figure.colorbar(image, ax=panel)
        panel.plot([-2, 2], [-2, 2], "w:", lw=1)  # the prediction is wrong below this line
        panel.set_title(name)
    figure.supxlabel("energy of the correct answer")
    figure.supylabel("energy of the most offending answer")
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "losses.png")
