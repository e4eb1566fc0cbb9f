"""Bundles of timm networks are model folders in timm's own layout."""

import pytest
import timm
import torch
from factories import SHORT

from brain_tumor.models.protocol import memory_format
from brain_tumor.serving.bundle import read_bundle
from brain_tumor.serving.engines.eager import network_of
from brain_tumor.train import train

NETWORKS = {
    "resnet10t": ["+model.model_args.stem_width=8"],
    "resnet10t of grey images": ["+model.model_args.stem_width=8", "model.in_chans=1"],
    "vit_tiny_patch16_224": [],
}


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_timm_loads_them_with_the_same_logits(name, flat_folder, tmp_path):
    model = ["model=timm", f"model.name={name.partition(' ')[0]}", "model.pretrained=false", *NETWORKS[name]]
    short = [option for option in SHORT if not option.startswith("model.")]
    train(["data=folder", f"data.root={flat_folder}", *short, *model, "trainer.max_epochs=1"], tmp_path)

    loaded = timm.create_model(f"local-dir:{tmp_path / 'bundle'}", pretrained=True).eval()

    bundle = read_bundle(tmp_path)
    assert loaded.pretrained_cfg["label_names"] == list(bundle.classes)
    assert [*loaded.pretrained_cfg["input_size"]][1:] == [bundle.image_size] * 2
    assert tuple(loaded.pretrained_cfg["mean"]) == bundle.mean
    assert tuple(loaded.pretrained_cfg["std"]) == bundle.std
    pixels = torch.randint(0, 256, (2, 1, bundle.image_size, bundle.image_size), dtype=torch.uint8)
    ours = network_of(bundle)
    with torch.no_grad():
        images = ours.normalize(pixels).contiguous(memory_format=memory_format(loaded))
        assert torch.equal(loaded.to(memory_format=memory_format(loaded))(images), ours(pixels)[0])
