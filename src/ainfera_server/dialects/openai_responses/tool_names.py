"""Names of functions that stand in a namespace, which no other dialect has.

There the two names become one, and the one tells by itself which two it was made of, because
whoever reads an answer may not have the question at hand.
"""

MARK = "ns--"
BETWEEN = "--"


def joined(namespace: str | None, name: str) -> str:
    """One name for a function, wherever it stands."""
    return name if namespace is None else f"{MARK}{namespace}{BETWEEN}{name}"


def parted(name: str) -> tuple[str | None, str]:
    """The namespace, None for a function that stands in none, and the name in it."""
    if name.startswith(MARK):
        namespace, _, inner = name.removeprefix(MARK).partition(BETWEEN)
        if namespace and inner:
            return namespace, inner
    return None, name


def can_be_joined(namespace: str | None, name: str) -> bool:
    """Whether the two names come back out of the one."""
    return parted(joined(namespace, name)) == (namespace, name)
