"""Settings under which every provider with a key is one on loopback."""

from pathlib import Path

from ainfera_server.settings import Settings

KEY = "sk-of-nobody"


def settings(root_url: str, data_dir: Path) -> Settings:
    """Settings of a gateway whose providers all answer at this address, without `/v1`."""
    return Settings(
        data_dir=data_dir,
        provider_keys=dict.fromkeys(("openai", "anthropic", "mistral"), KEY),
        provider_base_urls={
            "openai": f"{root_url}/v1",
            "mistral": f"{root_url}/v1",
            "anthropic": root_url,
        },
    )
