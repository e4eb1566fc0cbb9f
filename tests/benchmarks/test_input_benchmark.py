"""The benchmark of the input pipeline still runs: small, on generated images."""

import input_pipeline
import numpy as np
import torch


def test_all_pipelines_make_batches_of_one_shape(tmp_path):
    paths = input_pipeline.write(input_pipeline.phantoms(4), tmp_path / "files")
    grey, colour = input_pipeline.Normalize(), input_pipeline.Normalize((0.5, 0.4, 0.3), (0.2, 0.2, 0.2))
    made = {
        "seed": input_pipeline.seed_pipeline(paths, 64),
        "albumentations": input_pipeline.albumentations_pipeline(paths, 64),
        "ours": input_pipeline.our_pipeline(paths, 64, tmp_path / "cache", colour),
    }

    for batches in made.values():
        (batch,) = batches()
        assert (batch.shape, batch.dtype) == ((4, 3, 64, 64), torch.float32)
        assert batch.std() > 0.05
    (batch,) = input_pipeline.our_pipeline(paths, 64, tmp_path / "cache", grey)()
    assert batch.shape == (4, 1, 64, 64)


def test_rates_are_compared(monkeypatch, tmp_path, capsys):
    clock = iter(np.arange(0, 1000, 0.5))
    monkeypatch.setattr("time.process_time", lambda: next(clock))
    pipelines = {"seed": 1, "albumentations": 2, "ours": 12}

    found = input_pipeline.compare({name: lambda n=n: [torch.zeros(n)] for name, n in pipelines.items()}, rounds=3)
    input_pipeline.tell({"images": "some", "64px": found})
    input_pipeline.plot({"images": "some", "64px": found}, tmp_path / "rates.png")

    assert found["images_per_core_second"] == {"seed": 2, "albumentations": 4, "ours": 24}
    assert found["times_as_many"] == {"ours": {"seed": 12, "albumentations": 6}}
    assert "ours / seed: 12.0 (asked: ≥ 10)" in capsys.readouterr().out
    assert (tmp_path / "rates.png").stat().st_size > 5000
