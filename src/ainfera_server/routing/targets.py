"""Model names that mean "choose for me": the single set that every dialect asks."""

CANONICAL = "ainfera-inference"
ALIASES = frozenset({"ainfera-mithril", "ainfera-auto", "ainfera/auto"})
TARGETS = ALIASES | {CANONICAL}


def is_routed(model: str) -> bool:
    """Tell a request to choose from a request for one model; the match is exact."""
    return model in TARGETS


def canonical(model: str) -> str:
    """Name the target by its one name; a pinned model keeps its own."""
    return CANONICAL if model in ALIASES else model
