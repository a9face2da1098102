"""What counts as memory that is used up."""

import pytest

from util.errors import WorkError
from util.memory import memory_advice


@pytest.mark.parametrize(
    "message",
    [
        "CUDA error: out of memory",
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
        "MPS backend out of memory (MPS allocated: 1.00 GiB)",
        "[enforce fail] DefaultCPUAllocator: can't allocate memory",
    ],
)
def test_every_allocator_is_understood(message):
    with pytest.raises(WorkError, match=r"^out of memory: make it smaller$"), memory_advice("make it smaller"):
        raise RuntimeError(message)


def test_other_errors_stay_what_they_are():
    with pytest.raises(RuntimeError, match="misaligned address"), memory_advice("make it smaller"):
        raise RuntimeError("CUDA error: misaligned address")
