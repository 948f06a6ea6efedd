"""The rules of trade: pure functions on columns, without clock, dice or files."""
