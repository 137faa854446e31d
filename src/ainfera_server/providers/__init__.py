"""Everybody we can call; a provider is added by its file and its line here."""

from ainfera_server.providers.anthropic import ANTHROPIC
from ainfera_server.providers.deepinfra import DEEPINFRA
from ainfera_server.providers.fireworks import FIREWORKS
from ainfera_server.providers.gemini import GEMINI
from ainfera_server.providers.groq import GROQ
from ainfera_server.providers.local import LOCAL
from ainfera_server.providers.mistral import MISTRAL
from ainfera_server.providers.novita import NOVITA
from ainfera_server.providers.openai import OPENAI
from ainfera_server.providers.together import TOGETHER
from ainfera_server.providers.xai import XAI

PROVIDERS = (
    ANTHROPIC,
    OPENAI,
    GEMINI,
    MISTRAL,
    XAI,
    TOGETHER,
    GROQ,
    DEEPINFRA,
    FIREWORKS,
    NOVITA,
    LOCAL,
)
