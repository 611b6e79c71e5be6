"""The energy core: answers, Gibbs distribution, objective and training."""
