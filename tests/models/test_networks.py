import json

import pytest
import timm
import torch
from safetensors.torch import save_file
from timm.models import save_for_hf

from brain_tumor.data.normalize import Normalize
from brain_tumor.errors import ConfigError, WeightsError
from brain_tumor.models.features import features_and_logits
from brain_tumor.models.protocol import TimmNetwork, channel_statistics, steps_below_head
from brain_tumor.models.reference_cnn import ReferenceCNN
from brain_tumor.models.small_cnn import SmallCNN
from brain_tumor.models.timm_backbone import timm_backbone


def parameters(network):
    return sum(parameter.numel() for parameter in network.parameters())


def test_small_cnn_is_small_and_takes_any_size():
    network = SmallCNN(4).eval()

    assert parameters(network) <= 1_500_000
    for size in (32, 97, 224):
        assert network(torch.zeros(2, 1, size, size)).shape == (2, 4)


def test_depth_adds_blocks():
    assert parameters(SmallCNN(4, depth=2)) > parameters(SmallCNN(4))


def test_reference_cnn_has_the_parameters_of_the_study():
    assert parameters(ReferenceCNN(num_classes=2, image_size=256)) == 1_279_230


def test_reference_cnn_uses_dropout_in_training_only():
    network, images = ReferenceCNN(2, 48), torch.rand(1, 3, 48, 48)

    assert not torch.equal(network(images), network(images))
    network.eval()
    assert torch.equal(network(images), network(images))


@pytest.mark.parametrize(
    "network",
    [SmallCNN(3), ReferenceCNN(3, 48), timm_backbone("resnet18", 3, 48, pretrained=False)],
    ids=["small_cnn", "reference_cnn", "timm"],
)
def test_every_network_follows_the_protocol(network):
    steps = steps_below_head(network)

    assert isinstance(network, TimmNetwork)
    assert set(steps) == {name for name, _ in network.named_parameters()}
    head = {
        name
        for name, parameter in network.named_parameters()
        if any(parameter is p for p in network.get_classifier().parameters())
    }
    assert {name for name, step in steps.items() if step == 0} == head
    first = next(iter(steps))
    assert steps[first] == max(steps.values()) >= 4
    mean, std = channel_statistics(network)
    assert len(mean) == len(std) == next(network.parameters()).shape[1]


def test_transformer_takes_another_size():
    network = timm_backbone("vit_tiny_patch16_224", 2, image_size=64, pretrained=False)

    assert network(torch.zeros(1, 3, 64, 64)).shape == (1, 2)


def test_weights_from_a_file_are_loaded_and_the_head_is_new(tmp_path):
    donor = timm.create_model("resnet10t", num_classes=1000)
    save_file(donor.state_dict(), tmp_path / "donor.safetensors")

    network = timm_backbone("resnet10t", 3, 64, weights=str(tmp_path / "donor.safetensors"))

    assert network.get_classifier().out_features == 3
    for name, value in network.state_dict().items():
        if not name.startswith("fc."):
            torch.testing.assert_close(value, donor.state_dict()[name])


class TestNetworksFromElsewhere:
    @pytest.fixture
    def folder(self, tmp_path):
        """A network with other widths than its architecture's, in timm's layout."""
        donor = timm.create_model("resnet10t", num_classes=7, stem_width=16)
        save_for_hf(donor, tmp_path / "net", model_args={"stem_width": 16}, safe_serialization=True)
        return tmp_path / "net", donor

    def test_a_local_folder_gives_architecture_arguments_and_weights(self, folder):
        path, donor = folder
        network = timm_backbone(f"local-dir:{path}", 3, 64)

        assert network.get_classifier().out_features == 3
        torch.testing.assert_close(network.conv1[0].weight, donor.conv1[0].weight)
        assert network.resolved_arguments["name"] == "resnet10t"
        assert network.resolved_arguments["model_args"]["stem_width"] == 16
        again = timm_backbone(image_size=64, num_classes=3, pretrained=False, **network.resolved_arguments)
        again.load_state_dict(network.state_dict())

    def test_the_hub_is_asked_for_the_description_and_the_weights(self, folder, monkeypatch):
        path, donor = folder
        asked = []
        config = json.loads((path / "config.json").read_text())
        described = (config["pretrained_cfg"] | {"hf_hub_id": "some/one"}, "resnet10t", {"stem_width": 16})
        for module in ("brain_tumor.models.timm_backbone", "timm.models._factory"):
            monkeypatch.setattr(
                f"{module}.load_model_config_from_hf", lambda name, **_: asked.append(name) or described
            )
        monkeypatch.setattr("timm.models._builder.load_state_dict_from_hf", lambda *_, **__: donor.state_dict())
        monkeypatch.setattr("brain_tumor.models.hub.why_unreachable", lambda _: None)

        network = timm_backbone("hf-hub:some/one", 3, 64)

        assert asked == ["some/one", "some/one"]
        torch.testing.assert_close(network.conv1[0].weight, donor.conv1[0].weight)

    @pytest.mark.parametrize("name", ["local-dir:/nowhere", "hf-hub:some/one"])
    def test_one_that_cannot_be_read(self, name, monkeypatch):
        monkeypatch.setattr("brain_tumor.models.hub.why_unreachable", lambda _: None)
        monkeypatch.setattr("brain_tumor.models.timm_backbone.load_model_config_from_hf", _offline)

        with pytest.raises(WeightsError, match=rf"model\.name={name} cannot be read: .*local-dir|folder with config"):
            timm_backbone(name, 3, 64)


