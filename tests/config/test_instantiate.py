"""Objects from configuration nodes, and what is said about nodes that are wrong."""

import pytest
import torch
from omegaconf import OmegaConf

from brain_tumor.config.instantiate import bind, build, build_function, target_name
from brain_tumor.errors import ConfigError


@pytest.mark.parametrize(
    ("target", "name"),
    [
        ("brain_tumor.models.small_cnn.SmallCNN", "small_cnn"),
        ("brain_tumor.models.reference_cnn.ReferenceCNN", "reference_cnn"),
        ("torch.nn.Linear", "Linear"),
    ],
)
def test_targets_have_short_names(target, name):
    assert target_name({"_target_": target}, "model") == name


class TestBuild:
    def test_partial_nodes_wait_for_their_arguments(self):
        node = OmegaConf.create({"_target_": "torch.nn.Linear", "_partial_": True, "out_features": 3})

        assert build(node, "x")(in_features=2).weight.shape == (3, 2)

    def test_arguments_are_handed_over(self):
        assert build({"_target_": "torch.nn.Linear", "out_features": 3}, "x", in_features=2).weight.shape == (3, 2)

    @pytest.mark.parametrize(
        ("node", "sentence"),
        [
            ({"_target_": "torch.nn.Nothing"}, r"the key\._target_=torch\.nn\.Nothing is not found: .*Nothing"),
            (
                {"_target_": "torch.os.system"},
                r"torch\.os\.system is not allowed: it is part of (posix|nt), not of torch",
            ),
            (
                {"_target_": "torch.nn.Sequential", "inner": [{"_target_": "torch.sys.exit"}]},
                r"the key\.inner\.0\._target_",
            ),
            ({"_target_": "torch.pi"}, "expected a class or a function"),
            ({"in_features": 1}, r"Invalid the key without a class: expected the key\._target_"),
            ({"_target_": "torch.nn.Linear", "in_features": 1, "out": 3}, "the key takes no out; it takes in_features"),
            ({"_target_": "torch.nn.Dropout", "p": 3}, "between 0 and 1"),
            ({"_target_": "brain_tumor.models.mixing.Mixing", "num_classes": 2, "mixup": -1}, "augmentation.mixup=-1"),
        ],
    )
    def test_wrong_nodes_end_in_one_sentence(self, node, sentence):
        with pytest.raises(ConfigError, match=sentence) as caught:
            build(node, "the key")

        assert "\n" not in str(caught.value)

    def test_a_function_is_used_and_a_class_is_instantiated(self):
        function = build_function({"_target_": "torch.nn.functional.cross_entropy", "label_smoothing": 0.1}, "loss")
        instance = build_function({"_target_": "torch.nn.CrossEntropyLoss", "label_smoothing": 0.1}, "loss")
        logits, target = torch.tensor([[2.0, 0.0]]), torch.tensor([0])

        assert function(logits, target) == instance(logits, target)

    def test_binding_calls_nothing(self):
        factory = bind({"_target_": "torch.nn.Linear", "_partial_": False, "out_features": 3}, "x")

        assert (factory.func, factory.keywords) == (torch.nn.Linear, {"out_features": 3})
