"""Which target is taken, and how several surrogates count."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.method_toy import crops, image_keys, small_network, surrogate
from tipim_jax.method import Surrogate, TipIm, advance, protect, start


def test_a_single_target_is_the_one_that_the_key_draws_and_no_other_matters():
    network, original, targets = surrogate(), crops(6), crops(3, seed=2)
    settings = TipIm(iterations=5, views=0, target_choice="single")
    found, choices = protect([network], original, targets, image_keys(*range(6)), settings)
    search = dataclasses.replace(settings, target_choice="search")
    alone = [
        protect([network], original, targets[k : k + 1], image_keys(*range(6)), search)[0]
        for k in range(3)
    ]
    drawn = [[np.allclose(one[n], found[n], atol=1e-3) for one in alone] for n in range(6)]
    assert [sum(row) for row in drawn] == [1] * 6
    assert len({row.index(True) for row in drawn}) > 1
    named = np.repeat([[row.index(True) for row in drawn]], 5, axis=0)
    np.testing.assert_array_equal(choices.target, named)


@pytest.mark.thorough
def test_between_two_searches_the_target_is_kept():
    network, original, targets = surrogate(), crops(6), crops(8, seed=2)
    settings = TipIm(iterations=9, views=0, search_every=3, epsilon=40.0)
    keys = image_keys(*range(6))
    _, choices = protect([network], original, targets, keys, settings)
    chosen = np.asarray(choices.target).reshape(3, 3, 6)
    assert (chosen == chosen[:, :1]).all()
    _, each = protect(
        [network], original, targets, keys, dataclasses.replace(settings, search_every=1)
    )
    np.testing.assert_array_equal(chosen[0, 0], each.target[0])
    assert (np.diff(chosen[:, 0], axis=0) != 0).any(), "a later search changes its mind"


def test_the_nearest_target_is_the_one_that_x_is_nearest_to():
    network, original, targets = surrogate(), crops(6), crops(8, seed=2)
    settings = TipIm(iterations=1, views=0, target_choice="nearest")
    found, choices = protect([network], original, targets, image_keys(*range(6)), settings)
    distances = np.linalg.norm(network(original)[:, None] - network(targets)[None], axis=2)
    np.testing.assert_array_equal(choices.target[0], distances.argmin(axis=1))
    # Towards it alone, the step is the one that the search would try.
    for image, target in enumerate(distances.argmin(axis=1)):
        alone, _ = protect(
            [network],
            original[image : image + 1],
            targets[target : target + 1],
            image_keys(image),
            TipIm(iterations=1, views=0),
        )
        np.testing.assert_allclose(alone[0], found[image], atol=1e-4)


def test_all_targets_together_pull_as_the_mean_of_their_losses_does():
    network, original, targets = surrogate(), crops(2), crops(3, seed=2)
    settings = TipIm(iterations=1, views=0, target_choice="mean", norm="linf", epsilon=255.0)
    found, choices = protect([network], original, targets, image_keys(1, 2), settings)
    np.testing.assert_array_equal(choices.target, [[-1, -1]])

    def loss(images):
        embeddings, original_embeddings = network(images), network(original)
        to_original = ((embeddings - original_embeddings) ** 2).mean()
        to_targets = ((embeddings[:, None] - network(targets)[None]) ** 2).mean(axis=(0, 2)).mean()
        return to_targets - to_original

    downhill = -jax.grad(loss)(original)
    moved = (found > 0) & (found < 255)
    np.testing.assert_array_equal(np.sign(found - original)[moved], np.sign(downhill)[moved])


def test_several_surrogates_average_their_losses():
    """Twice the same surrogate is that surrogate; two different ones are neither."""
    original, targets, keys = crops(2), crops(3, seed=2), image_keys(1, 2)
    settings = TipIm(iterations=4, views=0)
    one, other = surrogate(0), surrogate(9, dim=24)
    alone, _ = protect([one], original, targets, keys, settings)
    twice, _ = protect([one, one], original, targets, keys, settings)
    both, _ = protect([one, other], original, targets, keys, settings)
    np.testing.assert_allclose(twice, alone, atol=1e-3)
    assert np.abs(both - alone).max() > 0.1
    for network in (one, other):
        assert all(
            after @ before < 0.97
            for after, before in zip(network(both), network(original), strict=True)
        )


@pytest.mark.thorough
def test_gradients_of_several_surrogates_count_alike_however_large_they_are():
    original, targets, keys = crops(2), crops(1, seed=2), image_keys(1, 2)
    loud = surrogate(9)

    def mostly_constant(variables, images):
        found = small_network(variables, images)
        return jnp.concatenate([found, jnp.full_like(found, 20.0)], axis=-1)

    quiet = Surrogate(mostly_constant, surrogate(0).variables)
    shares = {}
    for ensemble in ("losses", "gradients"):
        settings = TipIm(iterations=1, views=0, ensemble=ensemble, epsilon=40.0)
        both, alone = (
            np.asarray(protect(networks, original, targets, keys, settings)[0] - original)
            for networks in ([quiet, loud], [quiet])
        )
        shares[ensemble] = np.sum(both * alone) / np.linalg.norm(both) / np.linalg.norm(alone)
    assert shares["losses"] < 0.2 < 0.6 < shares["gradients"]


def test_who_counts_the_iterations_need_not_wait_for_the_state():
    network, original, targets, keys = surrogate(), crops(2), crops(3, seed=2), image_keys(0, 1)
    settings = TipIm(iterations=4, views=0, search_every=3, epsilon=40.0)
    asked, choices = protect([network], original, targets, keys, settings)
    problem, told = start([network], original, targets, keys, settings)
    chosen = []
    for begun in range(4):
        told, choice = advance([network], problem, told, settings, 1, begun=begun)
        chosen.append(choice.target)
    np.testing.assert_array_equal(asked, told.protected)
    np.testing.assert_array_equal(choices.target, np.concatenate(chosen))
