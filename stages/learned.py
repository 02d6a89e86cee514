"""Say which models of the zoo have learned: their probes against those of untrained controls."""

from __future__ import annotations

from simcons.core.paths import Paths
from simcons.study import stage


def main() -> None:
    """Write metrics/zoo.json and zoo_models.json."""
    study = stage.start()
    from simcons.core.files import write_json
    from simcons.models.zoo.learned import learned, learned_summary, zoo_headline
    from simcons.study.results import read_probes

    paths = Paths()
    zoo = study.model_table().loc[sorted(study.zoo)]
    zoo = zoo.assign(objective=[study.zoo_spec(name).objective for name in zoo.index])
    held_out, margin = study.held_out(), study.zoo_learned.margin
    table = learned(read_probes(study, paths), zoo, held_out, margin)
    summary = learned_summary(table, held_out, margin)
    write_json(paths.metrics / "zoo_models.json", summary)
    write_json(paths.metrics / "zoo.json", zoo_headline(summary))


if __name__ == "__main__":
    stage.script(main)
