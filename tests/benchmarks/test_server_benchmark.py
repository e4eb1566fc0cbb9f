"""The benchmark of the server runs, and its hostile requests end in answers."""

import pytest
import server


@pytest.mark.long
def test_servers_answer_and_are_timed():
    tiny = ["model.widths=[8,16,16,16]", "data.image_size=32", "data.patients=40", "trainer.max_epochs=1"]
    found = server.measure(seconds=0.5, requests=800, model=tiny, clients=(1, 4))
    server.tell(found)

    assert set(found["hostile"]["statuses"]) <= {"200", "422"}
    assert set(found["good"]["statuses"]) <= {"200", "429"}
    assert found["hostile"]["requests"] == found["good"]["requests"] == 800
    assert found["server"]["4"]["images_per_second"] > 0
