"""Draw every figure of the study."""

from __future__ import annotations

from simcons.core.paths import Paths
from simcons.study import stage


def main() -> None:
    """Write metrics/figures: PNG, PDF and captions.json."""
    study = stage.start()
    from simcons.figures import save_all
    from simcons.figures.from_study import figure_inputs

    paths = Paths()
    save_all(figure_inputs(study, paths), paths.figures)


if __name__ == "__main__":
    stage.script(main)
