"""What a sweep costs beside training."""

import pytest
import sweep_overhead


@pytest.mark.slow
def test_a_further_job_costs_little():
    """1.0 to 1.3 s were measured on two busy cores, most of it the job's own report; fresh processes take over 6 s."""
    measured = sweep_overhead.measure(4)
    print(measured)
    assert measured["overhead_of_a_further_job_s"] < 3
