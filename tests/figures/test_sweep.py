"""The figure of the sweep: every number at its place."""

import numpy as np
import pandas as pd

from npvae.figures import sweep


def test_the_sweep_has_a_row_a_point_and_a_column_a_measure() -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.random((3, 6)), columns=list(sweep.MEASURES), index=["a=1", "a=2", "b=3"])
    figure = sweep.draw(table)
    assert len(figure.axes) == 6
    for axes, values in zip(figure.axes, table.to_numpy().T, strict=True):
        default, dots = axes.lines
        np.testing.assert_allclose(dots.get_xdata(), values)
        assert list(dots.get_ydata()) == [0, 1, 2]
        assert default.get_xdata()[0] == values[0]
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["a=1", "a=2", "b=3"]
    top, bottom = figure.axes[0].get_ylim()
    assert top > bottom  # the first point is the uppermost row
