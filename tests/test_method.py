"""The method, on a small network whose every number can be checked."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.method_toy import SIZE, crops, image_keys, surrogate
from tipim_jax.method import TipIm, advance, protect, start

PRESETS = [TipIm.official(), TipIm.paper(), TipIm.reproduction(), TipIm.fast()]
NAMES = ["official", "paper", "reproduction", "fast"]
FEW = [dataclasses.replace(preset, iterations=5, mmd_group_size=1) for preset in PRESETS]


@pytest.mark.parametrize(
    "preset",
    [
        pytest.param(preset, id=name, marks=pytest.mark.thorough if name == "paper" else ())
        for name, preset in zip(NAMES, PRESETS, strict=True)
    ],
)
def test_presets_keep_the_budget_and_the_range(preset):
    original = crops(3)
    original[0] = 0
    original[1] = 255
    settings = dataclasses.replace(preset, iterations=8)
    protected, choices = protect(
        [surrogate()], original, crops(4, seed=2), image_keys(1, 2, 3), settings
    )
    assert choices.target.shape == choices.gain.shape == (8, 3)
    assert np.abs(protected - original).max() <= 12 + 1e-4
    assert np.abs(protected - original).max() > 6, "the mask uses its budget"
    assert protected.min() >= 0 and protected.max() <= 255


def test_a_grey_image_stays_grey_and_is_protected_all_the_same():
    network, original = surrogate(), crops(2)
    original[0] = original[0, ..., :1]
    settings = dataclasses.replace(TipIm.fast(), iterations=5, views=0)
    protected, _ = protect([network], original, crops(3, seed=2), image_keys(1, 2), settings)
    change = protected - original
    assert (np.ptp(protected[0], axis=-1) == 0).all()
    assert np.abs(change[0]).max() > 2
    assert np.ptp(change[1], axis=-1).max() > 1, "the other one has colours"
    assert network(protected)[0] @ network(original)[0] < 0.999


def test_protection_moves_every_image_from_itself_towards_its_own_target():
    network, original, targets = surrogate(), crops(4), crops(6, seed=2)
    settings = TipIm(iterations=30, views=0)
    protected, choices = protect([network], original, targets, image_keys(1, 2, 3, 4), settings)
    before, after, wanted = network(original), network(protected), network(targets)
    assert len(set(np.asarray(choices.target).ravel())) > 1, "images search their own targets"
    nearest = np.argmax(after @ wanted.T, axis=1)
    for i, k in enumerate(nearest):
        assert after[i] @ before[i] < 0.95
        assert after[i] @ wanted[k] > before[i] @ wanted[k] + 0.1


@pytest.mark.thorough
@pytest.mark.parametrize("settings", FEW, ids=NAMES)
def test_an_image_is_protected_the_same_in_any_batch(settings):
    original, targets = crops(4), crops(5, seed=2)
    keys = image_keys(11, 12, 13, 14)
    whole, choices = protect([surrogate()], original, targets, keys, settings)
    for rows in ([2], [3, 1], [0, 2, 3]):
        part, part_choices = protect(
            [surrogate()], original[rows], targets, keys[jnp.array(rows)], settings
        )
        np.testing.assert_array_equal(part_choices.target, choices.target[:, jnp.array(rows)])
        np.testing.assert_allclose(part, whole[jnp.array(rows)], atol=1e-3)


def test_padding_changes_no_byte_of_the_images_beside_it():
    targets, keys = crops(3, seed=2), image_keys(1, 2, 0, 0)
    settings = TipIm(iterations=5, gamma=0.01, mmd_group_size=4)
    valid = np.array([True, True, False, False])
    runs = []
    for padding in (crops(1, seed=8)[0], np.zeros((SIZE, SIZE, 3), np.float32)):
        batch = np.concatenate([crops(2), [padding, padding]]).astype(np.float32)
        protected, _ = protect([surrogate()], batch, targets, keys, settings, valid=valid)
        runs.append(np.asarray(protected[:2]))
    np.testing.assert_array_equal(*runs)


def test_the_same_seed_gives_the_same_bytes_and_another_does_not():
    arguments = [surrogate()], crops(2), crops(3, seed=2)
    settings = TipIm(iterations=5)
    first, _ = protect(*arguments, image_keys(1, 2), settings)
    again, _ = protect(*arguments, image_keys(1, 2), settings)
    other, _ = protect(*arguments, image_keys(3, 4), settings)
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.01


@pytest.mark.parametrize("counts", [(2, 2, 2, 1), (1, 6), (3, 4)])
def test_pieces_of_a_run_add_up_to_the_whole_to_the_last_byte(counts):
    surrogates, keys = (surrogate(),), image_keys(1, 2)
    settings = TipIm(iterations=7)
    whole, choices = protect(surrogates, crops(2), crops(3, seed=2), keys, settings)
    assert choices.target.shape == (7, 2)
    problem, state = start(surrogates, crops(2), crops(3, seed=2), keys, settings)
    pieces = []
    for count in counts:
        state, piece = advance(surrogates, problem, state, settings, count)
        pieces.append(piece.target)
    np.testing.assert_array_equal(jnp.concatenate(pieces), choices.target)
    np.testing.assert_array_equal(state.iteration, [7, 7])
    np.testing.assert_array_equal(state.protected, whole)


def test_images_of_several_settings_in_one_batch_are_as_in_batches_of_their_own():
    network, original, targets, keys = (
        surrogate(),
        crops(4),
        crops(3, seed=2),
        image_keys(*range(4)),
    )
    values = {"epsilon": (12.0, 4.0), "gamma": (0.0, 0.02), "learning_rate": (1.5, 3.0)}
    settings = TipIm(iterations=5, views=0)
    apart = [
        protect(
            [network],
            original[2 * n : 2 * n + 2],
            targets,
            keys[2 * n : 2 * n + 2],
            dataclasses.replace(settings, **{name: pair[n] for name, pair in values.items()}),
        )[0]
        for n in (0, 1)
    ]
    each = {name: np.repeat(np.float32(pair), 2) for name, pair in values.items()}
    together, _ = protect([network], original, targets, keys, dataclasses.replace(settings, **each))
    np.testing.assert_allclose(together, np.concatenate(apart), atol=1e-3)
    assert abs(together[2:] - original[2:]).max() <= 4 + 1e-4


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_an_image_without_gradient_stays_as_it_is(norm):
    """A target equal to the image itself gives no direction to go, not a NaN."""
    original = crops(1)
    settings = TipIm(iterations=3, views=0, norm=norm)
    protected, _ = protect([surrogate()], original, original, image_keys(1), settings)
    np.testing.assert_array_equal(protected, original)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epsilon": -1.0}, r"epsilon is -1.0; expected a value in \[0, 255\]"),
        ({"iterations": 0}, "iterations is 0"),
        ({"search_every": 0}, "search_every is 0"),
        ({"gamma": float("nan")}, "gamma is nan"),
        ({"norm": "l1"}, "norm is 'l1'; expected one of linf, l2"),
        ({"mmd_bandwidths": ()}, "mmd_bandwidths"),
        ({"mmd_group_size": 3}, "a batch of 4 images does not divide into MMD groups of 3"),
    ],
)
def test_a_setting_out_of_range_is_refused_by_name(change, message):
    settings = dataclasses.replace(TipIm.official(), **change)
    with pytest.raises(ValueError, match=message):
        protect([surrogate()], crops(4), crops(2), image_keys(1, 2, 3, 4), settings)


def test_one_compilation_serves_all_numbers_among_the_settings_and_any_count(caplog):
    surrogates, keys = (surrogate(),), image_keys(1, 2)
    with jax.log_compiles():
        for epsilon, gamma, weight, count in (
            (12.0, 0.0, 1.0, 7),
            (8.0, 0.0, 3.0, 47),
            (4.0, 0.5, 1.0, 1),
        ):
            # A momentum that no other test has: nothing is compiled yet.
            settings = TipIm(
                iterations=count, epsilon=epsilon, gamma=gamma, self_weight=weight, momentum=0.875
            )
            problem, state = start(surrogates, crops(2), crops(3), keys, settings)
            _, choices = advance(surrogates, problem, state, settings, count)
            assert len(choices.gain) == count and (choices.gain > 0).all()
    compiled = [r.getMessage() for r in caplog.records if r.getMessage().startswith("Compiling")]
    for program in ("start_batch", "advance_batch"):
        assert sum(program in message for message in compiled) == 1, program
