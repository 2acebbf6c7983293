"""Training curves as a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from phrasebox.errors import SettingsError
from phrasebox.io.atomic import whole_file
from phrasebox.io.colours import colour


@dataclass(frozen=True, slots=True)
class Panel:
    """One set of axes: what they measure and the columns of the training log drawn on them.

    Attributes
    ----------
    label : str
        Quantity and unit of the vertical axis, such as ``Recall@1 (%)``.
    columns : mapping of str to sequence of float
        Name of a line -> one value per epoch; NaN leaves a gap.

    Raises
    ------
    SettingsError
        If there is nothing to draw.
    """

    label: str
    columns: Mapping[str, Sequence[float]]

    def __post_init__(self) -> None:
        if not any(len(values) for values in self.columns.values()):
            raise SettingsError(f"the panel {self.label!r} has no values; train for at least one epoch first")


def curves(panels: Sequence[Panel], out: Path) -> None:
    """Draw training curves side by side over a common epoch axis and write them as PNG.

    Parameters
    ----------
    panels : sequence of Panel
        From left to right, such as loss, Recall@1 both ways, learning rate.
    out : Path
        The PNG file, written atomically.

    Raises
    ------
    SettingsError
        If there is no panel.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    if not panels:
        raise SettingsError("no training curves to draw; give at least one panel")
    # Figure without pyplot: no global state, no window system, no effect on the caller's own plots.
    figure = Figure(figsize=(4.4 * len(panels), 3.3), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    for axes, panel in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        for i, (name, values) in enumerate(panel.columns.items()):
            epochs = range(1, len(values) + 1)
            axes.plot(epochs, values, color=colour(i).fill, label=name, lw=1.8, marker="o", ms=3.2)
        axes.set(xlabel="epoch", ylabel=panel.label)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.ticklabel_format(axis="y", style="sci", scilimits=(-2, 4), useMathText=True)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25, lw=0.6)
        if len(panel.columns) > 1:
            axes.legend(frameon=False, fontsize="small")
    with whole_file(out) as part:
        # No version stamp, so that equal logs give equal bytes.
        figure.savefig(part, format="png", metadata={"Software": None})
