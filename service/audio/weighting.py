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
    and in the state of the filter where it begins.

    The state has two modes, complex numbers that decay by a constant factor from row to row. Their
    real and imaginary parts are the columns of a matrix of states.
    """

    def __init__(self, rate: int, channels: int) -> None:
        self._matrices = _matrices(rate)
        self._modes = np.zeros((len(self._matrices.decays), channels, 1), np.complex64)
        self._rest = np.zeros((channels, 0), np.float32)

    def push(self, samples: Planes) -> Planes:
        """Filter the next samples; those of an incomplete row wait for the next call.

        Parameters
        ----------
        samples : float32 [shape=(n_channels, n_samples)]

        Returns
        -------
        weighted : float32 [shape=(n_channels, n_weighted)]
        """
        samples = np.concatenate([self._rest, samples], axis=1)
        whole = samples.shape[1] // ROW * ROW
        self._rest = samples[:, whole:]
        return self._rows(samples[:, :whole].reshape(len(samples), -1, ROW))

    def flush(self) -> Planes:
        """Filter the samples that wait."""
        waiting = self._rest.shape[1]
        missing = np.zeros((len(self._rest), -waiting % ROW), np.float32)
        return self.push(missing)[:, :waiting]

    def _rows(self, rows: Planes) -> Planes:
        """Filter rows; [shape=(n_channels, n_rows, ROW)]."""
        of_samples, to_states, of_states, decays = self._matrices
        added = _product(rows, to_states).view(np.complex64)
        states = np.empty_like(added)
        for mode, decay in enumerate(decays.tolist()):
            inputs = np.concatenate([self._modes[mode], added[..., mode]], axis=1)
            run = _decaying_sum(inputs, decay)
            states[..., mode] = run[:, :-1]
            self._modes[mode] = run[:, -1:]
        weighted = _product(rows, of_samples)
        weighted += _product(states.view(np.float32), of_states)
        return weighted.reshape(len(rows), -1)


def _decaying_sum(inputs: NDArray[np.complex64], decay: complex) -> NDArray[np.complex64]:
    """Return the sum, at each place, of all inputs so far, each decayed by its distance.

    Each pass doubles the distance that a sum reaches back.
    """
    reach = 1
    while reach < inputs.shape[1] and abs(decay) ** reach > FORGOTTEN:
        inputs[:, reach:] += np.complex64(decay**reach) * inputs[:, :-reach]
        reach *= 2
    return inputs


class _Matrices(NamedTuple):
    """What a filter makes of a row.

    Attributes
    ----------
    of_samples : float32 [shape=(ROW, ROW)]
        Samples to output.
    to_states : float32 [shape=(ROW, 4)]
        Samples to what they add to the state.
    of_states : float32 [shape=(4, ROW)]
        State at the beginning of a row to output.
    decays : complex128 [shape=(2,)]
    """

    of_samples: Planes
    to_states: Planes
    of_states: Planes
    decays: NDArray[np.complex128]


@cache
def _matrices(rate: int) -> _Matrices:
    """Return what the K-weighting makes of a row, from the partial fractions of the filter.

    After the first sample, its answer to an impulse is the sum of ``residue * pole**time``.
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
    return _Matrices(
        np.where(delay >= 0, impulse[delay], 0).astype(np.float32),
        _columns(added.T).astype(np.float32),
        _columns(output.conj().T).T.astype(np.float32),
        poles**ROW,
    )


def _columns(values: NDArray[np.number]) -> NDArray[np.float64]:
    """Return the real and the imaginary part of each column as two columns."""
    return np.stack([values.real, values.imag], axis=-1).reshape(len(values), -1)


def _product(rows: Planes, matrix: Planes) -> Planes:
    """Multiply rows by a matrix; [shape=(n_channels, n_rows, n_columns)]."""
    count = PRODUCTS // matrix.size
    whole = rows.shape[1] // count * count
    product = np.empty((*rows.shape[:2], matrix.shape[1]), np.float32)
    for channel, into in zip(rows, product, strict=True):
        np.matmul(
            channel[:whole].reshape(-1, count, channel.shape[1]),
            matrix,
            out=into[:whole].reshape(-1, count, matrix.shape[1]),
        )
        np.matmul(channel[whole:], matrix, out=into[whole:])
    return product
