from __future__ import annotations

import pytest

from shared.providers.runpod.address import openai_url, worker_url


@pytest.mark.parametrize(
    "url",
    [
        "https://api.runpod.ai/v2/abc123",
        "https://api.runpod.ai/v2/abc123/",
        "https://api.runpod.ai/v2/abc123/run",
        "https://api.runpod.ai/v2/abc123/runsync/",
        "https://api.runpod.ai/v2/abc123/runsync?wait=9000",
        "https://api.runpod.ai/v2/abc123/openai/v1",
        "https://api.runpod.ai/v2/abc123/openai/v1/chat/completions",
        "https://api.runpod.ai/v2/abc123/status/some-job#x",
        "api.runpod.ai/v2/abc123",
        "abc123",
        " abc123/ ",
    ],
)
def test_every_spelling_names_the_same_endpoint(url: str) -> None:
    assert worker_url(url) == "https://api.runpod.ai/v2/abc123"
    assert openai_url(url) == "https://api.runpod.ai/v2/abc123/openai/v1"


def test_an_endpoint_may_be_called_like_a_route() -> None:
    assert worker_url("https://api.runpod.ai/v2/run/run") == "https://api.runpod.ai/v2/run"


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000", "http://127.0.0.1:8000/", "http://127.0.0.1:8000/runsync"])
def test_the_local_api_keeps_its_host(url: str) -> None:
    assert worker_url(url) == "http://127.0.0.1:8000"


def test_a_mirror_of_the_cloud_keeps_its_host_and_path() -> None:
    assert worker_url("http://proxy:81/runpod/v2/abc/openai/v1/") == "http://proxy:81/runpod/v2/abc"
