import pytest
from live import example_clip, page_url


@pytest.fixture(scope="session")
def live_page(release):
    return page_url(release)


@pytest.fixture(scope="session")
def speech_clip():
    return example_clip()
