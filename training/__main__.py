"""Trains models: from a corpus to an ONNX file with its card, step by step.

The steps are prepare, train, evaluate, export and report, in this order. The other commands are
studies and tools.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import numpy as np

from training.data.corpus import CorpusError
from training.data.dataset import Dataset, FrontEndMismatchError
from training.data.prepare import prepare
from training.data.teachers import read_targets
from training.evaluation.evaluate import evaluate
from training.fit import musicnn
from training.fit.adapt import EPOCHS, adapt
from training.fit.config import ConfigError, read_recipe
from training.fit.distill import distill
from training.fit.feature_cache import FeatureCache
from training.fit.finish import finish_file
from training.fit.loop import TrainingDivergedError
from training.fit.run import STUDENT_FILE, RunMismatchError
from training.fit.student_file import SHIPPED, StudentError
from training.fit.train import train
from training.parallel import ENGINES, RayMissingError
from training.release.export import ExportMismatchError, export
from training.release.page import measured_tables, report
from training.studies import learning_curve
from training.studies.compare.comparison import compare
from training.studies.compare.sample import FAST, FULL
from training.studies.teach import study as teach
from training.studies.tempo_key import study as tempo_key
from training.synthesis.dance import GENRES, synthesise
from training.synthesis.phone import BIT_RATES, encode

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

RECIPE = "TOML file like training/fifteen.toml"
CORPUS = "folder with a manifest, or of genre/album/track.*"


def main() -> int:
    """Run one command; return the exit status."""
    arguments = parser().parse_args()
    try:
        arguments.command(arguments)
    except (
        ConfigError,
        CorpusError,
        ExportMismatchError,
        FileNotFoundError,
        FrontEndMismatchError,
        RayMissingError,
        RunMismatchError,
        StudentError,
        musicnn.TeacherMissingError,
        TrainingDivergedError,
    ) as error:
        print(f"training: {error}", file=sys.stderr)
        return 1
    return 0


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    commands_of = argparse.ArgumentParser(
        prog="python -m training",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = commands_of.add_subparsers(required=True, metavar="COMMAND")
    _add_steps(commands)
    _add_studies(commands)
    _add_synthesiser(commands)
    return commands_of


def _add(
    commands: Commands, name: str, function: Callable[[argparse.Namespace], None], summary: str
) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=summary, description=summary)
    command.set_defaults(command=function)
    return command


def _add_paths(command: argparse.ArgumentParser, **paths: str) -> None:
    for name, summary in paths.items():
        command.add_argument(name, type=Path, help=summary)


def _add_jobs(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--jobs", type=_positive, help="number of processes; by default one per processor"
    )


def _add_steps(commands: Commands) -> None:
    """Add the steps from a corpus to a model."""
    command = _add(commands, "prepare", _prepare, "Compute the spectrograms of a corpus.")
    _add_paths(command, corpus=CORPUS, dataset="folder that gets the spectrograms")
    _add_jobs(command)
    command.add_argument(
        "--engine",
        choices=ENGINES,
        default="processes",
        help="processes of this machine (default), or a Ray cluster",
    )
    command.add_argument(
        "--split-seed", type=int, default=0, help="seed of the split of a corpus without manifest"
    )

    _add_student(commands)
    command = _add(commands, "train", _train, "Train models on a dataset.")
    _add_paths(command, recipe=RECIPE, dataset="folder of `prepare`", runs="folder for the runs")
    command.add_argument(
        "--student", type=Path, default=SHIPPED, help="file of `distill`; default the shipped one"
    )
    command.add_argument("--seeds", type=_positive, default=3, help="number of seeds; default 3")
    command.add_argument(
        "--fixed-only",
        action="store_true",
        help="only the split of the corpus: no cross-validation, no source left out",
    )
    _add_jobs(command)

    command = _add(commands, "evaluate", _evaluate, "Measure the runs on held-out recordings.")
    _add_paths(command, dataset="folder of `prepare`", runs="folder of `train`")

    command = _add(
        commands, "export", _export, "Write the model of the first seed as ONNX, with its card."
    )
    _add_paths(
        command,
        recipe=f"{RECIPE}, with a table `card`",
        dataset="folder of `prepare`",
        runs="folder of `evaluate`",
        models="folder for the model",
    )

    command = _add(commands, "report", _report, "Write the card of a model as a page.")
    _add_paths(
        command,
        model="file of `export`",
        dataset="folder of `prepare`",
        runs="folder of `evaluate`",
    )


def _add_student(commands: Commands) -> None:
    """Add the steps from a corpus and its teachers to a student."""
    command = _add(commands, "musicnn", _musicnn, "Compute the outputs of a teacher for a corpus.")
    _add_paths(command, corpus=CORPUS, teachers="folder that gets musicnn.npz")
    _add_jobs(command)

    command = _add(commands, "distill", _distill, "Train the student on the outputs of teachers.")
    _add_paths(
        command,
        recipe=RECIPE,
        dataset="folder of `prepare`",
        teachers="folder of files *.npz, see training.data.teachers",
        student="folder for the student",
    )

    command = _add(
        commands,
        "adapt",
        _adapt,
        "Train the shipped student further on a corpus, without teachers.",
    )
    _add_paths(command, dataset="folder of `prepare`", student="folder for the student")
    command.add_argument("--start", type=Path, default=SHIPPED, help="another student's file")
    command.add_argument(
        "--epochs", type=_positive, default=EPOCHS, help=f"number of epochs; default {EPOCHS}"
    )

    command = _add(
        commands, "finish", _finish, "Compute the scales and the projection of a student again."
    )
    _add_paths(
        command,
        dataset="folder of `prepare`",
        teachers="folder of files *.npz, see training.data.teachers",
        student="file of `distill`, which is written again; its weights stay",
    )


def _add_studies(commands: Commands) -> None:
    """Add the studies."""
    command = _add(
        commands,
        "tempo-key",
        _tempo_key,
        "Study: fit tempo and key for the service, and report on them and on loudness.",
    )
    _add_paths(command, corpus="folder with a manifest and tempo_key.csv", page="Markdown")
    _add_jobs(command)

    command = _add(
        commands, "teach", _teach, "Study: measure labels that are taught from few recordings."
    )
    _add_paths(
        command,
        corpus="folder with a manifest",
        records="*.jsonl of python -m service analyze CORPUS --embedding true",
        page="Markdown",
    )

    command = _add(
        commands,
        "learning-curve",
        _learning_curve,
        "Study: measure the gain from teachers, and from more recordings.",
    )
    _add_paths(
        command,
        recipe=RECIPE,
        dataset="folder of `prepare`",
        teachers="folder of files *.npz, see training.data.teachers",
        runs="folder of `train`",
        page="Markdown",
    )
    _add_jobs(command)

    command = _add(
        commands, "compare", _compare, "Study: compare the systems that preceded this one."
    )
    _add_paths(command, corpus=CORPUS, work="folder for features and results")
    command.add_argument(
        "--docs", type=Path, help="folder for the page; default docs, with --fast WORK"
    )
    command.add_argument("--teachers", type=Path, help="folder of networks trained elsewhere")
    command.add_argument("--fast", action="store_true", help="a trial: few recordings, one epoch")
    _add_jobs(command)


def _add_synthesiser(commands: Commands) -> None:
    command = _add(commands, "synthesise", _synthesise, "Tool: write synthetic dance music as M4A.")
    command.add_argument("genre", choices=GENRES)
    command.add_argument("file", type=Path)
    command.add_argument("--seconds", type=_positive, default=15)
    command.add_argument("--seed", type=int, default=0)


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


def _musicnn(arguments: argparse.Namespace) -> None:
    print(musicnn.listen(arguments.corpus, arguments.teachers, arguments.jobs))


def _distill(arguments: argparse.Namespace) -> None:
    dataset = Dataset(arguments.dataset)
    config = read_recipe(arguments.recipe).training.student
    print(distill(dataset, read_targets(arguments.teachers, dataset), config, arguments.student))


def _adapt(arguments: argparse.Namespace) -> None:
    dataset = Dataset(arguments.dataset)
    print(adapt(dataset, arguments.start, arguments.student, arguments.epochs))


def _finish(arguments: argparse.Namespace) -> None:
    dataset = Dataset(arguments.dataset)
    print(finish_file(dataset, read_targets(arguments.teachers, dataset), arguments.student))


def _train(arguments: argparse.Namespace) -> None:
    train(
        Dataset(arguments.dataset),
        arguments.student,
        read_recipe(arguments.recipe).training,
        arguments.runs,
        seeds=arguments.seeds,
        fixed_only=arguments.fixed_only,
        jobs=arguments.jobs,
    )


def _evaluate(arguments: argparse.Namespace) -> None:
    figures = evaluate(Dataset(arguments.dataset), arguments.runs).figures
    if figures.folds != figures.test:
        print("Cross-validation\n\n" + measured_tables(figures.folds))
    print("\nTest\n\n" + measured_tables(figures.test))


def _export(arguments: argparse.Namespace) -> None:
    dataset = Dataset(arguments.dataset)
    print(export(dataset, arguments.runs, arguments.recipe, arguments.models))


def _report(arguments: argparse.Namespace) -> None:
    print(report(Dataset(arguments.dataset), arguments.runs, arguments.model))


def _tempo_key(arguments: argparse.Namespace) -> None:
    tempo_key.study(arguments.corpus, arguments.page, arguments.jobs)


def _teach(arguments: argparse.Namespace) -> None:
    teach.study(arguments.corpus, arguments.records, arguments.page)


def _learning_curve(arguments: argparse.Namespace) -> None:
    dataset = Dataset(arguments.dataset)
    config = read_recipe(arguments.recipe).training
    runs = arguments.runs
    cache = FeatureCache(dataset, runs / STUDENT_FILE, config.head.copies, runs, arguments.jobs)
    inputs = learning_curve.read_inputs(dataset, read_targets(arguments.teachers, dataset), cache)
    learning_curve.study(dataset, inputs, arguments.page, n_folds=config.folds, jobs=arguments.jobs)


def _compare(arguments: argparse.Namespace) -> None:
    budget = FAST if arguments.fast else FULL
    docs = arguments.docs or (arguments.work if arguments.fast else Path("docs"))
    corpus, work, teachers = arguments.corpus, arguments.work, arguments.teachers
    print(compare(corpus, work, docs, budget, teachers=teachers, jobs=arguments.jobs))


def _synthesise(arguments: argparse.Namespace) -> None:
    rng = np.random.default_rng(arguments.seed)
    waveform = synthesise(arguments.genre, arguments.seconds, rng)
    arguments.file.write_bytes(encode(waveform, "aac", max(BIT_RATES)))


if __name__ == "__main__":
    sys.exit(main())
