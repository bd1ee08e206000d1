"""``python -m training``: from a corpus to a model, step by step."""

import argparse
import os
import sys
from pathlib import Path

import numpy as np

from training.data.corpus import CorpusError
from training.data.dataset import Dataset
from training.data.prepare import prepare
from training.data.takes import FrontEndMismatchError
from training.evaluation.evaluate import evaluate
from training.fit.config import ConfigError, read_config
from training.fit.loop import TrainingDivergedError
from training.fit.run import RunMismatchError
from training.fit.train import train
from training.parallel import ENGINES, RayMissingError
from training.release.card import DescriptionError
from training.release.export import ExportMismatchError, export
from training.release.markdown import markdown_measured
from training.release.page import report
from training.studies.compare.comparison import compare
from training.studies.compare.sample import FAST, FULL
from training.studies.danceability import study
from training.studies.learning_curve import learning_curve
from training.synthesis.dance import GENRES, synthesise
from training.synthesis.phone import BIT_RATES, encode


def main() -> int:
    """Run one command; return the exit status."""
    arguments = _parser().parse_args()
    try:
        arguments.command(arguments)
    except (
        RunMismatchError,
        ConfigError,
        CorpusError,
        DescriptionError,
        ExportMismatchError,
        FileNotFoundError,
        FrontEndMismatchError,
        RayMissingError,
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
    command.add_argument("dataset", type=Path)
    command.add_argument("--jobs", type=_positive, help="processes; one a processor")
    command.add_argument("--engine", choices=ENGINES, default="processes", help="ray: a cluster")
    command.add_argument("--split-seed", type=int, default=0, help="of a corpus without a split")
    command.set_defaults(command=_prepare)

    command = commands.add_parser("train", help="spectrograms -> models, one for each seed")
    command.add_argument("config", type=Path, help="TOML: a table `training`")
    command.add_argument("dataset", type=Path)
    command.add_argument("runs", type=Path)
    command.add_argument("--seeds", type=_positive, default=3, help="how many")
    command.add_argument("--fixed-only", action="store_true", help="no folds, no left-out sources")
    command.add_argument("--jobs", type=_positive, default=os.cpu_count(), help="processes")
    command.set_defaults(command=_train)

    command = commands.add_parser("evaluate", help="runs -> figures over all seeds")
    command.add_argument("dataset", type=Path)
    command.add_argument("runs", type=Path)
    command.set_defaults(command=_evaluate)

    command = commands.add_parser("export", help="evaluated runs -> the best one as ONNX")
    command.add_argument("config", type=Path, help="TOML: a table `card`")
    command.add_argument("dataset", type=Path)
    command.add_argument("runs", type=Path)
    command.add_argument("models", type=Path)
    command.set_defaults(command=_export)

    command = commands.add_parser("report", help="evaluated runs and a model -> its card, pictures")
    command.add_argument("model", type=Path, help="as exported")
    command.add_argument("dataset", type=Path)
    command.add_argument("runs", type=Path)
    command.set_defaults(command=_report)
    _add_tools(commands)
    return parser


def _add_tools(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add what is not a step from a corpus to a model."""
    command = commands.add_parser("danceability", help="fit the formula anew, and its evidence")
    command.add_argument("corpus", type=Path, help="with manifests that have the references")
    command.add_argument("report", type=Path, help="Markdown, written anew")
    command.add_argument("--jobs", type=_positive, default=os.cpu_count(), help="processes")
    command.set_defaults(command=_danceability)

    command = commands.add_parser("learning-curve", help="what more recordings would bring")
    command.add_argument("config", type=Path, help="TOML: a table `training`")
    command.add_argument("dataset", type=Path)
    command.add_argument("runs", type=Path, help="where descriptors are kept")
    command.add_argument("report", type=Path, help="Markdown, written anew")
    command.add_argument("--jobs", type=_positive, default=os.cpu_count(), help="processes")
    command.set_defaults(command=_learning_curve)

    command = commands.add_parser("compare", help="the systems that this one descends from")
    command.add_argument("corpus", type=Path, help="with a manifest, or genre/album/track.*")
    command.add_argument("work", type=Path, help="where features and results are kept")
    command.add_argument("--docs", type=Path, help="for the page; docs, or WORK where it is fast")
    command.add_argument("--fast", action="store_true", help="few recordings, one epoch: a trial")
    command.add_argument("--jobs", type=_positive, default=os.cpu_count(), help="processes")
    command.set_defaults(command=_compare)

    command = commands.add_parser("synthesise", help="dance music of nobody's, as M4A")
    command.add_argument("genre", choices=GENRES)
    command.add_argument("file", type=Path)
    command.add_argument("--seconds", type=_positive, default=15)
    command.add_argument("--seed", type=int, default=0)
    command.set_defaults(command=_synthesise)


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not positive")
    return value


def _prepare(arguments: argparse.Namespace) -> None:
    prepare(
        arguments.corpus,
        arguments.dataset,
        arguments.jobs,
        arguments.split_seed,
        arguments.engine,
    )


def _train(arguments: argparse.Namespace) -> None:
    train(
        Dataset(arguments.dataset),
        read_config(arguments.config),
        arguments.runs,
        seeds=arguments.seeds,
        everything=not arguments.fixed_only,
        jobs=arguments.jobs,
    )


def _evaluate(arguments: argparse.Namespace) -> None:
    figures = evaluate(Dataset(arguments.dataset), arguments.runs)
    if figures.folds != figures.test:
        print("Over the folds\n\n" + markdown_measured(figures.folds))
    print("\nOn test\n\n" + markdown_measured(figures.test))


def _export(arguments: argparse.Namespace) -> None:
    dataset = Dataset(arguments.dataset)
    print(export(dataset, arguments.runs, arguments.config, arguments.models))


def _report(arguments: argparse.Namespace) -> None:
    print(report(Dataset(arguments.dataset), arguments.runs, arguments.model))


def _danceability(arguments: argparse.Namespace) -> None:
    study(arguments.corpus, arguments.report, arguments.jobs)


def _learning_curve(arguments: argparse.Namespace) -> None:
    learning_curve(
        Dataset(arguments.dataset),
        read_config(arguments.config),
        arguments.runs,
        arguments.report,
        arguments.jobs,
    )


def _compare(arguments: argparse.Namespace) -> None:
    budget = FAST if arguments.fast else FULL
    docs = arguments.docs or (arguments.work if arguments.fast else Path("docs"))
    print(compare(arguments.corpus, arguments.work, docs, budget, arguments.jobs))


def _synthesise(arguments: argparse.Namespace) -> None:
    rng = np.random.default_rng(arguments.seed)
    waveform = synthesise(arguments.genre, arguments.seconds, rng)
    arguments.file.write_bytes(encode(waveform, "aac", max(BIT_RATES)))


if __name__ == "__main__":
    sys.exit(main())
