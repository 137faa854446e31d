"""The names of tools in Anthropic's Messages: those of the caller's, the vendor's, and changes.

https://platform.claude.com/docs/en/api/messages
"""

from typing import Literal

from msgspec import Raw, Struct


class Tool(Struct, frozen=True, omit_defaults=True):
    """A tool of the caller's own."""

    name: str
    input_schema: Raw
    description: str | None = None
    type: Literal["custom"] | None = None


TOOL_FIELDS = frozenset(Tool.__struct_fields__)


class ToolKind(Struct, frozen=True):
    """A tool with another `type` than "custom" is one that Anthropic runs or defines."""

    type: str | None = None
    name: str | None = None
    defer_loading: object = None

    @property
    def is_the_callers(self) -> bool:
        """Whether the caller runs it and says what it takes."""
        return self.type in {None, "custom"}


class SearchTool(Struct, frozen=True):
    """Anthropic searches the web when the model asks for it."""

    type: str
    max_uses: int | None = None
    allowed_callers: tuple[str, ...] | None = None


TOOL_REFERENCE = "tool_reference"
TOOL_ADDITION = "tool_addition"
TOOL_REMOVAL = "tool_removal"


class ToolReference(Struct, frozen=True):
    """What a search among deferred tools answers: from here on the model has this one."""

    tool_name: str


class ChangedTool(Struct, frozen=True):
    """A reference to a tool by its name, or a tool that is defined here and nowhere else."""

    name: str | None = None
    definition: Raw = Raw()


class ToolChange(Struct, frozen=True):
    """A block in the middle of a conversation: from here on the model has this tool, or not."""

    type: str
    tool: ChangedTool
