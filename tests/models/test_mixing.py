import pytest
import torch

from brain_tumor.errors import ConfigError
from brain_tumor.models.mixing import Mixing

IMAGES = torch.stack([torch.zeros(1, 16, 16), torch.ones(1, 16, 16)])
LABELS = torch.tensor([0, 1])


def test_off_changes_nothing():
    images, targets = Mixing(2)(IMAGES, LABELS)

    assert images is IMAGES
    assert targets is LABELS


@pytest.mark.parametrize("options", [{"mixup": 1.0}, {"cutmix": 1.0}, {"mixup": 0.5, "cutmix": 0.5}])
def test_targets_are_the_share_of_each_image(options):
    torch.manual_seed(0)
    mixing = Mixing(2, **options)
    shares = []
    for _ in range(20):
        images, targets = mixing(IMAGES, LABELS)
        torch.testing.assert_close(images.mean(dim=(1, 2, 3)), targets[:, 1], atol=1e-5, rtol=1e-5)
        shares.append(targets[0, 0].item())
    assert len(set(shares)) > 5


def test_negative_parameters():
    with pytest.raises(ConfigError, match=r"augmentation\.mixup=-1 with cutmix=0"):
        Mixing(2, mixup=-1)
