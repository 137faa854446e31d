"""Amounts in bodies: decimal text or a number, read exactly by whoever knows what they mean."""

from pydantic import StrictFloat, StrictInt, StrictStr

Amount = StrictStr | StrictInt | StrictFloat
"""Dollars, or a share from 0 to 1. Strict, so that `true` is not a dollar."""
