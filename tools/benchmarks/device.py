"""The cost of an answer on the device: its download, start, time and memory, in Chromium.

The browser is bound to one processor, as the service's part of the comparison is.
"""

import base64
import os
import shutil
import statistics
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import sync_playwright

from service.settings import Settings
from tools import device, site
from tools.benchmarks import cost
from tools.browser import HEADLESS
from tools.server import resident_mb
from tools.static import hosting

REPEATS = 9
ANSWER = """async (file) => {
  const { analyze } = await import("./device/answer.js");
  const bytes = Uint8Array.from(atob(file), (letter) => letter.charCodeAt(0));
  const started = performance.now();
  await analyze(new Blob([bytes]), true);
  return performance.now() - started;
}"""


@dataclass(frozen=True)
class Measured:
    """What an answer on the device costs.

    Attributes
    ----------
    files : dict of int
        Bytes that are downloaded, by part.
    start : float
        Time from the first use to its answer, less a later one, ms; the files are on this machine.
    answers : dict of float
        Median time from the encoded recording to the answer, ms, by format.
    service : dict of float
        Processor time of the same stages in the service, ms, by format.
    idle_mb, started_mb : float
        Memory of the page's process before the first answer and after all.
    browser : str
    """

    files: dict[str, int]
    start: float
    answers: dict[str, float]
    service: dict[str, float]
    idle_mb: float
    started_mb: float
    browser: str


def measured(repeats=REPEATS):
    """Measure answers in a browser on one processor."""
    clips = cost.clips()
    with tempfile.TemporaryDirectory() as folder, one_processor():
        site.build(Path(folder) / "site", device.fetch(), Settings())
        (Path(folder) / "site" / "index.html").write_text("<title>Fifteen</title>")
        files = _parts(Path(folder) / "site" / "device")
        with hosting(Path(folder) / "site") as origin, sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=HEADLESS
            )
            page = browser.new_page()
            page.add_init_script("Object.defineProperty(globalThis, 'caches', {value: undefined})")
            page.goto(origin)
            idle = _page_mb(browser)
            sent = {name: base64.b64encode(data).decode() for name, data in clips.items()}
            first = page.evaluate(ANSWER, next(iter(sent.values())))
            taken = {
                name: statistics.median(page.evaluate(ANSWER, data) for _ in range(repeats))
                for name, data in sent.items()
            }
            started, version = _page_mb(browser), browser.version
            browser.close()
        service = {name: cost.stages(data, repeats).total for name, data in clips.items()}
    start = first - next(iter(taken.values()))
    return Measured(files, start, taken, service, idle, started, version)


@contextmanager
def one_processor():
    """Bind this process, and those that it starts, to one processor."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _parts(folder):
    """Return the size of each part of the download, bytes."""
    sizes = {path.name: path.stat().st_size for path in folder.iterdir()}
    model = sum(size for name, size in sizes.items() if ".onnx" in name)
    runtime = sum(size for name, size in sizes.items() if name.startswith("ort"))
    return {"model": model, "runtime": runtime, "rest": sum(sizes.values()) - model - runtime}


def _page_mb(browser):
    """Return the memory of the largest process that has a page, MB."""
    found = browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")["processInfo"]
    return max(resident_mb(each["id"]) for each in found if each["type"] == "renderer")


def page(machine, found):
    """Return the page."""
    rows = "\n".join(
        f"| {name} | {time:.0f} | {found.service[name]:.0f} | {time / found.service[name]:.1f} |"
        for name, time in found.answers.items()
    )
    sizes = {name: f"{size / 1e6:.2f}" for name, size in found.files.items()}
    return PAGE.format(
        machine=machine,
        browser=found.browser,
        total=sum(found.files.values()) / 1e6,
        **sizes,
        start=found.start,
        rows=rows,
        idle=found.idle_mb,
        started=found.started_mb,
        more=found.started_mb - found.idle_mb,
        seconds=cost.SECONDS,
    )


PAGE = """\
# Answers on the device

*Written by `python -m tools.benchmarks --device`; run it again rather than edit.*

The web app can answer on the phone itself: the browser decodes, JavaScript computes the
spectrograms, and [ONNX Runtime Web](https://onnxruntime.ai) (MIT) runs the shipped model. It then
works without a network, and sends no recording. Each answer says which of the two gave it.

## For operators

`make device` writes the folder `device/`. It needs npm, which brings the one pinned version of
ONNX Runtime Web; a package with another SHA-512 is refused. `FIFTEEN_DEVICE=device` serves the
folder below `/device/`, from the service's own origin. Without the setting nothing is offered.
The image that `docker build --target with-device .` builds has the folder, and serves it.

The folder has the default model of the moment. Write it again after a change of the model; people
who have it are offered the update on the page *About and settings*.

`make site` writes `site/`: the web app alone, for a static host such as GitHub Pages. It works
below any path. There is no service behind it, and its texts say so. The host should send
`Content-Security-Policy: frame-ancestors 'none'`; everything else is in the page.

## What an answer has

Verdict, genres, mood, emotions with intervals and percentiles, the timeline, and the warnings
`clipped`, `very_quiet`, `narrow_band` and `out_of_phase`. Tempo, key, loudness, audio-features,
embedding, labels of your own and the sentence of the verdict are left out. So are the operator's
names for genres, and the warning `damaged`. Clipping is found where samples are at full scale,
not in the flat tops of a lossy recording.

Spectrograms are within 0.05 dB of the service's wherever the two decode the same sound, and every
probability and emotion is within 0.01. `tests/mobile_client/test_device_sound.py` and
`tests/mobile_client/test_device.py` check both in Chromium, on signals and on nine encodings.
Every number of the front-end, of the verdict and of the model is written by `tools.device` from
the module that owns it; the filter of the resampler is measured.

A recording that the browser cannot decode goes to the service, for example AIFF or WMA in
Chromium; the page says so before the download. On a static host it is refused.

## What it costs

Chromium {browser}, bound to one processor of {machine}.

| download | MB |
| --- | --- |
| model, in gzip | {model} |
| ONNX Runtime Web, in gzip | {runtime} |
| the rest | {rest} |
| together | {total:.2f} |

The first answer after a start takes {start:.0f} ms more than those after it: the files, here from
this machine, are unpacked and compiled. The page's process has {idle:.0f} MB before the first
answer and {started:.0f} MB after some, {more:.0f} MB more.

| {seconds} s of | on the device, ms | in the service, ms | ratio |
| --- | --- | --- | --- |
{rows}

Times are medians from the encoded bytes to the answer. Those of the service are processor time of
decoding, spectrogram and network, in the same run on the same processor.

## Not measured

The figures are those of Chromium on the machine above. In Firefox and WebKitGTK, a test holds the
answer to one clip to the service's, without a time. No phone and no Safari was tried. Battery and
heat were not measured, nor the download over a mobile network. More than one thread was not tried:
it needs a page that is isolated from other origins. The runtime's WebGPU was not tried: it is a
much larger download.
"""
