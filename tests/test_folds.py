"""Folds of samples."""

from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.model_selection import GroupKFold, KFold, TimeSeriesSplit

from sk_ebm._core.folds import Folds, shuffled_folds, user_folds

n = 24


@pytest.fixture
def folds():
    return Folds.of_numbers(np.array([2, 0, 1, 1, 0, 2, 0]))


def test_they_are_frozen(folds):
    with pytest.raises(FrozenInstanceError):
        folds.pairs = ()


def test_numbers_say_which_fold_tests_a_sample(folds):
    tests = [test.tolist() for _, test in folds]
    assert tests == [[1, 4, 6], [2, 3], [0, 5]]
    assert [train.tolist() for train, _ in folds][1] == [0, 1, 4, 5, 6]


def test_samples_come_fold_after_fold(folds):
    assert folds.samples.tolist() == [1, 4, 6, 2, 3, 0, 5]


def test_values_of_folds_are_put_in_the_order_of_the_samples(folds):
    per_fold = [10 * test for _, test in folds]
    assert_array_equal(folds.in_order(per_fold), 10 * np.arange(7))


def test_the_first_folds_with_enough_samples_of_weight(folds):
    weights = np.array([1, 1, 1, 0, 0, 1, 1])
    for enough, n_folds in [(1, 1), (2, 1), (3, 2), (4, 3), (np.inf, 3)]:
        assert len(folds.first_with(enough, weights)) == n_folds
    assert folds.first(2).pairs == folds.pairs[:2]


def test_a_partition_tests_every_row_once(folds):
    folds.check_partition(7)
    with pytest.raises(ValueError, match=r"exactly once.*got 2 folds that test 5 of 7 rows, 5 in"):
        folds.first(2).check_partition(7)
    with pytest.raises(ValueError, match=r"got 6 folds that test 7 of 7 rows, 14 in all"):
        Folds(folds.pairs + folds.pairs).check_partition(7)


LABELS = {
    "none": None,
    "balanced": np.arange(n) % 3,
    "one_member": np.append(np.zeros(n - 1, dtype=int), 1),
    "absent_class": np.arange(n) % 2 * 2,
}
every_labels = pytest.mark.parametrize("labels", [pytest.param(v, id=k) for k, v in LABELS.items()])


@every_labels
def test_shuffled_folds_are_a_partition(labels, rng):
    folds = shuffled_folds(n, 5, rng, labels)
    folds.check_partition(n)
    for train, test in folds:
        assert_array_equal(np.sort(np.append(train, test)), np.arange(n))


@every_labels
def test_shuffled_folds_follow_the_seed(labels):
    one, same, other = (
        shuffled_folds(n, 5, np.random.RandomState(seed), labels).samples for seed in (0, 0, 1)
    )
    assert_array_equal(one, same)
    assert (one != other).any()


@pytest.mark.parametrize("name", ["balanced", "absent_class"])
def test_folds_are_stratified_where_every_class_is_frequent(name, rng):
    labels = LABELS[name]
    for _, test in shuffled_folds(n, 4, rng, labels):
        assert_array_equal(4 * np.bincount(labels[test]), np.bincount(labels))


def test_the_user_may_leave_the_choice_open(rng):
    assert user_folds(None, np.zeros((n, 1)), np.zeros(n), None, rng, classifier=False) is None


def test_the_folds_of_the_user_are_taken_as_they_are(rng):
    cv = KFold(3)
    folds = user_folds(cv, np.zeros((n, 1)), np.zeros(n), None, rng, classifier=False)
    for found, expected in zip(folds, cv.split(np.zeros(n)), strict=True):
        assert_array_equal(found[0], expected[0])
        assert_array_equal(found[1], expected[1])


@pytest.mark.parametrize("classifier", [False, True])
@pytest.mark.parametrize(("cv", "n_folds"), [(None, 5), (3, 3), (100, 8)])
def test_groups_are_never_split(cv, n_folds, classifier, rng):
    groups, y = np.arange(n) // 3, np.arange(n) % 2
    folds = user_folds(cv, np.zeros((n, 1)), y, groups, rng, classifier=classifier)
    assert len(folds) == n_folds
    folds.check_partition(n)
    for train, test in folds:
        assert not set(groups[train]) & set(groups[test])


