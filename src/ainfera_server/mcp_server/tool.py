"""What a tool is: a name, two schemas, what it does to the world, and the function behind it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

import mcp_types
import orjson
from mcp_types import CallToolResult, TextContent, ToolAnnotations
from pydantic import BaseModel, ConfigDict, ValidationError

from ainfera_server.dialects.native import server as native
from ainfera_server.errors import AinferaError, Invalid
from ainfera_server.mcp_server import asking
from ainfera_server.mcp_server.asking import Asking

ERROR_META = "ainfera.ai/error"
"""Under this name a refused call carries the same error that the native API would have sent."""


class Arguments(BaseModel):
    """What a tool takes; a name that it does not know is a mistake and not ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Result(BaseModel):
    """What a tool gives; money is decimal text of US dollars."""

    model_config = ConfigDict(frozen=True)


ArgumentsT = TypeVar("ArgumentsT", bound=Arguments)

Opens = Literal["key", "owner"]
"""Which keys may call a tool: any, or an owner's alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool(Generic[ArgumentsT]):
    """One tool; `run` may raise any AinferaError, and is reached by the keys that `opens` says."""

    name: str
    title: str
    description: str
    takes: type[ArgumentsT]
    gives: type[Result]
    annotations: ToolAnnotations
    opens: Opens
    run: Callable[[Asking, ArgumentsT], Awaitable[Result]]

    @property
    def definition(self) -> mcp_types.Tool:
        """The tool as clients are told of it."""
        return mcp_types.Tool(
            name=self.name,
            title=self.title,
            description=self.description,
            input_schema=self.takes.model_json_schema(),
            output_schema=self.gives.model_json_schema(mode="serialization"),
            annotations=self.annotations,
        )

    async def call(self, ask: Asking, arguments: dict[str, object]) -> CallToolResult:
        """Run the tool; whatever goes wrong is the result, so that a model can read it."""
        try:
            if self.opens == "owner":
                ask.caller.require_owner()
            result = await self.run(ask, self._read(arguments))
        except Exception as problem:
            return _refused(asking.told(problem, ask, where=self.name), ask.request_id)
        return CallToolResult(
            content=[TextContent(text=result.model_dump_json())],
            structured_content=result.model_dump(mode="json"),
        )

    def _read(self, arguments: dict[str, object]) -> ArgumentsT:
        """Read the arguments. Raises Invalid, which names the first mistake and no value."""
        try:
            return self.takes.model_validate(arguments)
        except ValidationError as problem:
            mistake = problem.errors(include_input=False, include_url=False)[0]
            place = ".".join(str(part) for part in mistake["loc"]) or "arguments"
            raise Invalid(f"{place}: {mistake['msg']}.", param=place) from None


def _refused(problem: AinferaError, request_id: str) -> CallToolResult:
    body = orjson.loads(native.encode_error(problem, request_id=request_id).body)
    return CallToolResult(
        content=[TextContent(text=f"{problem.code}: {problem.sentence}")],
        is_error=True,
        _meta={ERROR_META: body},
    )
