"""The workflow runs what this repository has, and publishes nothing that did not pass."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
WORKFLOW = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
JOBS = WORKFLOW["jobs"]
PUBLISHING = ["image", "wheel"]


def commands(job):
    return [step["run"] for step in JOBS[job]["steps"] if "run" in step]


def test_the_tests_are_those_of_every_clone():
    assert commands("test") == ["bash .ci/run"]
    assert (ROOT / ".ci" / "run").exists()


@pytest.mark.parametrize("job", JOBS)
def test_the_commands_of_a_job_exist(job):
    makefile = (ROOT / "Makefile").read_text()
    targets = {target.replace("$(FIFTEEN_VENV)", ".venv")
               for target in re.findall(r"^([\w./$()-]+):", makefile, re.MULTILINE)}  # fmt: skip
    for command in commands(job):
        words = command.split()
        if words[0] == "make":
            assert words[1] in targets
        for path in re.findall(r"\b(?:tests|deploy|tools)/[\w./]+", command):
            assert (ROOT / path).exists()


@pytest.mark.parametrize("job", PUBLISHING)
def test_only_a_tag_that_passed_is_published(job):
    assert JOBS[job]["if"] == "startsWith(github.ref, 'refs/tags/v')"
    assert set(JOBS[job]["needs"]) == JOBS.keys() - set(PUBLISHING)


@pytest.mark.parametrize("job", JOBS)
def test_a_job_may_write_only_what_it_publishes(job):
    assert WORKFLOW["permissions"] == {"contents": "read"}
    rights = JOBS[job].get("permissions", {})
    assert ("write" in rights.values()) == (job in PUBLISHING)


def test_the_image_is_built_for_both_kinds_of_processors():
    (build,) = (
        step["with"] for step in JOBS["image"]["steps"] if "platforms" in step.get("with", "")
    )
    assert build["platforms"] == "linux/amd64,linux/arm64"
