"""Metrics of rankings, of entities in sequences, and of predictive distributions."""

from sk_ebm.metrics._distributions import (
    DistributionScorer,
    coverage,
    coverage_scorer,
    crps,
    crps_scorer,
    interval_score,
    interval_score_scorer,
    log_score,
    log_score_scorer,
    pinball,
    pinball_scorer,
    pit_ks,
    pit_ks_scorer,
)
from sk_ebm.metrics._entities import (
    EntityScorer,
    entity_f1,
    entity_f1_scorer,
    entity_precision,
    entity_recall,
)
from sk_ebm.metrics._ranking import (
    RankingScorer,
    average_precision,
    ndcg,
    ndcg_scorer,
    reciprocal_rank,
    top_k_recall,
)

__all__ = [
    "DistributionScorer",
    "EntityScorer",
    "RankingScorer",
    "average_precision",
    "coverage",
    "coverage_scorer",
    "crps",
    "crps_scorer",
    "entity_f1",
    "entity_f1_scorer",
    "entity_precision",
    "entity_recall",
    "interval_score",
    "interval_score_scorer",
    "log_score",
    "log_score_scorer",
    "ndcg",
    "ndcg_scorer",
    "pinball",
    "pinball_scorer",
    "pit_ks",
    "pit_ks_scorer",
    "reciprocal_rank",
    "top_k_recall",
]
