import numpy as np
import pytest
from sklearn.linear_model import Ridge

from napari_calm.decoding.ridge_path import RidgePath


@pytest.mark.parametrize("n_features", [8, 60])
def test_every_penalty_gives_what_scikit_learn_gives(n_features):
    rng = np.random.default_rng(0)
    design = rng.standard_normal((40, n_features))
    outputs = rng.standard_normal((40, 3))
    weights = rng.uniform(0.2, 2, 40)
    weights /= weights.mean()
    test = rng.standard_normal((7, n_features))
    penalties = np.array([1e-4, 1e-2, 1.0])
    path = RidgePath(design, weights)
    found = path.predictions(outputs, test, penalties)
    for penalty, said in zip(penalties, found, strict=True):
        ridge = Ridge(alpha=penalty * 40).fit(design, outputs, sample_weight=weights)
        np.testing.assert_allclose(said, ridge.predict(test), rtol=1e-6, atol=1e-8)
        coefficients, intercept = path.coefficients(outputs, penalty)
        np.testing.assert_allclose(test @ coefficients + intercept, said, atol=1e-8)
