"""What a sweep costs beside its jobs."""

import pytest
import sweep_overhead


@pytest.mark.long
def test_the_overhead_of_jobs_is_measured():
    measured = sweep_overhead.measure(2)

    assert {"overhead_of_a_further_job_s", "overhead_a_job_s"} <= set(measured)
    assert measured["overhead_a_job_s"] > 0
