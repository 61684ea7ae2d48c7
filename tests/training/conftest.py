"""Each training test starts with an Accelerate state of its own: it is global, precision and all."""

import pytest
from accelerate.state import AcceleratorState


@pytest.fixture(autouse=True)
def own_accelerate_state():
    AcceleratorState._reset_state(reset_partial_state=True)
    yield
    AcceleratorState._reset_state(reset_partial_state=True)
