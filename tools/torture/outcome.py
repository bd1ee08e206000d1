"""The outcome of many cases."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Outcome:
    """The outcome of some cases.

    Attributes
    ----------
    kinds : Counter
        Number of cases by kind of result.
    failed : list of str
        Findings, each with the case that reproduces it.
    slowest_seconds : float
    memory_mb : float
        Peak memory of a process.
    """

    kinds: Counter = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)
    slowest_seconds: float = 0
    memory_mb: float = 0

    def add(self, other):
        self.kinds += other.kinds
        self.failed += other.failed
        self.slowest_seconds = max(self.slowest_seconds, other.slowest_seconds)
        self.memory_mb = max(self.memory_mb, other.memory_mb)

    def __str__(self):
        lines = [f"{self.kinds.total():,} cases", *self.failed]
        lines += [f"{count:9,} {kind}" for kind, count in self.kinds.most_common()]
        lines.append(f"slowest {self.slowest_seconds:.2f} s, most memory {self.memory_mb:.0f} MB")
        return "\n".join(lines)
