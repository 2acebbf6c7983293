"""What a decoder remembers of the image, and of the words so far: tensors whose rows can be chosen."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

State = dict[str, Tensor]
"""Whatever the decoder carries from word to word; the first dimension of every tensor is the sentence."""


@dataclass(frozen=True, slots=True, eq=False)
class Memory:
    """What is seen of N views.

    Attributes
    ----------
    focus : (N, D)
        The standardised vector CNN(I_b) of the view itself, and its place behind it where the decoder reads that.
    keys, values : tuples of (N, heads, M, d / heads)
        What the attention of each layer reads: the view itself, then its regions; empty without attention.
    mask : (N, M) bool or None
        False for regions outside the view.
    """

    focus: Tensor
    keys: tuple[Tensor, ...] = ()
    values: tuple[Tensor, ...] = ()
    mask: Tensor | None = None

    def select(self, rows: Tensor | slice) -> Memory:
        """The memory of some views."""
        return Memory(
            self.focus[rows],
            tuple(keys[rows] for keys in self.keys),
            tuple(values[rows] for values in self.values),
            None if self.mask is None else self.mask[rows],
        )


def select(state: State, rows: Tensor | slice) -> State:
    """The state of some sentences."""
    return {name: tensor[rows] for name, tensor in state.items()}
