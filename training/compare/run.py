"""Runs the comparison: features, embeddings, rows, page; each step only where it is not done.

A row's result is a file in the folder ``rows``, and stands until something that it is made of
changes: features, labels, the split, settings, or the code that learns.
"""

import inspect
import json
import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from scipy.stats import spearmanr
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score
from sklearn.model_selection import StratifiedGroupKFold
from tqdm import tqdm

from training.compare import classical, labels, neural, trunk
from training.compare.clips import Clip, read_clips
from training.compare.labels import FOLDS, Labels
from training.compare.page import write_page
from training.compare.parallel import in_processes
from training.compare.results import Result
from training.compare.rows import ROWS, Row
from training.compare.sample import (
    UNKNOWN,
    Answer,
    Array,
    Budget,
    Sample,
    TooFewError,
    Trial,
    Whole,
)
from training.compare.store import Store, digest, extract
