"""The caller's word for the kind of work: strict in our own API, lenient in a vendor's dialect."""

import pytest

from ainfera_server.routing import task_type
from ainfera_server.routing.task_type import TaskType, TaskTypeSource, UnknownTaskType

STRANGE = ["poetry", "CODE", "", 7, True, ["code"], {"task": "code"}]


@pytest.mark.parametrize("kind", list(TaskType))
def test_a_caller_s_kind_of_work_is_taken_in_either_reading(kind: TaskType) -> None:
    for resolved in (task_type.resolved_or_refused, task_type.resolved_or_default):
        assert resolved(kind.value).task_type is kind
        assert resolved(kind.value).source is TaskTypeSource.CALLER


def test_an_absent_kind_of_work_is_general_by_default() -> None:
    for resolved in (task_type.resolved_or_refused, task_type.resolved_or_default):
        assert resolved(None).task_type is TaskType.GENERAL
        assert resolved(None).source is TaskTypeSource.DEFAULT


@pytest.mark.parametrize("value", STRANGE)
def test_a_strange_kind_of_work_is_refused_where_the_field_is_ours(value: object) -> None:
    with pytest.raises(UnknownTaskType, match=r"task_type must be one of reasoning, code, .*; not"):
        task_type.resolved_or_refused(value)


@pytest.mark.parametrize("value", STRANGE)
def test_a_strange_kind_of_work_is_ignored_in_a_vendor_s_dialect(value: object) -> None:
    assert task_type.resolved_or_default(value) == task_type.DEFAULT
