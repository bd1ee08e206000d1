"""``python -m training``: prepare, train, evaluate, export."""

import argparse
import os
import sys
from dataclasses import replace
from pathlib import Path

from training.corpus import SPLITS, CorpusError
from training.evaluate import evaluate
from training.export import ExportMismatchError, export
from training.model_card import DescriptionError, markdown_figures
from training.networks import SHARING
from training.prepare import PreparedWithAnotherFrontEndError, prepare
from training.prepared import Prepared
from training.train import AnotherRunError, Config, TrainingDivergedError, train


def main() -> int:
    """Run one command; return the exit status."""
    arguments = _parser().parse_args()
    try:
        arguments.command(arguments)
    except (
        AnotherRunError,
        CorpusError,
        DescriptionError,
        ExportMismatchError,
        FileNotFoundError,
        PreparedWithAnotherFrontEndError,
        TrainingDivergedError,
    ) as error:
        print(f"training: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    commands = parser.add_subparsers(required=True)

    command = commands.add_parser("prepare", help="corpus -> spectrograms in shards")
    command.add_argument("corpus", type=Path, help="with a manifest, or genre/album/track.*")
    command.add_argument("prepared", type=Path)
    command.add_argument("--jobs", type=_positive, default=os.cpu_count(), help="processes")
    command.add_argument("--split-seed", type=int, default=0, help="of a corpus without a split")
    command.set_defaults(command=_prepare)

    defaults = Config()
    command = commands.add_parser("train", help="spectrograms -> networks, one run for each seed")
    command.add_argument("prepared", type=Path)
    command.add_argument("runs", type=Path)
    command.add_argument("--seeds", type=_positive, default=3, help="how many")
    command.add_argument("--sharing", choices=SHARING, default=defaults.sharing)
    command.add_argument("--epochs", type=_positive, default=defaults.epochs)
    command.add_argument("--batch-size", type=_positive, default=defaults.batch_size)
    command.add_argument("--learning-rate", type=float, default=defaults.learning_rate)
    command.set_defaults(command=_train)

    command = commands.add_parser("evaluate", help="runs -> figures, one table for all seeds")
    command.add_argument("prepared", type=Path)
    command.add_argument("runs", type=Path)
    command.add_argument("--split", choices=SPLITS, default="test", help="valid is for choices")
    command.set_defaults(command=_evaluate)

    command = commands.add_parser("export", help="evaluated runs -> the best one as ONNX")
    command.add_argument("prepared", type=Path)
    command.add_argument("runs", type=Path)
    command.add_argument("description", type=Path, help="TOML: what only a person can say")
    command.add_argument("folder", type=Path)
    command.set_defaults(command=_export)
    return parser


def _positive(text: str) -> int:
    """Read a number of at least one."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is not at least 1")
    return number


def _prepare(arguments: argparse.Namespace) -> None:
    prepare(arguments.corpus, arguments.prepared, arguments.jobs, arguments.split_seed)


def _train(arguments: argparse.Namespace) -> None:
    prepared = Prepared(arguments.prepared)
    config = Config(
        sharing=arguments.sharing,
        epochs=arguments.epochs,
        batch_size=arguments.batch_size,
        learning_rate=arguments.learning_rate,
    )
    for seed in range(arguments.seeds):
        train(prepared, replace(config, seed=seed), arguments.runs / f"seed-{seed}")


def _evaluate(arguments: argparse.Namespace) -> None:
    prepared = Prepared(arguments.prepared)
    print(markdown_figures(evaluate(prepared, arguments.runs, arguments.split)))


def _export(arguments: argparse.Namespace) -> None:
    path = export(
        Prepared(arguments.prepared), arguments.runs, arguments.description, arguments.folder
    )
    print(f"{path}: loaded and verified by the service")


if __name__ == "__main__":
    sys.exit(main())
