"""Recurrent layers: cells in a loop over time, written and recognised.

Importing the package registers the codecs: of cells, of layers, Bidirectional.
"""

from modelfmt.layers.recurrent import (
    bidirectional,
    conv_rnn,
    gru_cell,
    lstm_cell,
    rnn,
    simple_rnn_cell,
    stacked_cells,
)

__all__ = [
    "bidirectional", "conv_rnn", "gru_cell", "lstm_cell", "rnn", "simple_rnn_cell",
    "stacked_cells",
]  # fmt: skip
