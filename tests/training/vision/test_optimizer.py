"""Two optimizers that look like one."""

from copy import deepcopy

import pytest

pytestmark = pytest.mark.model
torch = pytest.importorskip("torch")

from training.vision.optimizer import MatrixOptimizer


def learner():
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
    matrices = [weight for weight in model.parameters() if weight.ndim == 2]
    others = [weight for weight in model.parameters() if weight.ndim == 1]
    return model, MatrixOptimizer(matrices, others, 0.02, 0.0)


def steps(model, optimizer, count, seed):
    random = torch.Generator().manual_seed(seed)
    for _ in range(count):
        x = torch.randn(32, 6, generator=random)
        loss = (model(x).squeeze(1) - x[:, 0] * x[:, 1]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return float(loss.detach())


def test_matrices_and_the_rest_both_learn():
    model, optimizer = learner()
    before = [weight.clone() for weight in model.parameters()]
    first, last = steps(model, optimizer, 1, 1), steps(model, optimizer, 150, 2)
    assert last < 0.5 * first
    assert all((now != old).all() for now, old in zip(model.parameters(), before, strict=True))


def test_one_schedule_drives_both():
    model, optimizer = learner()
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda _step: 0.0)
    before = [weight.clone() for weight in model.parameters()]
    steps(model, optimizer, 3, 1)
    assert all(torch.equal(now, old) for now, old in zip(model.parameters(), before, strict=True))
    assert schedule.get_last_lr() == [0.0, 0.0]


def test_a_run_that_was_interrupted_goes_on_as_if_it_had_not_been():
    whole, optimizer = learner()
    steps(whole, optimizer, 5, 1)
    weights, state = deepcopy((whole.state_dict(), optimizer.state_dict()))
    part, resumed = learner()
    part.load_state_dict(weights)
    resumed.load_state_dict(state)
    assert steps(part, resumed, 5, 2) == pytest.approx(steps(whole, optimizer, 5, 2), rel=1e-5)
