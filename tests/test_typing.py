"""Types of the public surface: a user's script is checked by mypy --strict."""

import subprocess
import sys
from pathlib import Path

import pytest

import sk_ebm

ROOT = Path(sk_ebm.__file__).parent
STUBS = ROOT.parent / ".ci" / "stubs.py"

SCRIPT = """
import numpy as np
from numpy.typing import NDArray

from sk_ebm import EnergyClassifier, EnergyDensityEstimator, EnergyDetector, EnergyRanker
from sk_ebm.displays import EnergyHistogramDisplay
from sk_ebm.energies import KernelEnergy, LinearEnergy
from sk_ebm.losses import LOSSES, Hinge
from sk_ebm.metrics import ndcg
from sk_ebm.persistence import trusted_types
from sk_ebm.testing import check_loss
from sk_ebm.thresholds import FalseAlarm, Level


def probabilities(X: NDArray[np.float64], y: NDArray[np.int64]) -> NDArray[np.float64]:
    energy = KernelEnergy(gamma=0.1) + LinearEnergy()
    classifier = EnergyClassifier(energy, Hinge(margin=2.0), alpha="auto", beta=1.0).fit(X, y)
    check_loss(Hinge())
    print(classifier.score(X, y), classifier.classes_, classifier.coef_, LOSSES, trusted_types())
    return classifier.predict_proba(X)


def alarms(X: NDArray[np.float64]) -> float:
    detector = EnergyDetector(threshold=FalseAlarm(0.01, confidence=0.9), novelty=True)
    EnergyHistogramDisplay.from_estimator(detector.fit(X), X).plot()
    EnergyDetector(threshold=Level(3.0)).set_params(beta=2.0).fit(X)
    return float((detector.predict(X) == -1).mean())


def ranking(X: NDArray[np.float64], y: NDArray[np.int64], q: NDArray[np.int64]) -> float:
    ranker = EnergyRanker("linear", k=None).fit(X, y, groups=q)
    return float(ndcg(y, ranker.predict(X, q), q, k=5))


def density(X: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    model = EnergyDensityEstimator(location=None, power=None, n_jobs=2).fit(X, y)
    return model.predict_interval(X, coverage=0.8)
"""
MISTAKES = {
    "EnergyClassifier(engery='linear')": 'Unexpected keyword argument "engery"',
    "KernelEnergy(gama=1.0)": 'Unexpected keyword argument "gama"',
    "FalseAlarm(rates=0.1)": 'Unexpected keyword argument "rates"',
    "Hinge(margn=1.0)": 'Unexpected keyword argument "margn"',
    "EnergyDetector(novelty='yes')": 'incompatible type "str"; expected "bool"',
    "EnergyRanker().fit_transfrom": 'has no attribute "fit_transfrom"',
    "EnergyDensityEstimator(alpha='best')": 'incompatible type "Literal',
}


def test_a_script_passes_strictly_and_mistakes_are_found(tmp_path):
    pytest.importorskip("mypy")
    script = tmp_path / "script.py"
    script.write_text(SCRIPT + "\n" + "\n".join(MISTAKES))
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--cache-dir", tmp_path]
    ran = subprocess.run(
        [*command, script],
        cwd=tmp_path,
        env={"MYPYPATH": str(ROOT.parent), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    first = SCRIPT.count("\n") + 2
    errors = [line for line in ran.stdout.splitlines() if ": error:" in line]
    assert len(errors) == len(MISTAKES), ran.stdout + ran.stderr
    for number, message in enumerate(MISTAKES.values(), first):
        assert any(f"script.py:{number}: " in e and message in e for e in errors), (message, errors)


def test_types_are_shipped():
    assert (ROOT / "py.typed").exists()
    assert (ROOT / "__init__.pyi").exists() and (ROOT / "energies" / "__init__.pyi").exists()


@pytest.mark.skipif(not STUBS.exists(), reason="the package was installed without its scripts")
def test_stubs_are_those_of_the_signatures():
    ran = subprocess.run([sys.executable, STUBS, "--check"], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
