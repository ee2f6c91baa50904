"""The installed wheel with base dependencies alone (``make smoke``): learn, save, load, command line."""

import importlib.util
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from sklearn.datasets import load_iris

import semigen


def main() -> None:
    """Fail where the wheel lacks a file, a dependency or its command."""
    assert "site-packages" in semigen.__file__, "this is a checkout, not the wheel"
    assert (Path(semigen.__file__).parent / "py.typed").exists()
    assert (Path(semigen.__file__).parent / "reporting/templates/report.html").exists()
    assert (Path(semigen.__file__).parent / "labeling/static/app.js").exists()
    assert not importlib.util.find_spec("torch")
    X, truth = load_iris(return_X_y=True)
    y = np.where(np.arange(150) % 10 == 0, truth, -1)
    model = semigen.AutoClassifier(n_mixtures=8).fit(X, y)
    assert model.score(X, truth) > 0.9
    try:
        semigen.deep.VAEClassifier  # noqa: B018
    except semigen.exceptions.MissingExtraError as error:
        cure = str(error)
    assert "semigen[deep]" in cure
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "iris.semigen"
        semigen.save(model, path)
        np.testing.assert_array_equal(semigen.load(path).predict_proba(X), model.predict_proba(X))
        command = str(Path(sys.executable).parent / "semigen")
        for arguments in (["--help"], ["--version"], ["demo"]):
            subprocess.run([command, *arguments], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        assert list(Path(folder).rglob("summary.json"))
    print(f"semigen {semigen.__version__}: the wheel works")


if __name__ == "__main__":
    main()
