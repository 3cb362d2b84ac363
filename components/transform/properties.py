"""Names of properties of the transform graph."""

from __future__ import annotations

# Why TFX's own executor ran; empty if the executor of this project did.
STOCK_REASON_PROPERTY = 'stock_reason'
