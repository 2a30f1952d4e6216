"""The projects that are compared: their pinned versions and the throw-away environments that hold them."""

from __future__ import annotations

import subprocess
import venv
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.backends.build import ENVIRONMENTS, interpreter


@dataclass(frozen=True)
class Project:
    """`alone`: without dependencies. `lends`: the backends' environments (tests/backends) whose packages it sees."""

    runner: str
    versions: str
    pins: tuple[str, ...]
    alone: bool = False
    lends: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)


def _package(backend: str) -> Path:
    return next((ENVIRONMENTS / backend / "lib").glob("python3*/site-packages"), Path())


# openai-harmony would fetch its vocabulary from the network; LiteLLM's wheel has it, under the name that is looked for.
_VOCABULARY = {"TIKTOKEN_RS_CACHE_DIR": str(_package("litellm") / "litellm/litellm_core_utils/tokenizers")}

PROJECTS = {
    "vLLM": Project("with_vllm", "0.32.0", (), lends="vllm", environment=_VOCABULARY),
    "SGLang": Project(
        "with_sglang", "0.5.23", ("sglang==0.5.23", "orjson", "ipython", "traitlets"), alone=True, lends="vllm"
    ),
    "openai-harmony": Project("with_harmony", "0.0.8", ("openai-harmony==0.0.8",), environment=_VOCABULARY),
    "agent frameworks": Project(
        "with_agents",
        "langchain-classic 1.0.8, llama-index-core 0.14.25, smolagents 1.26.0",
        ("langchain-classic==1.0.8", "llama-index-core==0.14.25", "smolagents==1.26.0"),
    ),
    "Qwen-Agent": Project(
        "with_qwen_agent", "0.0.34", ("qwen-agent==0.0.34", "python-dateutil", "numpy", "soundfile", "tqdm")
    ),
}


def python(project: Project) -> Path:
    """The interpreter of a project; built first unless it is a backend's. Raises NotBuilt, CalledProcessError."""
    if not project.pins:
        return interpreter(project.lends)
    home = ENVIRONMENTS / f"parsers-{project.runner.removeprefix('with_')}"
    found, stamp, wanted = home / "bin" / "python", home / "pins", " ".join(project.pins)
    if stamp.exists() and stamp.read_text() == wanted:
        return found
    venv.create(home, with_pip=True, clear=True)
    if project.lends:
        interpreter(project.lends)
        [packages] = (home / "lib").glob("python3*/site-packages")
        (packages / "lent.pth").write_text(f"{_package(project.lends)}\n")
    options = ("--no-deps",) if project.alone else ()
    subprocess.run([found, "-m", "pip", "install", "--quiet", *options, *project.pins], check=True)
    stamp.write_text(wanted)
    return found
