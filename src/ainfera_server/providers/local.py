"""The model that runs on this machine, without a key and without the network."""

from ainfera_server.providers.provider import Provider, Timeouts

# https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md
LOCAL = Provider(
    slug="local",
    display_name="This machine",
    brand=None,
    dialect="openai_chat",
    # Known once `local_model.start` has run, or told by an operator whose own server runs.
    base_url=None,
    base_url_variable="AINFERA_LOCAL_MODEL_URL",
    key_variable=None,
    # A processor reads a long prompt slowly, and more than two requests wait for each other.
    timeouts=Timeouts(connect_s=1.0, first_byte_s=240.0),
)
