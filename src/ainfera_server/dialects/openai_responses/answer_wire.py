"""The names of OpenAI's Responses as we answer: responses, their items, and streamed events.

https://developers.openai.com/api/reference/resources/responses/streaming-events
"""

from typing import Literal

from msgspec import UNSET, Raw, Struct, UnsetType

AINFERA_FIELD = "ainfera"
NULL = Raw(b"null")
Status = Literal["in_progress", "completed", "incomplete", "failed"]
ItemStatus = Literal["in_progress", "completed", "incomplete"]


class OutputText(Struct, frozen=True, tag_field="type", tag="output_text"):
    text: str
    annotations: tuple[()] = ()
    logprobs: tuple[()] = ()


class SummaryText(Struct, frozen=True, tag_field="type", tag="summary_text"):
    text: str


class MessageItem(Struct, frozen=True, tag_field="type", tag="message"):
    id: str
    status: ItemStatus
    content: tuple[OutputText, ...]
    role: Literal["assistant"] = "assistant"


class CallItem(Struct, frozen=True, kw_only=True, tag_field="type", tag="function_call"):
    id: str
    status: ItemStatus
    call_id: str
    name: str
    arguments: str
    namespace: str | UnsetType = UNSET


class ReasoningItem(Struct, frozen=True, tag_field="type", tag="reasoning"):
    id: str
    summary: tuple[SummaryText, ...]
    encrypted_content: str | None


Item = MessageItem | CallItem | ReasoningItem


class InputDetails(Struct, frozen=True):
    cached_tokens: int
    cache_write_tokens: int


class OutputDetails(Struct, frozen=True):
    reasoning_tokens: int


class Usage(Struct, frozen=True, kw_only=True):
    input_tokens: int
    input_tokens_details: InputDetails
    output_tokens: int
    output_tokens_details: OutputDetails
    total_tokens: int


class IncompleteDetails(Struct, frozen=True):
    reason: Literal["max_output_tokens", "content_filter"]


class ResponseError(Struct, frozen=True):
    code: str
    message: str


class Ainfera(Struct, frozen=True, kw_only=True):
    """What we say about an answer, in the answer."""

    agent_id: str
    inference_id: str
    receipt_id: str | None
    provider: str
    model: str
    cost_usd: str | None
    audit_verify_url: str


class Response(Struct, frozen=True, kw_only=True, tag_field="object", tag="response"):
    """A response.

    The fields of REPEATED are as they were asked; their defaults stand for what was not said.
    """

    id: str
    created_at: int
    status: Status
    model: str
    output: tuple[Item, ...] = ()
    usage: Usage | None = None
    error: ResponseError | None = None
    incomplete_details: IncompleteDetails | None = None
    background: bool = False
    store: bool = False
    previous_response_id: None = None
    instructions: Raw = NULL
    max_output_tokens: Raw = NULL
    metadata: Raw = Raw(b"{}")
    parallel_tool_calls: Raw = Raw(b"true")
    reasoning: Raw = NULL
    temperature: Raw = NULL
    text: Raw = Raw(b'{"format":{"type":"text"}}')
    tool_choice: Raw = Raw(b'"auto"')
    tools: Raw = Raw(b"[]")
    top_p: Raw = NULL
    truncation: Raw = Raw(b'"disabled"')
    ainfera: Ainfera | UnsetType = UNSET


REPEATED = (
    *("instructions", "max_output_tokens", "metadata", "parallel_tool_calls", "reasoning"),
    *("temperature", "text", "tool_choice", "tools", "top_p", "truncation"),
)


class Created(Struct, frozen=True, tag_field="type", tag="response.created"):
    response: Response
    sequence_number: int = 0


class InProgress(Struct, frozen=True, tag_field="type", tag="response.in_progress"):
    response: Response
    sequence_number: int = 0


class Completed(Struct, frozen=True, tag_field="type", tag="response.completed"):
    response: Response
    sequence_number: int = 0


class Incomplete(Struct, frozen=True, tag_field="type", tag="response.incomplete"):
    response: Response
    sequence_number: int = 0


class Failed(Struct, frozen=True, tag_field="type", tag="response.failed"):
    response: Response
    sequence_number: int = 0


class ItemAdded(Struct, frozen=True, tag_field="type", tag="response.output_item.added"):
    output_index: int
    item: Item
    sequence_number: int = 0


class ItemDone(Struct, frozen=True, tag_field="type", tag="response.output_item.done"):
    output_index: int
    item: Item
    sequence_number: int = 0


class ContentAdded(Struct, frozen=True, tag_field="type", tag="response.content_part.added"):
    item_id: str
    output_index: int
    part: OutputText
    content_index: int = 0
    sequence_number: int = 0


class ContentDone(Struct, frozen=True, tag_field="type", tag="response.content_part.done"):
    item_id: str
    output_index: int
    part: OutputText
    content_index: int = 0
    sequence_number: int = 0


class TextDelta(Struct, frozen=True, tag_field="type", tag="response.output_text.delta"):
    item_id: str
    output_index: int
    delta: str
    content_index: int = 0
    logprobs: tuple[()] = ()
    sequence_number: int = 0


class TextDone(Struct, frozen=True, tag_field="type", tag="response.output_text.done"):
    item_id: str
    output_index: int
    text: str
    content_index: int = 0
    logprobs: tuple[()] = ()
    sequence_number: int = 0


class SummaryAdded(
    Struct, frozen=True, tag_field="type", tag="response.reasoning_summary_part.added"
):
    item_id: str
    output_index: int
    part: SummaryText
    summary_index: int = 0
    sequence_number: int = 0


class SummaryDone(
    Struct, frozen=True, tag_field="type", tag="response.reasoning_summary_part.done"
):
    item_id: str
    output_index: int
    part: SummaryText
    summary_index: int = 0
    sequence_number: int = 0


class SummaryTextDelta(
    Struct, frozen=True, tag_field="type", tag="response.reasoning_summary_text.delta"
):
    item_id: str
    output_index: int
    delta: str
    summary_index: int = 0
    sequence_number: int = 0


class SummaryTextDone(
    Struct, frozen=True, tag_field="type", tag="response.reasoning_summary_text.done"
):
    item_id: str
    output_index: int
    text: str
    summary_index: int = 0
    sequence_number: int = 0


class ArgumentsDelta(
    Struct, frozen=True, tag_field="type", tag="response.function_call_arguments.delta"
):
    item_id: str
    output_index: int
    delta: str
    sequence_number: int = 0


class ArgumentsDone(
    Struct, frozen=True, tag_field="type", tag="response.function_call_arguments.done"
):
    item_id: str
    output_index: int
    name: str
    arguments: str
    sequence_number: int = 0


class Error(Struct, frozen=True):
    message: str
    type: str | None = None
    param: str | None = None
    code: str | None = None


class ErrorAnswer(Struct, frozen=True):
    """What is wrong, in OpenAI's words, and beside them in ours."""

    error: Error
    detail: Raw


class ErrorEvent(Struct, frozen=True, kw_only=True, tag_field="type", tag="error"):
    """The same inside a stream.

    OpenAI's event has its words at the top; its SDK raises only for an `error` object.
    """

    code: str | None
    message: str
    param: str | None
    error: Error
    detail: Raw
    sequence_number: int


class UpstreamError(Struct, frozen=True):
    message: str | None = None


class UpstreamErrorAnswer(Struct, frozen=True):
    """An error envelope as OpenAI writes it; `type` is "error" in that of Anthropic."""

    error: UpstreamError | None = None
    type: str | None = None
