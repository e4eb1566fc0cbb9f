import pytest

from brain_tumor.data.loaders import automatic_workers


@pytest.mark.parametrize(
    ("cores", "processes", "device", "workers"),
    [
        (1, 1, "cpu", 0),
        (2, 1, "cpu", 0),
        (4, 1, "cpu", 1),
        (2, 2, "cpu", 0),
        (64, 1, "cpu", 2),
        (1, 1, "cuda", 0),
        (2, 1, "cuda", 1),
        (16, 1, "cuda", 8),
        (16, 4, "cuda", 3),
        (4, 8, "cuda", 0),
    ],
)
def test_workers_leave_training_its_cores(cores, processes, device, workers):
    number, reason = automatic_workers(processes, device, cores)

    assert number == workers
    assert f"{cores} cores for {processes} process" in reason
    assert processes * (number + 1) <= max(cores, processes)


def test_the_cores_of_this_process_are_counted(monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 3, 5}, raising=False)

    assert automatic_workers(1, "cuda")[1].startswith("3 cores for 1 process:")
