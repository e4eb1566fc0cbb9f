"""The report of a training shows test images under the saliency of a network that draws no map."""

from brain_tumor.train import train

SHORT = [
    "model.widths=[8,16,16,16]", "data.image_size=32", "data.num_workers=0", "data.batch_size=8",
    "trainer.max_epochs=1", "evaluation.resamples=20",
]  # fmt: skip


def test_a_network_without_saliency_has_a_report_all_the_same(flat_folder, tmp_path, monkeypatch, caplog):
    def refuse(*_):
        raise RuntimeError("one of the variables needed for gradient computation has been modified")

    monkeypatch.setattr("brain_tumor.pipelines.training_evaluation.saliency_maps", refuse)

    run = train(["data=folder", f"data.root={flat_folder}", *SHORT], tmp_path)

    assert "Confusion matrix" in (run.run_dir / "report.html").read_text()
    assert "The report shows no heat maps" in caplog.text
