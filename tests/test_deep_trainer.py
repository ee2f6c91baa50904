"""The trainer: streams, members, seeds, resuming, NaN, Ctrl-C, early stopping, several objectives."""

import copy
import warnings
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from semigen.deep.bounds import weighted_mean  # noqa: E402
from semigen.deep.data.rows import Batch, for_members, rows_to_predict  # noqa: E402
from semigen.deep.draws import mix  # noqa: E402
from semigen.deep.training.checkpoints import Checkpoint, fingerprint  # noqa: E402
from semigen.deep.training.members import Members  # noqa: E402
from semigen.deep.training.model import LossTerms, Model  # noqa: E402
from semigen.deep.training.streams import Stream, Streams  # noqa: E402
from semigen.deep.training.trainer import Training, learning_rate_factor, train  # noqa: E402
from semigen.exceptions import ParameterError, TrainingWarning  # noqa: E402


class Line(Model):
    """Least squares with noise in the inputs, so that random numbers matter."""

    def __init__(self, seed=0, noise=0.1):
        super().__init__()
        torch.manual_seed(seed)
        self.linear = nn.Linear(3, 1)
        self.noise = noise

    def loss(self, batch, step, objective):
        rows = batch.unlabeled
        x = rows.x + self.noise * torch.randn_like(rows.x)
        error = (self.linear(x)[:, 0] - rows.x.sum(dim=1)).square()
        return LossTerms(error.mean(), {"error": error})


def rows(n=57, seed=0):
    x = torch.randn(n, 3, generator=torch.Generator().manual_seed(seed))
    return rows_to_predict(x, torch.ones(n, 1))


def streams(n_members=1, n_labeled=4, n_rows=57, size=10):
    return Streams(Stream(rows(n_labeled), size, 1, n_members), Stream(rows(n_rows, 1), size, 2, n_members))


PLAN = Training(n_steps=60, learning_rate=0.05, n_rounds=6, device="cpu", weight_average=0.9)


def same(a, b):
    return all(torch.equal(x[name], y[name]) for x, y in zip(a.states, b.states, strict=True) for name in x)


def test_a_stream_shows_every_row_once_a_pass_in_new_orders():
    stream = Stream(rows(10), 4, seed=3, n_members=2)
    batches = stream.batches(0)
    seen = torch.cat([next(batches).x for _ in range(10)], dim=1)  # four passes
    assert seen.shape == (2, 40, 3)
    whole = stream.rows.x.sort(dim=0).values
    passes = seen.reshape(2, 4, 10, 3)
    for member in passes:
        for one in member:
            torch.testing.assert_close(one.sort(dim=0).values, whole)
    assert not torch.equal(passes[0, 0], passes[0, 1])
    assert not torch.equal(passes[0, 0], passes[1, 0])


def test_a_stream_can_begin_anywhere():
    stream = Stream(rows(10), 4, seed=3)
    batches = stream.batches(0)
    first = [next(batches).x for _ in range(9)]
    later = stream.batches(6)
    for wanted in first[6:]:
        assert torch.equal(next(later).x, wanted)


def test_processes_share_the_rows_of_a_batch():
    """Two processes: the parts of each batch are disjoint, and together they are the batch of one."""
    whole, parts = streams(2), [streams(2).shared(part, 2) for part in (0, 1)]
    several = zip(whole.batches(3), *(one.batches(3) for one in parts), strict=True)
    for _ in range(9):
        batch, first, second = next(several)
        assert first.unlabeled.x.shape == second.unlabeled.x.shape == (2, 5, 3)
        both = torch.cat([first.unlabeled.x, second.unlabeled.x], dim=1)
        assert torch.equal(both.sort(dim=1).values, batch.unlabeled.x.sort(dim=1).values)


def test_few_rows_are_all_in_every_batch_of_every_process():
    """A mean over some of them would weigh rows by the size of their process's share."""
    for part in range(3):
        batch = next(Stream(rows(7), 10, 0, 1, part, 3).batches(2))
        assert torch.equal(batch.x[0], rows(7).x)


