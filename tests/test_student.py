import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from sk_ebm._density.student import StudentDistribution


@pytest.mark.parametrize("df", [3.0, 7.7, 30.0])
def test_scores_of_students_are_accurate_at_the_centre_and_in_both_tails(df):
    t = np.concatenate([[0.0], np.geomspace(1e-4, 1e9, 5000)])
    student = StudentDistribution(np.zeros(1), np.ones(1), df)
    expected = stats.norm.isf(stats.t.sf(t, df))
    assert_allclose(student.normal_score(t[None])[0], expected, rtol=0, atol=1e-10)
    assert_allclose(student.normal_score(-t[None])[0], -expected, rtol=0, atol=1e-10)
    far = np.array([[-np.inf, -1e300, 1e300, np.inf]])
    assert_array_equal(student.normal_score(far), np.sign(far) * np.inf)
