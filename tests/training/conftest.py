"""Each training test starts with an Accelerate of its own: its state is global, and one test's precision is another's."""

import pytest
from accelerate.state import AcceleratorState


@pytest.fixture(autouse=True)
def own_accelerate_state():
    AcceleratorState._reset_state(reset_partial_state=True)
    yield
    AcceleratorState._reset_state(reset_partial_state=True)
