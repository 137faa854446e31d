"""How much a machine tries: enough for every change, and far more where a night is given to it.

pytest tests/inference -k books --hypothesis-profile=nightly
"""

from hypothesis import HealthCheck, settings

NIGHTLY = "nightly"
TIMES_AS_MANY = 100
STEPS = 100


def register() -> None:
    """Let `--hypothesis-profile` name it."""
    settings.register_profile(NIGHTLY, deadline=None)


def sizes(*, examples: int, steps: int) -> settings:
    """What to try: so many examples of so many steps, or what a night has time for."""
    is_night = settings.get_current_profile_name() == NIGHTLY
    return settings(
        max_examples=TIMES_AS_MANY * examples if is_night else examples,
        stateful_step_count=STEPS if is_night else steps,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
