"""The workflow runs what this repository has, and publishes nothing that did not pass."""

import re
import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FILE = ROOT / ".github" / "workflows" / "ci.yml"
WORKFLOW = yaml.safe_load(FILE.read_text())
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


@pytest.mark.parametrize(
    "checker",
    [
        ["check-jsonschema", "--builtin-schema", "vendor.github-workflows"],
        ["zizmor", "--offline", "--strict-collection", "--quiet"],
    ],
    ids=lambda checker: checker[0],
)
def test_the_checkers_of_workflows_find_nothing(checker):
    """The published schema, and zizmor: actions by commit, no stored password, no injection."""
    command = shutil.which(checker[0], path=sysconfig.get_path("scripts"))
    if not command:
        pytest.skip(f"{checker[0]} is not installed: the workflow was not checked with it")
    done = subprocess.run(
        [command, *checker[1:], FILE], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_comment_of_an_action_names_its_version():
    used = re.findall(r"uses: (.*)", FILE.read_text())
    assert used
    for action in used:
        assert re.match(r"[\w.-]+/[\w.-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action)
