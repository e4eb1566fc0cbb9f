"""Every family of timm (a module of it), at its smallest member: from scratch, one training step."""

import pytest
import timm
import torch
from timm.models import list_modules

from brain_tumor.errors import ConfigError
from brain_tumor.models.dry_run import dry_run
from brain_tumor.models.features import features_and_logits
from brain_tumor.models.optim import parameter_groups
from brain_tumor.models.protocol import channel_statistics, heads, memory_format, steps_below_head
from brain_tumor.models.timm_backbone import timm_backbone

SMALLEST = {
    "byoanet": "halonet_h1", "byobnet": "test_byobnet", "cait": "cait_xxs24_224", "coat": "coat_tiny",
    "convit": "convit_tiny", "convmixer": "convmixer_768_32", "convnext": "test_convnext", "cpubone": "cpubone_nano",
    "crossvit": "crossvit_tiny_240", "csatv2": "csatv2", "cspnet": "cs3darknet_focus_s", "cspnext": "cspnext_tiny",
    "davit": "davit_tiny", "deit": "deit_tiny_patch16_224", "densenet": "densenet121", "dla": "dla46x_c",
    "dpn": "dpn48b", "edgenext": "edgenext_xx_small", "efficientformer": "efficientformer_l1",
    "efficientformer_v2": "efficientformerv2_s0", "efficientnet": "test_efficientnet",
    "efficientvim": "efficientvim_m1", "efficientvit_mit": "efficientvit_b0", "efficientvit_msra": "efficientvit_m0",
    "eva": "vit_tiny_patch16_dinov3_qkvb", "fasternet": "fasternet_t0", "fastvit": "fastvit_t8",
    "focalnet": "focalnet_tiny_srf", "gcvit": "gcvit_xxtiny", "ghostnet": "ghostnet_050",
    "hardcorenas": "hardcorenas_b", "hgnet": "hgnetv2_b0", "hiera": "hiera_tiny_224",
    "hieradet_sam2": "sam2_hiera_tiny", "hrnet": "hrnet_w18_small", "iformer": "iformer_t",
    "inception_next": "inception_next_atto", "inception_resnet_v2": "inception_resnet_v2",
    "inception_v3": "inception_v3", "inception_v4": "inception_v4", "lcnetv2": "lcnetv2_small", "levit": "levit_128s",
    "lowformer": "lowformer_b0", "mambaout": "test_mambaout", "maxxvit": "test_coatnet",
    "metaformer": "poolformerv2_s12", "mlp_mixer": "gmlp_ti16_224", "mobilenetv3": "mobilenetv3_small_050",
    "mobilevit": "mobilevit_xxs", "mvitv2": "mvitv2_tiny", "nest": "nest_tiny", "nextvit": "nextvit_small",
    "nfnet": "test_nfnet", "pit": "pit_ti_224", "pvt_v2": "pvt_v2_b0", "rdnet": "rdnet_tiny", "regnet": "regnetx_002",
    "repghost": "repghostnet_050", "repvit": "repvit_m1", "res2net": "res2next50", "resnest": "resnest14d",
    "resnet": "test_resnet", "resnetv2": "resnetv2_18", "rexnet": "rexnet_100", "selecsls": "selecsls42",
    "senet": "legacy_seresnet18", "sequencer": "sequencer2d_s", "shvit": "shvit_s1", "sknet": "skresnet18",
    "starnet": "starnet_s050", "swiftformer": "swiftformer_xs", "swin_transformer": "swin_tiny_patch4_window7_224",
    "swin_transformer_v2": "swinv2_tiny_window8_256", "swin_transformer_v2_cr": "swinv2_cr_tiny_224",
    "tiny_vit": "tiny_vit_5m_224", "tnt": "tnt_s_legacy_patch16_224", "tresnet": "tresnet_m",
    "twins": "twins_svt_small", "visformer": "visformer_tiny", "vision_transformer": "test_vit",
    "vision_transformer_hybrid": "vit_tiny_r_s16_p8_224", "vision_transformer_relpos": "test_vit_relpos",
    "vitamin": "vitamin_small_224", "volo": "volo_d1_224", "vovnet": "ese_vovnet19b_slim_dw",
    "xception": "legacy_xception", "xception_aligned": "xception41p", "xcit": "xcit_nano_12_p8_224",
}  # fmt: skip
"""Family → the member with the fewest parameters, as of timm 1.0.31."""
TOO_LARGE = {
    "beit": "beit_base_patch16_224", "deepseek_vit": "deepseek_vit_412m", "gemma4_vit": "gemma4_vit_167m",
    "mobilenetv5": "mobilenetv5_base", "naflexvit": "naflexvit_base_patch16_parfac_gap", "nasnet": "nasnetalarge",
    "pnasnet": "pnasnet5large", "qwen3_vit": "qwen3_vit_88m", "vgg": "vgg11",
    "vision_transformer_sam": "samvit_base_patch16_224",
}  # fmt: skip
"""Families without a member below 60 million parameters: a step takes minutes on 2 cores."""

OWN_SIZE_ONLY = ("halonet_h1",)
"""Networks that do not take 128 px, and say so."""


def test_every_family_is_tried_or_named():
    known = set(SMALLEST) | set(TOO_LARGE)

    assert not set(list_modules()) - known, "add new families of timm"
    assert not set(SMALLEST) & set(TOO_LARGE)


@pytest.mark.long
@pytest.mark.parametrize("name", SMALLEST.values())
def test_it_trains_for_a_step(name):
    if not timm.is_model(name):
        pytest.skip(f"timm {timm.__version__} has no {name}")
    torch.manual_seed(0)
    own = timm.get_pretrained_cfg_value(name, "input_size")[-1]
    small = own if timm.get_pretrained_cfg_value(name, "fixed_input_size") else min(own, 128)
    network = timm_backbone(name, num_classes=3, image_size=small, pretrained=False)
    size = own if name in OWN_SIZE_ONLY else small
    if size != small:
        with pytest.raises(ConfigError, match=rf"does not take images float .*{small}\].* data\.image_size"):
            dry_run(network, channels=3, image_size=small, num_classes=3)
    dry_run(network, channels=len(channel_statistics(network)[0]), image_size=size, num_classes=3)
    steps = steps_below_head(network)
    groups = parameter_groups(network, lr=1e-3, weight_decay=0.01, layer_decay=0.9)
    network = network.to(memory_format=memory_format(network)).train()
    images = torch.randn(2, 3, size, size).contiguous(memory_format=memory_format(network))
    before = [parameter.detach().clone() for layer in heads(network) for parameter in layer.parameters()]

    loss = torch.nn.functional.cross_entropy(network(images), torch.tensor([0, 1]))
    loss.backward()
    torch.optim.SGD(groups, momentum=0.0).step()

    assert torch.isfinite(loss)
    after = [parameter for layer in heads(network) for parameter in layer.parameters()]
    assert any(not torch.equal(*pair) for pair in zip(before, after, strict=True))
    assert set(steps) == {parameter for parameter, _ in network.named_parameters()}
    assert max(steps.values()) >= 2
    grouped = [parameter for group in groups for parameter in group["params"]]
    assert {id(each) for each in grouped} == {id(each) for each in network.parameters() if each.requires_grad}
    with torch.inference_mode():
        features, logits = features_and_logits(network.eval(), images)
        torch.testing.assert_close(logits, network(images), rtol=1e-3, atol=1e-3)
    assert features.ndim == 2
    assert features.shape[1] >= 16