@pytest.mark.parametrize("channels", [1, 2, 5])
def test_any_number_of_input_channels(channels):
    network = timm_backbone("resnet10t", 3, 64, pretrained=False, in_chans=channels)
    mean, std = channel_statistics(network)

    assert next(network.parameters()).shape[1] == len(mean) == len(std) == channels
    assert len(set(mean)) == len(set(std)) == 1
    images = Normalize(mean, std)(torch.zeros(2, 1, 64, 64, dtype=torch.uint8))
    assert network.eval()(images).shape == (2, 3)


def test_weights_that_cannot_be_loaded(tmp_path, monkeypatch):
    save_file({"unrelated": torch.zeros(1)}, tmp_path / "unrelated.safetensors")
    monkeypatch.setattr("brain_tumor.models.hub.why_unreachable", lambda _: None)
    monkeypatch.setattr("timm.models._builder.load_state_dict_from_hf", _offline)
    monkeypatch.setattr("timm.models._builder.load_custom_from_hf", _offline)

    with pytest.raises(WeightsError, match=r"model\.weights=nowhere\.pth does not exist"):
        timm_backbone("resnet18", 2, 64, weights="nowhere.pth")
    with pytest.raises(WeightsError, match=r"it lacks 20 of the model's weights, first conv1\.weight"):
        timm_backbone("resnet18", 2, 64, weights=str(tmp_path / "unrelated.safetensors"))
    save_file(timm.create_model("resnet10t").state_dict(), tmp_path / "other.safetensors")
    with pytest.raises(WeightsError, match=r"other.safetensors does not fit model\.name=resnet18"):
        timm_backbone("resnet18", 2, 64, weights=str(tmp_path / "other.safetensors"))
    with pytest.raises(WeightsError, match=r"could not be downloaded: no network.*model\.pretrained=false"):
        timm_backbone("resnet18", 2, 64)


def _offline(*args, **kwargs):
    raise OSError("no network")


def test_unknown_names_and_options():
    with pytest.raises(ConfigError, match=r"model\.name=resnet_18: expected a timm model, for example resnet18"):
        timm_backbone("resnet_18", 2, 64)
    with pytest.raises(ConfigError, match=r"vgg11 cannot be built for data\.image_size=64: .*drop_path_rate"):
        timm_backbone("vgg11", 2, 64, pretrained=False, drop_path=0.1)


@pytest.mark.shared
@pytest.mark.parametrize("name", ["resnet18", "mobilenetv2_100", "tf_efficientnet_lite0"])
def test_real_weights_load(shared, name):
    network = timm_backbone(name, 4, 128, weights=str(shared / "weights" / f"{name}.safetensors")).eval()

    assert network(torch.zeros(1, 3, 128, 128)).dtype == torch.float32


@pytest.mark.parametrize(
    ("build", "sentence"),
    [
        (lambda: SmallCNN(2, widths=3), "model.widths=3"),
        (lambda: SmallCNN(2, widths=(4, 8)), "a list of numbers from 8"),
        (lambda: SmallCNN(2, depth=0), "model.depth=0"),
        (lambda: ReferenceCNN(2, image_size=45), "data.image_size=45: expected 46"),
    ],
)
def test_invalid_arguments(build, sentence):
    with pytest.raises(ConfigError, match=sentence):
        build()


@pytest.mark.parametrize(
    ("build", "shape", "width"),
    [
        (lambda: SmallCNN(3, widths=(8, 16), dropout=0.5), (1, 33), 8 + 16),
        (lambda: ReferenceCNN(3, 48), (3, 48), 8 + 16 + 32 + 64),
        (lambda: _scratch("resnet18", 64), (3, 64), 64 + 64 + 128 + 256 + 512),
        (lambda: _scratch("mobilenetv2_100", 64), (3, 64), 16 + 24 + 32 + 96 + 320),
        (lambda: _scratch("convnext_atto", 64), (3, 64), 40 + 80 + 160 + 320),
        (lambda: _scratch("vit_tiny_patch16_224", 64), (3, 64), 4 * 192),
        (lambda: _scratch("swin_tiny_patch4_window7_224", 64), (3, 64), 96 + 192 + 384 + 768),
        (lambda: _scratch("deit_tiny_distilled_patch16_224", 64), (3, 64), 4 * 192),
    ],
    ids=["small_cnn", "reference_cnn", "resnet", "mobilenetv2", "convnext", "vit", "swin", "distilled"],
)
def test_features_come_from_all_stages_and_logits_from_the_network(build, shape, width):
    network = build().eval()
    channels, size = shape
    images = torch.rand(2, channels, size, size)

    with torch.inference_mode():
        features, logits = features_and_logits(network, images)
        alone = features_and_logits(network, images[:1])[0]
        expected = network(images)

    assert features.shape == (2, width)
    torch.testing.assert_close(logits, expected, atol=0, rtol=0)
    torch.testing.assert_close(features[:1], alone, atol=1e-4, rtol=1e-4)
    assert not torch.equal(features[0], features[1])


@pytest.mark.parametrize(
    "network", [SmallCNN(3, dropout=0.5), ReferenceCNN(3, 48), timm_backbone("resnet18", 3, 48, pretrained=False)]
)
def test_pre_logits_are_the_input_of_the_last_layer(network):
    images = torch.rand(2, next(network.parameters()).shape[1], 48, 48)
    network.eval()

    with torch.no_grad():
        pre_logits = network.forward_head(network.forward_features(images), pre_logits=True)

        torch.testing.assert_close(network.get_classifier()(pre_logits), network(images))


def _scratch(name, size):
    return timm_backbone(name, 3, size, pretrained=False, dropout=0.5)
