"""Figure 1: the graphical models of the VAE and of its nonparametric extension."""

from typing import NamedTuple

import daft
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from npvae.figures import style

# lengths in cm; columns are counted from a panel's left edge
_CM = 2.54
_WIDTH, _HEIGHT = style.TEXT * _CM, 5.85
_TOP, _PARAMETERS, _FUNCTION, _BOTTOM = 4.4, 3.45, 2.77, 2.0
_Z, _Z_TILDE, _X = 0.7, 1.9, 3.25
_PLATE_BOTTOM, _PLATE_HEIGHT = 1.35, 3.55
_NODE = 0.68


class _Panel(NamedTuple):
    name: str
    left: float
    plate: float
    title: str
    equation: str


_PANELS = (
    _Panel("a", 0.1, 2.2, "generative\nmodel", r"$\prod_i\;p(\mathbf{y}_i|\mathbf{z}_i)\,p(\mathbf{z}_i)$"),
    _Panel("b", 3.18, 2.2, "factored\napproximation", r"$q(\mathbf{Z})=\prod_i\;q(\mathbf{z}_i)$"),
    _Panel(
        "c",
        6.26,
        2.2,
        "amortised\ninference",
        r"$q(\mathbf{Z}|\mathbf{Y})=\prod_i\;q(\mathbf{z}_i|\mathbf{y}_i)$",
    ),
    _Panel(
        "d",
        9.34,
        2.6,
        "latent $\\mathbf{X}$ ties\nthe $\\mathbf{z}_i$ together",
        r"$\tilde{\mathbf{z}}_i=\sum_{j\neq i}\,W_{ij}(\mathbf{X})\,\mathbf{z}_j$",
    ),
    _Panel(
        "e",
        13.82,
        2.6,
        "amortised inference\nof $\\mathbf{X}$, too",
        r"$\mathbf{x}_i=f(\mathbf{y}_i)$,  $\mathrm{E}[\mathbf{z}_i]\approx\mathrm{E}[\tilde{\mathbf{z}}_i]$",
    ),
)


def _add_panel(pgm: daft.PGM, panel: _Panel) -> None:
    name, left = panel.name, panel.left
    pgm.add_plate(
        [left, _PLATE_BOTTOM, panel.plate, _PLATE_HEIGHT],
        label="$N$",
        position="bottom right",
        label_offset=(4, 3),
        rect_params={"ec": style.MUTED},
    )
    pgm.add_node("z" + name, r"$\mathbf{z}_i$", left + _Z, _TOP)
    if name != "b":
        pgm.add_node("y" + name, r"$\mathbf{y}_i$", left + _Z, _BOTTOM, observed=True)
    if name in "ad":
        pgm.add_edge("z" + name, "y" + name)
    if name in "bce":
        moments = r"$\mathbf{\mu}_i,\mathbf{\sigma}_i$"
        pgm.add_node("q" + name, moments, left + _Z, _PARAMETERS, fixed=True, offset=(16, -9))
        pgm.add_edge("q" + name, "z" + name)
    if name in "ce":
        pgm.add_edge("y" + name, "q" + name)
        _add_function(pgm, "g" + name, left + _Z, _FUNCTION)
    if name in "de":
        pgm.add_node("t" + name, r"$\tilde{\mathbf{z}}_i$", left + _Z_TILDE, _TOP)
        pgm.add_node("x" + name, r"$\mathbf{X}$", left + _X, _TOP)
        pgm.add_edge("x" + name, "t" + name)
        matched = {"color": style.ACCENT, "lw": 2.5, "solid_capstyle": "butt"}
        pgm.add_edge("z" + name, "t" + name, directed=False, plot_params=matched)
    if name == "e":
        pgm.add_edge("ye", "xe")
        _add_function(pgm, "fe", left + (_Z + _X) / 2, (_BOTTOM + _TOP) / 2)


def _add_function(pgm: daft.PGM, name: str, x: float, y: float) -> None:
    """A square upon an edge, which must have been added already: nodes hide the edges under them."""
    pgm.add_node(name, "", x, y, scale=0.3, shape="rectangle", plot_params={"fc": style.INK, "lw": 0})


def _key() -> list[Line2D]:
    def symbol(label: str, marker: str, size: float, face: str) -> Line2D:
        handle = Line2D([], [], linestyle="none", marker=marker, markersize=size, label=label)
        handle.set(markerfacecolor=face, markeredgecolor=style.INK, markeredgewidth=0.7)
        return handle

    return [
        symbol("latent", "o", 7, "white"),
        symbol("observed", "o", 7, "0.7"),
        symbol("variational parameters", "o", 3, style.INK),
        symbol("deterministic function (MLP)", "s", 4.5, style.INK),
        Line2D([], [], color=style.ACCENT, lw=2.5, label="moments matched"),
    ]


def draw() -> Figure:
    """The models (a) to (e) of the paper's Figure 1, at the width of the text."""
    with (
        style.styled(),
        daft.PGM(
            shape=(_WIDTH, _HEIGHT),
            origin=(0, 0),
            grid_unit=1,
            node_unit=_NODE,
            line_width=0.8,
            node_ec=style.INK,
        ) as pgm,
    ):
        for panel in _PANELS:
            _add_panel(pgm, panel)
        axes = pgm.render()
        for panel in _PANELS:
            left, middle = panel.left, panel.left + panel.plate / 2
            axes.text(left, _HEIGHT - 0.1, f"({panel.name})", va="top", fontweight="bold")
            axes.text(left + 0.55, _HEIGHT - 0.1, panel.title, va="top")
            axes.text(middle, 1.22, panel.equation, ha="center", va="top")
        figure = axes.figure
        figure.legend(handles=_key(), ncols=5, loc="lower center", frameon=False, borderaxespad=0.2)
        FigureCanvasAgg(figure)
    return figure