@pytest.mark.parametrize("size", [6, 10, 40])
def test_balanced_batches_have_as_many_rows_of_each_class(size):
    """20 rows in classes of 15, 4 and 1: each comes up, as often as the others."""
    y = torch.tensor([0] * 15 + [1] * 4 + [2])
    table = rows(20)._replace(y=y)
    stream = Stream(table, size, seed=3, n_members=2, balanced=True)
    batches = stream.batches(0)
    seen = [next(batches) for _ in range(30)]
    counts = torch.stack([one.y[0].bincount(minlength=3) for one in seen])
    assert int(counts.sum(dim=0).max() - counts.sum(dim=0).min()) <= 30
    assert int((counts.max(dim=1).values - counts.min(dim=1).values).max()) <= (2 if size < 20 else 0)
    values = torch.cat([one.x[0] for one in seen])
    assert len(values.unique(dim=0)) == 20
    if size < 20:
        assert not torch.equal(seen[0].x[0], seen[0].x[1])
        later = stream.batches(7)
        assert torch.equal(next(later).x, seen[7].x)
    plain = Stream(rows(0), size, seed=3, balanced=True)
    assert next(plain.batches(0)).x.shape == (1, 0, 3)


def test_no_rows_are_no_rows():
    assert next(Stream(rows(0), 4, 0).batches(0)).x.shape == (1, 0, 3)


def test_members_are_their_models():
    """The batched loss and its gradients are those of each model with its own rows."""
    models = [Line(seed, noise=0.0) for seed in range(3)]
    members = Members(models)
    batch = Batch(*(next(Stream(rows(20, s), 5, s, 3).batches(0)) for s in (0, 1)))
    loss, parts = members(batch, 0, "bound")
    loss.backward()
    single = [
        model.loss(Batch(*(part.take(m) for part in batch)), 0, "bound") for m, model in enumerate(models)
    ]
    torch.testing.assert_close(loss, sum(terms.loss for terms in single))
    torch.testing.assert_close(
        parts["error"], torch.stack([t.parts["error"] for t in single]).mean().detach()
    )
    for m, (model, terms) in enumerate(zip(models, single, strict=True)):
        terms.loss.backward()
        torch.testing.assert_close(getattr(members, "linear/weight").grad[m], model.linear.weight.grad)
        assert torch.equal(members.states()[m]["linear.weight"], model.linear.weight)


@pytest.mark.parametrize("decay", [0.0, 0.5, 0.9, 0.999])
def test_training_is_that_of_a_bare_loop(decay):
    """Adam on the same batches with the same random numbers, and an average that forgets where it starts."""
    found = train([Line()], streams(), replace(PLAN, n_rounds=1, weight_average=decay))
    model, stream = Line(), streams()
    average = {name: value.clone() for name, value in model.state_dict().items()}
    adam = torch.optim.Adam(model.parameters(), lr=1.0)
    with torch.random.fork_rng():
        torch.manual_seed(mix(0, 0) % 2**62)
        batches = stream.batches(0)
        for step in range(60):
            one = Batch(*(part.take(0) for part in next(batches)))
            adam.param_groups[0]["lr"] = 0.05 * learning_rate_factor(step, 60)
            adam.zero_grad()
            model.loss(one, step, "bound").loss.backward()
            adam.step()
            kept = min(decay, (2 + step) / (11 + step))
            for name, value in model.state_dict().items():
                average[name] = kept * average[name] + (1 - kept) * value
    for name, value in average.items():
        torch.testing.assert_close(found.states[0][name], value, rtol=1e-4, atol=1e-5)


def test_it_learns_and_reports_the_parts():
    found = train([Line()], streams(), replace(PLAN, n_steps=150))
    np.testing.assert_allclose(found.states[0]["linear.weight"], 1, atol=0.1)
    assert found.outcome == "finished"
    assert found.n_steps == 150
    assert found.history["step"] == [25, 50, 75, 100, 125, 150]
    assert found.history["error"][-1] < 0.2 * found.history["error"][0]


def test_a_seed_is_a_result_and_the_caller_s_random_numbers_are_left_alone():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first = train([Line()], streams(), PLAN)
    models = [Line()]
    torch.set_rng_state(before)
    again = train(models, streams(), PLAN)
    assert torch.equal(torch.get_rng_state(), before)
    assert same(first, again)
    assert first.history == again.history
    assert not same(first, train([Line()], streams(), replace(PLAN, seed=1)))


def test_the_average_starts_at_the_weights():
    """With a decay of nearly 1 the average would still be at zero had it started there."""
    slow = train([Line()], streams(), replace(PLAN, n_steps=1, weight_average=1 - 1e-9))
    start = Line().state_dict()
    last = train([Line()], streams(), replace(PLAN, n_steps=1, weight_average=0.0)).states[0]
    share = 1 - 2 / 11  # decay (1 + t) / (10 + t) after the first step
    for name, value in slow.states[0].items():
        torch.testing.assert_close(value, start[name] + share * (last[name] - start[name]))


