"""K-weighting of ITU-R BS.1770-5: how much each frequency counts for loudness."""

import math
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Planes = NDArray[np.float32]

SHELF_HZ, SHELF_Q, SHELF_DB = 1681.974450955533, 0.7071752369554196, 3.999843853973347
SHELF_BAND = 0.4996667741545416  # exponent of the band gain
HIGH_PASS_HZ, HIGH_PASS_Q = 38.13547087602444, 0.5003270373238773

ROW = 32  # samples
GROUP = 16  # rows
STATE = 4  # numbers: the real and the imaginary parts of two modes
PRODUCTS = 2**17  # of numbers at a time: BLAS starts threads for more, which wait at full load
FORGOTTEN = 1e-9  # the share of a state that is left out


@cache
def k_weighting(rate: int) -> NDArray[np.float64]:
    """Return the K-weighting filter at any sample rate: a high shelf, then a high pass.

    The standard has coefficients for 48 kHz only. These are De Man's (2014), which give them there.

    Returns
    -------
    sections : float64 [shape=(2, 6)]
        As `scipy.signal.sosfilt` takes them. Each has a pair of complex poles.
    """
    tangent, gain = math.tan(math.pi * SHELF_HZ / rate), 10 ** (SHELF_DB / 20)
    band = gain**SHELF_BAND * tangent / SHELF_Q
    shelf = [gain + band + tangent**2, 2 * (tangent**2 - gain), gain - band + tangent**2]
    shelf_poles = _poles(tangent, SHELF_Q)
    high_pass_poles = _poles(math.tan(math.pi * HIGH_PASS_HZ / rate), HIGH_PASS_Q)
    return np.array(
        [
            [*(np.array(shelf) / shelf_poles[0]), *(shelf_poles / shelf_poles[0])],
            [1, -2, 1, *(high_pass_poles / high_pass_poles[0])],
        ]
    )


def _poles(tangent: float, q: float) -> NDArray[np.float64]:
    """Return the denominator of a second-order section."""
    return np.array(
        [1 + tangent / q + tangent**2, 2 * (tangent**2 - 1), 1 - tangent / q + tangent**2]
    )


class KWeighting:
    """Filters the channels of a recording, piece by piece.

    `scipy.signal.sosfilt` computes a sample at a time, since each needs the one before. Here a row
    of samples is computed at a time, by matrices: what comes out of a row is linear in its samples
    and in the state of the filter where it begins. The states of a group of rows are in turn linear
    in what its rows add to them and in the state where the group begins.
    """

    def __init__(self, rate: int, channels: int) -> None:
        self._matrices = _matrices(rate)
        self._state = np.zeros((channels, 1, STATE), np.float32)
        self._rest = np.zeros((channels, 0), np.float32)

    def push(self, samples: Planes) -> Planes:
        """Filter the next samples; those of an incomplete group wait for the next call.

        Parameters
        ----------
        samples : float32 [shape=(n_channels, n_samples)]

        Returns
        -------
        weighted : float32 [shape=(n_channels, n_weighted)]
        """
        channels, waiting = self._rest.shape
        groups = (waiting + samples.shape[1]) // (GROUP * ROW)
        if not groups:
            self._rest = np.concatenate([self._rest, samples], axis=1)
            return np.zeros((channels, 0), np.float32)
        head = -waiting % ROW
        end = groups * GROUP * ROW - waiting
        lead = np.concatenate([self._rest, samples[:, :head]], axis=1)
        rows = np.empty((channels, groups * GROUP, ROW + STATE), np.float32)
        n_lead = lead.shape[1] // ROW
        rows[:, :n_lead, :ROW] = lead.reshape(channels, n_lead, ROW)
        rows[:, n_lead:, :ROW] = samples[:, head:end].reshape(channels, -1, ROW)
        self._rest = samples[:, end:]
        rows[..., ROW:] = self._states(rows[..., :ROW])
        flat = rows.reshape(-1, ROW + STATE)
        return _product(flat, self._matrices.output).reshape(channels, -1)

    def flush(self) -> Planes:
        """Filter the samples that wait."""
        channels, waiting = self._rest.shape
        missing = np.zeros((channels, -waiting % (GROUP * ROW)), np.float32)
        return self.push(missing)[:, :waiting]

    def _states(self, rows: Planes) -> Planes:
        """Return the state where each row begins; [shape=(n_channels, n_rows, STATE)]."""
        of = self._matrices
        channels, n_rows, _ = rows.shape
        added = _product(rows.reshape(-1, ROW), of.added).reshape(-1, GROUP * STATE)
        ends = _product(added, of.ends).reshape(channels, -1, STATE)
        starts = np.concatenate([self._state, ends], axis=1)
        for doubling, decay in enumerate(of.decays):  # each doubles how far a sum reaches back
            reach = 2**doubling
            starts[:, reach:] += starts[:, :-reach] @ decay
        self._state = starts[:, -1:]
        states = _product(added, of.inner)
        states += _product(starts[:, :-1].reshape(-1, STATE), of.outer)
        return states.reshape(channels, n_rows, STATE)


