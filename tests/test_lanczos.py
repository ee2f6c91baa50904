"""The largest eigenvalues of sparse matrices against a dense solver."""

import numpy as np
import pytest
from scipy.sparse import block_diag, csr_array, eye_array, random_array

from semigen.arrays.lanczos import largest_eigenpairs


def normalized(n, density, seed):
    """Similarities of a random graph, with the largest eigenvalue 1."""
    graph = random_array((n, n), density=density, rng=seed)
    graph = graph + graph.T + eye_array(n)
    root = 1 / np.sqrt(graph.sum(axis=1))
    return csr_array(graph.multiply(root[:, None]).multiply(root[None]))


CLIQUES = block_diag([np.full((25, 25), 1 / 25)] * 16)
PROBLEMS = {
    "few rows": (normalized(60, 0.1, 0), 60),
    "one of many": (normalized(300, 0.05, 1), 1),
    "restarts": (normalized(500, 0.01, 2), 60),
    "components": (block_diag([normalized(40, 0.2, seed) for seed in range(10)]), 20),
    "equal rows": (CLIQUES, 10),
    "more than the rank": (CLIQUES, 40),
    "nothing": (csr_array((200, 200)), 5),
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_they_are_those_of_a_dense_solver(name):
    matrix, n_values = PROBLEMS[name]
    value, vector = largest_eigenpairs(csr_array(matrix), n_values)
    wanted = np.linalg.eigvalsh(matrix.toarray())[::-1][:n_values]
    np.testing.assert_allclose(value, wanted, atol=1e-9)
    np.testing.assert_allclose(matrix @ vector, vector * value, atol=1e-6)
    np.testing.assert_allclose(vector.T @ vector, np.eye(n_values), atol=1e-10)