def test_a_resumed_training_ends_at_the_same_numbers(tmp_path):
    whole = train([Line(), Line(1)], streams(2), PLAN)
    place = Checkpoint(tmp_path / "fit.pt", "mine")

    class Interrupted(Line):
        def loss(self, batch, step, objective):
            if step == 35:
                raise KeyboardInterrupt
            return super().loss(batch, step, objective)

    with pytest.warns(TrainingWarning, match="Ctrl-C after 35 of 60 steps"):
        cut = train([Interrupted(), Interrupted(1)], streams(2), PLAN, checkpoint=place)
    assert cut.outcome == "interrupted"
    assert cut.n_steps == 35
    assert not same(cut, whole)
    resumed = train([Line(7), Line(8)], streams(2), PLAN, checkpoint=place)
    assert same(resumed, whole)
    assert resumed.history == whole.history
    done = train([Line(9), Line(3)], streams(2), PLAN, checkpoint=place)
    assert same(done, whole)


def test_a_checkpoint_goes_on_to_more_steps_but_not_to_fewer(tmp_path):
    """Stopped before the learning rate falls, the longer fit is that of an uninterrupted one."""
    longer = replace(PLAN, n_steps=90, n_rounds=9)  # with rounds of the same length
    whole = train([Line()], streams(), longer)

    class Interrupted(Line):
        def loss(self, batch, step, objective):
            if step == 35:
                raise KeyboardInterrupt
            return super().loss(batch, step, objective)

    place = Checkpoint(tmp_path / "fit.pt", "mine")
    with pytest.warns(TrainingWarning, match="Ctrl-C"):
        train([Interrupted()], streams(), PLAN, checkpoint=place)
    assert same(train([Line(7)], streams(), longer, checkpoint=place), whole)
    more = train([Line(8)], streams(), replace(longer, n_steps=100), checkpoint=place)
    assert more.n_steps == 100
    assert more.history["step"][:9] == whole.history["step"]
    with pytest.raises(ParameterError, match=r"is of a fit of 100 steps, and n_steps=60: raise n_steps"):
        train([Line()], streams(), PLAN, checkpoint=place)


def test_progress_is_told_after_each_round():
    told = []
    found = train([Line()], streams(), PLAN, progress=lambda *step: told.append(step))
    assert [step[:2] for step in told] == [(step, 60) for step in (10, 20, 30, 40, 50, 60)]
    assert told[-1][2] == f"error {found.history['error'][-1]:.4g}"


def test_another_fit_s_checkpoint_is_refused(tmp_path):
    path = tmp_path / "fit.pt"
    train([Line()], streams(), PLAN, checkpoint=Checkpoint(path, "mine"))
    with pytest.raises(ParameterError, match="other settings or data"):
        train([Line()], streams(), PLAN, checkpoint=Checkpoint(path, "yours"))
    path.write_bytes(b"no checkpoint")
    with pytest.raises(ParameterError, match="is not a checkpoint, or is damaged"):
        train([Line()], streams(), PLAN, checkpoint=Checkpoint(path, "mine"))


def test_a_fingerprint_is_one_of_values_and_names_and_not_of_objects():
    def shape(network, numbers):
        return replace(PLAN, seed=3), (network, np.array(numbers)), [1, None, "a"]

    def network(n_inputs, n_outputs):
        return nn.Linear(n_inputs, n_outputs)

    first, other = network, nn.Linear
    numbers = np.arange(5000.0)  # so many that their repr leaves some out
    known = fingerprint(shape(first, numbers), rows())

    def network(n_inputs, n_outputs):  # the same one in another process
        return nn.Linear(n_inputs, n_outputs)

    assert fingerprint(shape(network, numbers), rows()) == known
    assert fingerprint(shape(other, numbers), rows()) != known
    assert fingerprint(shape(first, np.where(numbers == 2500, 0, numbers)), rows()) != known
    assert fingerprint(shape(first, numbers), rows(seed=1)) != known
    assert fingerprint((replace(PLAN, seed=4), *shape(first, numbers)[1:]), rows()) != known


def test_nan_keeps_the_last_good_weights_and_says_so():
    class Breaks(Line):
        def loss(self, batch, step, objective):
            terms = super().loss(batch, step, objective)
            return terms if step < 35 else LossTerms(terms.loss * float("nan"), terms.parts)

    with pytest.warns(TrainingWarning, match=r"not finite after 40 steps; the weights of step 30 are kept"):
        found = train([Breaks()], streams(), PLAN)
    assert found.outcome == "not finite"
    assert found.n_steps == 30
    assert all(bool(value.isfinite().all()) for value in found.states[0].values())
    assert found.history["step"] == [10, 20, 30]