SORTED = np.repeat([0, 1, 2], 8)
SPLITS = {
    "a class a fold": Folds.of_numbers(SORTED),
    "one class in one fold": Folds.of_numbers(np.where(SORTED == 1, 0, np.arange(n) % 4)),
    "time": Folds(tuple(TimeSeriesSplit(4).split(SORTED))),
    "one split": Folds(((np.arange(16), np.arange(16, n)),)),
}


@pytest.mark.parametrize("name", SPLITS)
def test_training_samples_know_every_label_that_is_tested(name, rng):
    known, lost = SPLITS[name].knowing(SORTED, rng)
    assert set(SORTED[known.samples]) == {0, 1, 2}
    for train, test in known:
        assert set(SORTED[train]) == {0, 1, 2}
        assert not set(train) & set(test)
    assert len(lost)


def test_folds_that_know_all_labels_stay_as_they_are(folds, rng):
    labels = np.array([0, 1, 0, 1, 0, 1, 1])
    known, lost = folds.knowing(labels, rng)
    assert known.pairs == folds.pairs and not len(lost)
    same, lost = folds.knowing(np.zeros(7, dtype=int), rng)
    assert same is folds and not len(lost)


def test_folds_that_lack_a_label_are_left_out_where_others_test_it(rng):
    labels = np.array([0, 0, 0, 0, 1, 1, 0, 1, 0, 1])
    early_and_late = Folds(((np.arange(4), np.arange(4, 6)), (np.arange(6), np.arange(6, 10))))
    known, lost = early_and_late.knowing(labels, rng)
    assert known.pairs == early_and_late.pairs[1:] and lost.tolist() == [1]


def test_a_label_of_one_sample_is_only_trained_on(rng):
    labels = np.append(np.arange(n - 1) % 2, 2)
    known, lost = shuffled_folds(n, 4, rng, labels).knowing(labels, rng)
    assert not len(lost) and len(known) == 4
    assert n - 1 not in known.samples and all(n - 1 in train for train, _ in known)


def test_nothing_is_held_out_where_every_label_has_one_sample(rng):
    assert not len(Folds.of_numbers(np.arange(3)).knowing(np.arange(3), rng)[0])


def test_samples_without_weight_are_of_no_label(rng):
    labels = np.where(np.arange(n) < 12, np.arange(n) % 2, -1)
    known, lost = Folds.of_numbers(np.arange(n) // 4 % 3).knowing(labels, rng)
    assert not len(lost) and len(known) == 3


def test_rare_labels_are_in_as_many_folds_as_they_have_samples(rng):
    labels = np.append(np.zeros(n - 3, dtype=int), [1, 1, 1])
    tests = [labels[test] for _, test in shuffled_folds(n, 5, rng, labels)]
    assert sorted(test.sum() for test in tests) == [0, 0, 1, 1, 1]
    assert {len(test) for test in tests} == {4, 5}


@pytest.mark.parametrize(
    ("cv", "groups", "message"),
    [
        (9, None, r"cv=9 cannot split 24 rows: n_splits=9 cannot be greater.* fewer folds"),
        (1, None, "cv=1 cannot split"),
        ("five", None, "cv='five' cannot split.*Expected `cv` as an integer"),
        (GroupKFold(2), None, "groups.* should not be None"),
        (None, np.zeros(n), r"24 rows in 1 groups"),
        ([(np.arange(20), np.arange(20, 30))], None, "out of bounds.*Give another cv"),
    ],
)
def test_a_cv_that_cannot_split_is_named_with_the_remedy(cv, groups, message, rng):
    y = np.repeat(np.arange(3), 8)
    with pytest.raises(ValueError, match=message):
        user_folds(cv, np.zeros((n, 1)), y, groups, rng, classifier=True)
