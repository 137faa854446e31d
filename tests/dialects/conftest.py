"""Examples take as long as they take: how busy the machine is says nothing about a codec."""

from hypothesis import settings

settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")
