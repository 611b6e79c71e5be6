"""Sums of energies beside their terms, soft voting and stacking: accuracy, log-loss, time.

    python docs/benchmarks/combination.py [--data DIR] [--part PART] [--sets a,b]

Data and splits are those of classification.py, scaled. All figures are on test rows.
"""

import numpy as np
from classification import log_loss, main, prepared, timed_fit
from scipy.stats import rankdata
from sklearn.ensemble import RandomForestClassifier, StackingClassifier
from sklearn.linear_model import LogisticRegression

from sk_ebm import EnergyClassifier
from sk_ebm.energies import SumEnergy

TERMS = ["linear", "kernel", "trees", RandomForestClassifier(random_state=0)]


class Vote:
    """The mean of the members' probabilities, as VotingClassifier(voting="soft") takes it."""

    def __init__(self, members):
        self.members = members
        self.classes_ = members[0].classes_

    def predict_proba(self, X):
        return np.mean([member.predict_proba(X) for member in self.members], axis=0)

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


def energies(names):
    return {name: EnergyClassifier(name, random_state=0) for name in names}


def stacking():
    members = energies(["linear", "kernel", "trees"]) | {"forest": TERMS[-1]}
    return StackingClassifier(list(members.items()), LogisticRegression(max_iter=1000), n_jobs=2)


def pooled_models():
    return {
        **energies(["linear", "kernel", "trees"]),
        "forest": TERMS[-1],
        "stacking": stacking(),
        "pooled": EnergyClassifier(TERMS, n_jobs=2, random_state=0),
    }


def residual_models():
    return {
        **energies(["linear", "trees"]),
        "residual": EnergyClassifier(SumEnergy(["linear", "trees"], "residual"), random_state=0),
        "pooled": EnergyClassifier(["linear", "trees"], random_state=0),
    }


def compare(sets, title, models, vote):
    """A table of log-losses and accuracies per set, then means, wins and mean ranks."""
    columns = [*models(), *(["voting"] if vote else [])]
    print(f"\n## {title}: log-loss in nats, then accuracy")
    print(f"{'set':16}" + 2 * "".join(f"{name:>10}" for name in columns))
    table, seconds = [], []
    for name, X, y, split in sets:
        X_train, X_test, y_train, y_test = prepared(X, y, split, True)
        fitted = models()
        seconds.append([timed_fit(model, X_train, y_train, 1)[0] for model in fitted.values()])
        if vote:
            fitted["voting"] = Vote([fitted[n] for n in ("linear", "kernel", "trees", "forest")])
        nats = [log_loss(model, X_test, y_test) for model in fitted.values()]
        right = [np.mean(model.predict(X_test) == y_test) for model in fitted.values()]
        table.append([nats, right])
        print(f"{name:16}" + "".join(f"{v:10.4f}" for v in nats + right), flush=True)
    nats, right = np.swapaxes(table, 0, 1)
    rows = {
        "mean": (nats.mean(axis=0), right.mean(axis=0)),
        "wins": ((nats == nats.min(axis=1, keepdims=True)).sum(axis=0),)
        + ((right == right.max(axis=1, keepdims=True)).sum(axis=0),),
        "mean rank": (rankdata(nats, axis=1).mean(axis=0), rankdata(-right, axis=1).mean(axis=0)),
    }
    for label, values in rows.items():
        print(f"{label:16}" + "".join(f"{v:10.4f}" for v in np.concatenate(values)))
    total = np.sum(seconds, axis=0)
    print("fit, s in all   " + "".join(f"{v:10.1f}" for v in total))


PARTS = {
    "pooled": lambda sets: compare(
        sets, "pooled [linear, kernel, trees, forest]", pooled_models, True
    ),
    "residual": lambda sets: compare(sets, "linear + trees", residual_models, False),
}


if __name__ == "__main__":
    main(PARTS, __doc__)
