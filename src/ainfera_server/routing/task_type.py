"""What kind of work a request is, and who said so."""

import reprlib
from dataclasses import dataclass
from enum import StrEnum


class TaskType(StrEnum):
    REASONING = "reasoning"
    CODE = "code"
    EXTRACTION = "extraction"
    CHAT = "chat"
    TOOL_USE = "tool_use"
    EMBED = "embed"
    GENERAL = "general"


TIER_1 = frozenset({TaskType.REASONING, TaskType.CODE, TaskType.EXTRACTION, TaskType.CHAT})
"""The kinds of work whose quality is measured first."""


class TaskTypeSource(StrEnum):
    CALLER = "caller"
    CLASSIFIER = "classifier"
    DEFAULT = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedTaskType:
    """A task type and who said so; tools in a request say nothing about it."""

    task_type: TaskType
    source: TaskTypeSource


class UnknownTaskType(ValueError):
    """The caller named a kind of work that does not exist."""


DEFAULT = ResolvedTaskType(task_type=TaskType.GENERAL, source=TaskTypeSource.DEFAULT)


def resolved_or_refused(value: object) -> ResolvedTaskType:
    """Read the caller's word where it is a field of our own API: a misspelt one is an error.

    Raises UnknownTaskType for anything that is neither absent nor a task type.
    """
    if value is None:
        return DEFAULT
    task_type = parsed(value)
    if task_type is None:
        allowed = ", ".join(TaskType)
        raise UnknownTaskType(f"task_type must be one of {allowed}; not {reprlib.repr(value)}")
    return ResolvedTaskType(task_type=task_type, source=TaskTypeSource.CALLER)


def resolved_or_default(value: object) -> ResolvedTaskType:
    """Read the caller's word on a vendor's dialect, where a strange one is simply not ours."""
    task_type = parsed(value)
    if task_type is None:
        return DEFAULT
    return ResolvedTaskType(task_type=task_type, source=TaskTypeSource.CALLER)


def parsed(value: object) -> TaskType | None:
    """The task type of this exact name; None when there is none."""
    return next((task_type for task_type in TaskType if task_type == value), None)
