import pytest
import torch

from brain_tumor.errors import ConfigError
from brain_tumor.models.optim import parameter_groups, resolve_lr, timm_optimizer
from brain_tumor.models.protocol import steps_below_head
from brain_tumor.models.schedules import constant, one_cycle, warmup_cosine
from brain_tumor.models.small_cnn import SmallCNN
from brain_tumor.models.timm_backbone import timm_backbone

NETWORK = SmallCNN(2, widths=(8, 8))


def adamw(network, **grouping):
    return torch.optim.AdamW(parameter_groups(network, **grouping))


def sgd(network, momentum=0.9, **grouping):
    return torch.optim.SGD(parameter_groups(network, **grouping), momentum=momentum, nesterov=momentum > 0)


def rates_and_decays(optimizer, network):
    """Learning rate and weight decay by parameter name."""
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    return {
        names[id(parameter)]: (group["lr"], group["weight_decay"])
        for group in optimizer.param_groups
        for parameter in group["params"]
    }


def test_every_parameter_once_norms_and_biases_without_decay():
    groups = rates_and_decays(adamw(NETWORK, lr=0.1, weight_decay=0.5), NETWORK)

    assert set(groups) == {name for name, _ in NETWORK.named_parameters()}
    for name, parameter in NETWORK.named_parameters():
        assert groups[name] == (0.1, 0.5 if parameter.ndim > 1 else 0.0)


def test_head_has_its_own_rate():
    groups = rates_and_decays(sgd(NETWORK, lr=0.1, weight_decay=0.0, head_lr=1.0), NETWORK)

    assert {name for name, (lr, _) in groups.items() if lr == 1.0} == {"head.weight", "head.bias"}


@pytest.mark.parametrize("network", [NETWORK, timm_backbone("resnet18", 2, 64, pretrained=False)], ids=["cnn", "timm"])
def test_layer_decay_acts_on_the_rates_themselves_under_a_scheduler(network):
    optimizer = adamw(network, lr=1.0, weight_decay=0.0, layer_decay=0.5)
    scheduler = warmup_cosine(optimizer, total_steps=10, warmup=0.1)
    for _ in range(3):
        optimizer.step()
        scheduler.step()

    groups, steps = rates_and_decays(optimizer, network), steps_below_head(network)
    last = list(groups)[-1]
    for name, (lr, _) in groups.items():
        assert lr / groups[last][0] == pytest.approx(0.5 ** (steps[name] - steps[last]))


def test_layer_decay_slows_the_stem():
    """One SGD step moves a parameter by lr · gradient: measured, not read from a group."""
    network = SmallCNN(2, widths=(8, 8))
    before = {name: parameter.detach().clone() for name, parameter in network.named_parameters()}
    optimizer = sgd(network, lr=1.0, weight_decay=0.0, momentum=0.0, layer_decay=0.1)
    network(torch.randn(4, 1, 32, 32)).square().mean().backward()
    optimizer.step()

    for name, steps in steps_below_head(network).items():
        moved = before[name] - network.get_parameter(name)
        torch.testing.assert_close(moved, 0.1**steps * network.get_parameter(name).grad, rtol=1e-3, atol=1e-6)


def test_frozen_parameters_are_left_out():
    network = SmallCNN(2, widths=(8, 8))
    network.stem.requires_grad_(False)

    grouped = sum(len(group["params"]) for group in parameter_groups(network, 0.1, 0.0))

    assert grouped == sum(parameter.requires_grad for parameter in network.parameters())


def schedule(function, steps, **options):
    optimizer = adamw(NETWORK, lr=1.0, weight_decay=0.0)
    scheduler, rates = function(optimizer, **options), []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


def test_warmup_rises_then_falls_to_the_floor():
    rates = schedule(warmup_cosine, 100, total_steps=100, warmup=0.1, floor=0.01)

    assert rates[0] == pytest.approx(1 / 11)
    assert rates[10] == pytest.approx(1.0)
    assert rates[55] == pytest.approx(0.505, abs=0.01)
    assert rates[-1] == pytest.approx(0.01, abs=0.001)
    assert rates[:11] == sorted(rates[:11])
    assert rates[10:] == sorted(rates[10:], reverse=True)


def test_one_cycle_rises_and_falls_to_almost_nothing():
    rates = schedule(one_cycle, 100, total_steps=100, warmup=0.3, start=0.1)

    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == pytest.approx(1.0, abs=0.01)
    assert rates.index(max(rates)) in (29, 30)
    assert rates[-1] < 0.01
    assert rates[:30] == sorted(rates[:30])
    assert rates[30:] == sorted(rates[30:], reverse=True)


def test_constant_stays():
    assert set(schedule(constant, 5)) == {1.0}


def test_a_learning_rate_is_suggested_by_the_network_or_1e_3():
    plain, odd = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
    odd.suggested_lr = "high"

    assert resolve_lr("auto", NETWORK) == (4e-3, "suggested by SmallCNN")
    assert resolve_lr("auto", timm_backbone("resnet10t", 2, 64, pretrained=False, suggested_lr=0.5))[0] == 0.5
    assert resolve_lr("auto", plain) == resolve_lr("auto", odd) == (1e-3, "Linear suggests none")
    assert resolve_lr(0.1, NETWORK) == (0.1, "optimizer.lr")


@pytest.mark.parametrize("wrong", [{"lr": -1.0}, {"head_lr": -1.0}, {"layer_decay": 0.0}, {"layer_decay": 1.5}])
def test_rates_out_of_range(wrong):
    with pytest.raises(ConfigError, match=r"Invalid .*: expected"):
        adamw(SmallCNN(2, widths=(8, 8)), **{"lr": 0.1, "weight_decay": 0.0} | wrong)


@pytest.mark.parametrize("wrong", [{"warmup": 0.0}, {"start": 0.0}])
def test_one_cycles_out_of_range(wrong):
    with pytest.raises(ConfigError, match=r"Invalid .*: expected a number"):
        one_cycle(sgd(SmallCNN(2, widths=(8, 8)), lr=0.1, weight_decay=0.0), total_steps=9, **wrong)


@pytest.mark.parametrize("wrong", [{"warmup": 1.5}, {"floor": -0.1}])
def test_schedules_out_of_range(wrong):
    optimizer = sgd(SmallCNN(2, widths=(8, 8)), lr=0.1, weight_decay=0.0)
    with pytest.raises(ConfigError, match="a number from 0 to 1"):
        warmup_cosine(optimizer, total_steps=10, **wrong)


class TestTimmOptimizers:
    @pytest.mark.parametrize("name", ["lion", "muon", "adabelief", "lookahead_radam"])
    def test_they_keep_the_groups_and_move_the_parameters(self, name):
        network = SmallCNN(2, widths=(8, 8))
        groups = parameter_groups(network, lr=0.01, weight_decay=0.1, layer_decay=0.5)
        expected = [(group["lr"], group["weight_decay"]) for group in groups]
        optimizer = timm_optimizer(groups, name, lr=0.01)
        before = network.stem[0].weight.detach().clone()
        network(torch.randn(4, 1, 32, 32)).square().mean().backward()
        optimizer.step()

        assert [(group["lr"], group["weight_decay"]) for group in optimizer.param_groups] == expected
        assert not torch.equal(network.stem[0].weight, before)

    def test_an_unknown_name_gets_similar_ones(self):
        with pytest.raises(ConfigError, match=r"Invalid optimizer\.name=lyon: expected one of timm's, .*lion"):
            timm_optimizer(NETWORK.parameters(), "lyon", lr=0.1)
