"""Keys of rows."""

import numpy as np
from scipy import sparse

from sk_ebm._utils.row_keys import row_keys


def test_equal_rows_have_equal_keys_and_no_others(rng):
    X = rng.randint(0, 2, (40, 3)).astype(float)
    for table in (X, np.asfortranarray(X), X.astype(np.float32), sparse.csr_matrix(X)):
        keys = row_keys(table)
        for i in range(40):
            assert [key == keys[i] for key in keys] == (X[i] == X).all(axis=1).tolist()
    assert row_keys(np.array([[-0.0, 1.0]])) == row_keys(np.array([[0.0, 1.0]]))


def test_stored_zeros_and_orders_of_sparse_rows_do_not_count():
    stored = sparse.csr_matrix(([2.0, 0.0, 1.0], [2, 1, 0], [0, 3]), shape=(1, 3))
    assert row_keys(stored) == row_keys(sparse.csr_matrix([[1.0, 0.0, 2.0]]))
