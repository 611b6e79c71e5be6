"""Which losses, energies and solvers go together."""


def _check_together(energy, loss, solver, l1_ratio):
    """Raise where loss, energy and solver cannot give a meaningful optimum."""
    for part in energy.parts():
        _check_part(part, loss)
    taken = [name for part in energy.parts() for name in part.solvers]
    if solver == "auto":
        return
    if not loss.exact and solver != "adam" and taken:
        raise ValueError(
            f"The slopes of {type(loss).__name__} are not those of its values, so that "
            f"solver={solver!r} cannot search along a line. Use solver='auto' or 'adam'."
        )
    if solver not in taken:
        raise ValueError(
            f"{type(energy).__name__} takes solver in {sorted(set(taken))} or 'auto', "
            f"got {solver!r}."
        )
    if solver == "newton" and (l1_ratio > 0 or not loss.smooth):
        raise ValueError(
            f"solver='newton' needs l1_ratio=0 and a smooth loss ('nll'), got l1_ratio={l1_ratio} "
            f"and {type(loss).__name__}. Use solver='auto' or 'lbfgs'."
        )
    if loss.zero_margin and solver != "adam" and not energy.anchored:
        raise ValueError(
            f"{type(loss).__name__} is least where all energies are equal, which "
            f"solver={solver!r} would find. Use solver='auto' or 'adam', which count a tie as "
            "violated and average, or loss='hinge'."
        )


def _refuse_rankings(energy, loss, name):
    """Raise where only the items of a query could be the answers."""
    if loss.graded:
        raise ValueError(
            f"loss={loss!r} compares the items of a query: it is for EnergyRanker, not {name}."
        )
    for part in energy.parts():
        if part.of_items:
            raise ValueError(
                f"An expert of {name} must be a classifier with predict_proba or "
                f"decision_function, or a density with score_samples; energy={part!r} orders the "
                "items of a query, for EnergyRanker."
            )


def _check_part(energy, loss):
    """Raise where an energy that is fitted on the loss has no meaningful optimum."""
    name = type(energy).__name__
    if loss.only_pulls and not energy.anchored:
        raise ValueError(
            f"loss='energy' collapses with {name}: its energies fall without any other rising. "
            "Use energy='prototype', or another loss, such as 'nll' or 'hinge'."
        )
    if loss.positive and not energy.positive:
        raise ValueError(
            f"{type(loss).__name__} in its relative form needs energies that are never negative, "
            f"not those of {name}. Use energy='prototype', or relative=False."
        )
