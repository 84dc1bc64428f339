"""The gaps: one line per operator; another one is a function in a file and a line here."""

from __future__ import annotations

from typing import Mapping

from atlas_hpe_export.frontends.gaps.adaptive_pool import fill_average_pool, fill_max_pool
from atlas_hpe_export.frontends.gaps.affine_grid import fill_affine_grid
from atlas_hpe_export.frontends.gaps.cdist import fill_cdist
from atlas_hpe_export.frontends.gaps.fill import Fill
from atlas_hpe_export.frontends.gaps.in_place import fill_select_scatter, fill_slice_scatter
from atlas_hpe_export.frontends.gaps.linear_algebra import fill_inverse, fill_solve
from atlas_hpe_export.frontends.gaps.shuffle import fill_channel_shuffle, fill_matrix_transpose

__all__ = ["GAPS"]

#: Operator of PyTorch (its ``default`` overload) -> what takes its place.
GAPS: Mapping[str, Fill] = {
    "inverse": fill_inverse,
    "linalg_inv": fill_inverse,
    "linalg_inv_ex": fill_inverse,
    "linalg_solve": fill_solve,
    "linalg_solve_ex": fill_solve,
    "_linalg_solve_ex": fill_solve,
    "adaptive_avg_pool1d": fill_average_pool,
    "adaptive_avg_pool2d": fill_average_pool,
    "_adaptive_avg_pool2d": fill_average_pool,
    "adaptive_max_pool1d": fill_max_pool,
    "adaptive_max_pool2d": fill_max_pool,
    "affine_grid_generator": fill_affine_grid,
    "cdist": fill_cdist,
    "_cdist_forward": fill_cdist,
    "channel_shuffle": fill_channel_shuffle,
    "mT": fill_matrix_transpose,
    "slice_scatter": fill_slice_scatter,
    "select_scatter": fill_select_scatter,
}