@pytest.mark.parametrize(("patience", "outcome", "n_seen"), [(2, "no improvement", 5), (99, "finished", 10)])
def test_early_stopping_keeps_the_best_round(patience, outcome, n_seen):
    """Held-out loss falls, then rises: the moving target makes later weights worse."""

    class Drifts(Line):
        def loss(self, batch, step, objective):
            rows = batch.unlabeled
            target = 1.0 if self.training and step >= 30 else 0.0
            error = (self.linear(rows.x)[:, 0] - target).square()
            return LossTerms(error.mean(), {"error": error})

    held = for_members(Batch(rows(0), rows(20, 9)), 1)
    plan = replace(PLAN, n_steps=100, n_rounds=10, patience=patience, weight_average=0.0, learning_rate=0.1)
    found = train([Drifts()], streams(), plan, held_out=held)
    assert found.outcome == outcome
    assert found.n_steps == 30
    assert int(np.argmin(found.history["held_out"])) == 2
    assert len(found.history["step"]) == n_seen


@pytest.mark.parametrize("n_held", [20, 2_500])
def test_held_out_rows_judge_the_weights_that_are_kept(n_held):
    """Each by its weight, however many are looked at together."""

    class Weighted(Line):
        def loss(self, batch, step, objective):
            terms = super().loss(batch, step, objective)
            return terms._replace(loss=weighted_mean(terms.parts["error"], batch.unlabeled.weight))

    held = rows(n_held, 9)
    held = held._replace(weight=torch.linspace(0.0, 5.0, n_held))
    batch = for_members(Batch(rows(0), held), 1)
    found = train([Weighted(noise=0.0)], streams(), replace(PLAN, patience=99), held_out=batch)
    model = Weighted(noise=0.0)
    model.load_state_dict(found.states[0])
    wanted = float(model.loss(Batch(held, held), 0, "bound").loss.detach())
    assert min(found.history["held_out"]) == pytest.approx(wanted, rel=1e-6)


class Duel(Model):
    """Two objectives, each moving its own part."""

    objectives = {"first": ("first",), "second": ("second",)}  # noqa: RUF012

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(3, 1), nn.Linear(3, 1)

    def loss(self, batch, step, objective):
        x = batch.unlabeled.x
        a, b = self.first(x)[:, 0], self.second(x)[:, 0]
        error = (a - 1).square() if objective == "first" else (b - a).square()
        return LossTerms(error.mean(), {objective: error})


def test_each_objective_moves_its_own_parameters():
    """The second chases the first and does not pull it; the first is as if it were alone."""
    torch.manual_seed(0)
    duel = Duel()

    class Alone(Duel):
        objectives = {"first": ("first",)}  # noqa: RUF012

    alone = Alone()
    alone.load_state_dict(duel.state_dict())
    plan = replace(PLAN, n_steps=150)
    both = train([duel], streams(), plan)
    single = train([alone], streams(), plan)
    torch.testing.assert_close(both.states[0]["first.bias"], single.states[0]["first.bias"])
    torch.testing.assert_close(single.states[0]["second.weight"], duel.second.weight.detach())
    np.testing.assert_allclose(both.states[0]["second.bias"], 1, atol=0.1)
    assert {"first", "second"} <= set(both.history)


def test_evaluating_does_not_move_the_training_on():
    """Held-out rows are looked at after each round, and the weights are those of a fit without them."""
    held = for_members(Batch(rows(0), rows(20, 9)), 1)
    plan = replace(PLAN, patience=1000)
    assert same(train([Line()], streams(), plan, held_out=held), train([Line()], streams(), PLAN))


def test_buffers_belong_to_each_member():
    class Normed(Line):
        def __init__(self, seed):
            super().__init__(seed)
            self.norm = nn.BatchNorm1d(3)

        def loss(self, batch, step, objective):
            rows = batch.unlabeled
            x = self.norm(rows.x)
            return LossTerms(self.linear(x).square().mean(), {"size": self.linear(x)[:, 0]})

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = train([Normed(0), Normed(1)], streams(2), PLAN)
    first, second = (state["norm.running_mean"] for state in found.states)
    assert not torch.equal(first, second)
    assert first.abs().sum() > 0
    assert copy.deepcopy(found.states[0]).keys() == Normed(0).state_dict().keys()
