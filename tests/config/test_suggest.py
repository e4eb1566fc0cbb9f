import pytest

from brain_tumor.config.compose import compose
from brain_tumor.errors import ConfigError


@pytest.mark.parametrize(
    ("verb", "override", "hint"),
    [
        ("train", "trainer.epochs=3", "Did you mean trainer.max_epochs?"),
        ("train", "epochs=3", "Did you mean trainer.max_epochs?"),
        ("train", "lr=1", "Did you mean optimizer.lr?"),
        ("train", "batch_size=4", "Did you mean data.batch_size?"),
        ("train", "data_root=x", "Did you mean data.root?"),
        ("train", "data.root=x", "It needs data=folder, or a public set such as data=nickparvar."),
        ("predict", "bundl=x", "Did you mean bundle?"),
        ("train", "model=resnet34", "It is a network of timm: model=timm model.name=resnet34."),
        ("train", "callbacks=[emaa]", "Did you mean ema?"),
        ("train", "nothing.like.it=1", "There is no key nothing.like.it. `--cfg job`"),
    ],
)
def test_what_was_meant_is_guessed(verb, override, hint, tmp_path):
    with pytest.raises(ConfigError) as error:
        compose([override], tmp_path, verb)

    assert hint in str(error.value)
