"""The steps of Algorithm 1 as the settings have them.

Here and nowhere else a setting that is a word becomes a function.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import jax.numpy as jnp

from tipim_jax.method import gain, losses, mmd, step, targets, views
from tipim_jax.method.settings import TipIm


@dataclass(frozen=True, kw_only=True)
class Steps:
    """The steps of Algorithm 1, each a function in whose place another may be put.

    Compiled programs are kept by them: of equal settings `steps_of` always gives the same ones.

    Attributes:
      allowed: those of the targets that an image may take; as `targets.every_target`.
      search_every: number of iterations from one search of the targets to the next; 0 never
        searches.
      choose: the target of an iteration without a search; as `targets.nearest`.
      view: draws how x^p is seen; as `views.posted_view`.
      views: number of views in an iteration, whose gradients are averaged.
      cotangents: ∂L_iden/∂f(x^p); as `losses.identity_cotangents`.
      balance: what becomes of a surrogate's gradient before it is averaged with the others'.
      mmd_gradients: N · ∂MMD/∂x^p; as `mmd.mmd_gradients`.
      mmd_of_batch: whether a set of the MMD has several images of the batch.
      total: N ∇L; as `losses.total_gradient`.
      tries_total: whether candidates step along the whole loss's gradient, or L_iden's alone.
      update: direction and momentum; as `step.tip_im_update`.
      project: Π; as `step.within_levels`.
      best: of the candidates by their gain; as `gain.best_candidate`.
      gain: of candidates; as `gain.gains`.
      distances: D_f in the gain; as `gain.squared_distances`.
    """

    allowed: Callable
    search_every: int
    choose: Callable
    view: Callable
    views: int
    cotangents: Callable
    balance: Callable
    mmd_gradients: Callable
    mmd_of_batch: bool
    total: Callable
    tries_total: bool
    update: Callable
    project: Callable
    best: Callable
    gain: Callable
    distances: Callable


def steps_of(settings: TipIm) -> Steps:
    """The steps that the settings name; their numbers come in with each image (`Numbers`)."""
    return _steps_of(settings.without_numbers)


@functools.cache
def _steps_of(settings):
    search = settings.target_choice == "search"
    view = {"official": views.official_view, "posted": views.posted_view}[settings.view]
    return Steps(
        allowed={"single": targets.drawn_target, "mean": targets.mean_target}.get(
            settings.target_choice, targets.every_target
        ),
        search_every=settings.search_every if search else 0,
        choose=targets.nearest if settings.target_choice == "nearest" else targets.kept,
        view=view if settings.views else views.plain_view,
        views=max(settings.views, 1),
        cotangents={
            "sum": losses.identity_cotangents,
            "mean": losses.mean_identity_cotangents,
        }[settings.distance],
        balance={"losses": step.as_it_is, "gradients": step.mean_absolute_normalised}[
            settings.ensemble
        ],
        mmd_gradients=partial(
            mmd.mmd_gradients,
            bandwidths=settings.mmd_bandwidths,
            group_size=settings.mmd_group_size,
            divided_by_group=settings.mmd_divided_by_group,
        ),
        mmd_of_batch=settings.mmd_group_size > 1,
        total=losses.total_gradient,
        tries_total=settings.candidate_gradient == "total",
        update=partial(
            step.tip_im_update,
            momentum=settings.momentum,
            direction=step.unseen_direction
            if settings.budget == "dssim"
            else {"linf": step.sign_direction, "l2": step.rms_direction}[settings.norm],
        ),
        project=partial(
            {"levels": step.within_levels, "dssim": step.within_dssim}[settings.budget],
            most=settings.colour_epsilon,
        ),
        best=gain.best_candidate,
        gain=partial(
            gain.gains,
            reduction={"max": jnp.max, "sum": jnp.sum, "min": jnp.min}[settings.gain],
        ),
        distances={
            "squared": gain.squared_distances,
            "euclidean": gain.euclidean_distances,
        }[settings.gain_distance],
    )
