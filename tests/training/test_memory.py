import subprocess
import sys

import pytest
import torch

from brain_tumor.training import memory

STEPS = """
import resource, sys
import torch
from brain_tumor.training.memory import keep_freed_memory

kept = keep_freed_memory() if sys.argv[1] == "keep" else False
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(50):
    torch.zeros(10_000_000).add_(1)
print(kept, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(how):
    done = subprocess.run([sys.executable, "-c", STEPS, how], capture_output=True, text=True, check=True)
    kept, number = done.stdout.split()
    return kept, int(number)


@pytest.mark.skipif(sys.platform != "linux", reason="the system's allocator is another one")
@pytest.mark.slow
def test_freed_memory_is_not_asked_for_again():
    kept, few = faults("keep")
    if kept == "False":
        pytest.skip("the allocator is not glibc's")

    assert few < faults("leave")[1] / 5


def test_other_allocators_are_left_alone(monkeypatch):
    monkeypatch.setattr(memory.platform, "libc_ver", lambda: ("musl", "1.2"))

    assert memory.keep_freed_memory() is False


def test_deterministic_mode_leaves_new_tensors_as_they_are():
    before = torch.utils.deterministic.fill_uninitialized_memory, torch.are_deterministic_algorithms_enabled()
    try:
        torch.use_deterministic_algorithms(True)
        torch.utils.deterministic.fill_uninitialized_memory = True
        memory.leave_new_tensors_unfilled()
        assert torch.utils.deterministic.fill_uninitialized_memory is False
        assert torch.are_deterministic_algorithms_enabled()
    finally:
        torch.utils.deterministic.fill_uninitialized_memory = before[0]
        torch.use_deterministic_algorithms(before[1])
