"""A terminal that keeps its output."""

from __future__ import annotations

import io
import re


class Terminal(io.TextIOWrapper):
    """A terminal that keeps its output."""

    def __init__(self, encoding: str = 'utf-8') -> None:
        super().__init__(io.BytesIO(), encoding=encoding, errors='strict', write_through=True)

    def isatty(self) -> bool:
        return True

    def text(self) -> str:
        assert isinstance(self.buffer, io.BytesIO)
        return self.buffer.getvalue().decode(self.encoding)

    def lines(self) -> list[str]:
        """Return the output without colours and cursor movements."""
        return re.sub(r'\x1b\[[?0-9;]*[A-Za-z]|\r', '', self.text()).splitlines()
