"""Every promise has a proof, and every proof proves a promise."""

import ast
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from pathlib import PurePosixPath

from tests.promises import PROMISES
from tests.tidy import tree
from tests.tidy.tree import Module, Text

WAYS_TO_SKIP = {"importorskip", "skip", "skipif", "skipTest", "xfail"}


def test_every_promise_has_a_proof_and_every_proof_a_promise() -> None:
    tests = tree.modules(tree.texts())
    assert disagreements(PROMISES.keys(), proofs(tests)) == []


def test_no_proof_is_skipped_anywhere() -> None:
    """What is not checked on somebody's machine is not proved there: find a way or take it out."""
    assert [
        f"{module.path}:{node.lineno}"
        for module in tree.modules(tree.texts())
        if module.path.parts[0] == "tests"
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Attribute) and node.attr in WAYS_TO_SKIP
    ] == []


def test_a_promise_without_a_proof_is_found() -> None:
    assert disagreements({"kept"}, {}) == ["'kept' is promised and nothing proves it"]


def test_a_proof_of_nothing_is_found() -> None:
    cited = {"never-said": ["test_a.py::test_it_holds"]}
    assert disagreements(set(), cited) == [
        "'never-said' is proved by test_a.py::test_it_holds and never promised"
    ]


def test_proofs_are_read_from_the_decorators_of_tests() -> None:
    source = '@proves("a", "b")\nasync def test_it_holds_what_it_says(): ...'
    text = Text(path=PurePosixPath("tests/test_example.py"), content=source)
    name = "tests/test_example.py::test_it_holds_what_it_says"
    assert proofs((tree.parsed(text),)) == {"a": [name], "b": [name]}


def test_a_promise_is_one_sentence_with_a_readable_id() -> None:
    for promise, sentence in PROMISES.items():
        assert promise.replace("-", "").isalnum()
        assert promise == promise.lower()
        assert sentence.endswith(".")
        assert ". " not in sentence


def disagreements(promised: AbstractSet[str], proved: Mapping[str, list[str]]) -> list[str]:
    """What is promised and not proved, then what is proved and not promised."""
    missing = [
        f"{one!r} is promised and nothing proves it" for one in sorted(promised - set(proved))
    ]
    unknown = [
        f"{one!r} is proved by {', '.join(proved[one])} and never promised"
        for one in sorted(proved.keys() - promised)
    ]
    return missing + unknown


def proofs(modules: tuple[Module, ...]) -> Mapping[str, list[str]]:
    """For each promise that is cited, the tests that cite it."""
    found: dict[str, list[str]] = {}
    for module in modules:
        if module.path.parts[0] == "tests" and module.path.name.startswith("test_"):
            for promise, test in cited(module):
                found.setdefault(promise, []).append(f"{module.path}::{test}")
    return found


def cited(module: Module) -> Iterator[tuple[str, str]]:
    """Each promise and the test above which it stands."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for decorator in node.decorator_list:
                yield from ((promise, node.name) for promise in promises_of(decorator))


def promises_of(decorator: ast.expr) -> tuple[str, ...]:
    """What a decorator says it proves; ids stand there as plain strings, so that one can search."""
    match decorator:
        case ast.Call(func=ast.Name(id="proves") | ast.Attribute(attr="proves"), args=arguments):
            return tuple(str(ast.literal_eval(argument)) for argument in arguments)
        case _:
            return ()