class _Matrices(NamedTuple):
    """What a filter makes of rows and groups.

    Attributes
    ----------
    output : float32 [shape=(ROW + STATE, ROW)]
        Samples of a row and the state where it begins to what comes out.
    added : float32 [shape=(ROW, STATE)]
        Samples of a row to what they add to the state.
    inner : float32 [shape=(GROUP * STATE, GROUP * STATE)]
        What the rows of a group add to the states where its rows begin.
    outer : float32 [shape=(STATE, GROUP * STATE)]
        The state where a group begins to its share of the states where its rows begin.
    ends : float32 [shape=(GROUP * STATE, STATE)]
        What the rows of a group add to the state where it ends.
    decays : sequence of float32 [shape=(STATE, STATE)]
        What is left of a state after a group, two groups, four groups and so on.
    """

    output: Planes
    added: Planes
    inner: Planes
    outer: Planes
    ends: Planes
    decays: tuple[Planes, ...]


@cache
def _matrices(rate: int) -> _Matrices:
    """Return what the K-weighting makes of a row, from the partial fractions of the filter.

    After the first sample, its answer to an impulse is the sum of ``residue * pole**time``. A state
    has two modes, complex numbers that decay by ``pole**ROW`` from row to row.
    """
    shelf, high_pass = k_weighting(rate)
    numerator, denominator = (
        np.polymul(shelf[part], high_pass[part]) for part in (slice(0, 3), slice(3, 6))
    )
    poles = np.array([np.roots(section[3:])[0] for section in (shelf, high_pass)])
    residues = np.polyval(numerator, poles) / np.polyval(np.polyder(denominator), poles)
    time = np.arange(ROW)
    powers = poles[:, None] ** time
    answer = 2 * (residues[:, None] * powers).real.sum(axis=0)  # the other poles are conjugates
    impulse = np.concatenate([numerator[:1], answer[:-1]])
    delay = time - time[:, None]
    scale = 1 / np.abs(residues)[:, None]  # makes a state as large as what it adds to the output
    added, output = powers[:, ::-1] / scale, 2 * residues[:, None] * powers * scale
    of_samples = np.where(delay >= 0, impulse[delay], 0)
    of_states = _columns(output.conj().T).T
    return _Matrices(
        np.concatenate([of_samples, of_states]).astype(np.float32),
        _columns(added.T).astype(np.float32),
        *_between_rows(poles**ROW),
    )


def _between_rows(
    factors: NDArray[np.complex128],
) -> tuple[Planes, Planes, Planes, tuple[Planes, ...]]:
    """Return `inner`, `outer`, `ends` and `decays` of modes that decay from row to row."""
    after = [_decay(factors**rows) for rows in range(GROUP)]
    none = np.zeros((STATE, STATE))
    inner = np.block(
        [[after[to - 1 - at] if to > at else none for to in range(GROUP)] for at in range(GROUP)]
    )
    decays: list[Planes] = []
    while np.abs(left := factors ** (GROUP * 2 ** len(decays))).max() > FORGOTTEN:
        decays.append(_decay(left).astype(np.float32))
    return (
        inner.astype(np.float32),
        np.hstack(after).astype(np.float32),
        np.vstack(after[::-1]).astype(np.float32),
        tuple(decays),
    )


def _decay(factors: NDArray[np.complex128]) -> NDArray[np.float64]:
    """Return the matrix that multiplies the modes of a state, as columns, by complex factors."""
    blocks = np.zeros((STATE, STATE))
    for mode, factor in enumerate(factors):
        place = slice(2 * mode, 2 * mode + 2)
        blocks[place, place] = [[factor.real, factor.imag], [-factor.imag, factor.real]]
    return blocks


def _columns(values: NDArray[np.number]) -> NDArray[np.float64]:
    """Return the real and the imaginary part of each column as two columns."""
    return np.stack([values.real, values.imag], axis=-1).reshape(len(values), -1)


def _product(rows: Planes, matrix: Planes) -> Planes:
    """Multiply rows by a matrix; [shape=(n_rows, n_columns)]."""
    count = PRODUCTS // matrix.size
    whole = len(rows) // count * count
    product = np.empty((len(rows), matrix.shape[1]), np.float32)
    np.matmul(
        rows[:whole].reshape(-1, count, rows.shape[1]),
        matrix,
        out=product[:whole].reshape(-1, count, matrix.shape[1]),
    )
    np.matmul(rows[whole:], matrix, out=product[whole:])
    return product
