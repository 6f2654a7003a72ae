"""Numbers with their noun: "1 piece", "1,200 pieces"."""


def counted(number: int, noun: str) -> str:
    """Return a number with a noun that takes an s in the plural."""
    return f"{number:,} {noun}{'s' * (number != 1)}"
