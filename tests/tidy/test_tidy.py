"""The repository keeps its own rules, and each rule is shown to bite."""

from dataclasses import dataclass
from pathlib import PurePosixPath

import pytest

from tests.tidy import rules, tree, words
from tests.tidy.rules import Rule
from tests.tidy.tree import Module, Text

TEXTS = tree.texts()
MODULES = tree.modules(TEXTS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A small file that breaks one rule, and the same file as it should be."""

    rule: Rule
    path: str = "src/ainfera_server/example.py"
    broken: str
    kept: str
    kept_path: str | None = None


LONG_FUNCTION = "def long() -> None:\n" + "    pass\n" * 60
LONG_FILE = '"""Too much."""\n' + "\n" * 400

EXAMPLES = (
    Example(
        rule=rules.a_file_opens_with_one_sentence,
        broken='"""Things. And other things."""\nx = 1',
        kept='"""What a thing costs."""\n',
    ),
    Example(rule=rules.a_function_fits_a_screen, broken=LONG_FUNCTION, kept=LONG_FUNCTION[:-9]),
    Example(rule=rules.a_file_fits_an_idea, broken=LONG_FILE, kept=LONG_FILE[:-1]),
    Example(
        rule=rules.a_name_says_what_is_inside,
        path="src/ainfera_server/wallet/utils.py",
        broken="",
        kept="",
        kept_path="src/ainfera_server/routing/task_type.py",
    ),
    Example(
        rule=rules.a_dataclass_is_a_value,
        broken="@dataclass(frozen=True)\nclass Price: ...",
        kept="@dataclass(frozen=True, slots=True, kw_only=True)\nclass Price: ...",
    ),
    Example(
        rule=rules.sql_lives_in_sql_files,
        broken='QUERY = f"SELECT id FROM agents WHERE {x}"',
        kept='"""A SELECT id FROM agents is not written here."""\nTEXT = "Select a model."',
    ),
    Example(
        rule=rules.an_init_file_is_empty_or_a_list,
        path="src/ainfera_server/wallet/__init__.py",
        broken="from ainfera_server.wallet.caps import Cap",
        kept="from ainfera_server.providers import xai\nPROVIDERS = (xai.XAI,)",
    ),
    Example(
        rule=rules.a_test_name_is_a_sentence,
        path="tests/test_example.py",
        broken="def test_hold(): ...",
        kept="def test_a_hold_never_exceeds_the_balance(): ...",
    ),
    Example(
        rule=rules.a_test_is_a_plain_function,
        path="tests/test_example.py",
        broken="class TestHolds:\n    def test_it_holds_what_it_says(self): ...",
        kept="def test_it_holds_what_it_says(): ...",
    ),
    Example(
        rule=rules.a_test_does_not_sleep,
        path="tests/test_example.py",
        broken="async def test_it():\n    await asyncio.sleep(0.1)",
        kept="async def test_it():\n    await asyncio.sleep(0)",
    ),
    Example(
        rule=rules.only_a_door_catches_everything,
        broken="try:\n    f()\nexcept (ValueError, Exception):\n    pass",
        kept="try:\n    f()\nexcept BaseException:\n    close()\n    raise",
    ),
    Example(
        rule=rules.a_function_is_called_by_its_module,
        broken="from ainfera_server.money import usd",
        kept="from ainfera_server import money\nfrom ainfera_server.money import UsdMicros",
    ),
)

# Put together here so that this file may be read by the rule itself.
FORBIDDEN_EXAMPLES = (
    "as AIN" + "-12 says",
    "see issue" + " 7",
    "see \N{SECTION SIGN}4",
    "see contract" + " 4.3",
    "in /wo" + "rk/main",
    "from py" + "pi.org",
)


def module_of(path: str, content: str) -> Module:
    return tree.parsed(Text(path=PurePosixPath(path), content=content))


@pytest.mark.parametrize("module", MODULES, ids=lambda module: str(module.path))
def test_every_python_file_keeps_the_rules_of_the_house(module: Module) -> None:
    assert [str(finding) for finding in rules.findings(module, rules.RULES)] == []


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: str(text.path))
def test_no_file_names_a_ticket_a_chapter_a_machine_or_a_registry(text: Text) -> None:
    assert [str(finding) for finding in words.findings(text)] == []


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.rule.__name__)
def test_each_rule_bites_where_it_is_broken_and_nowhere_else(example: Example) -> None:
    broken = module_of(example.path, example.broken)
    kept = module_of(example.kept_path or example.path, example.kept)
    assert list(rules.findings(broken, (example.rule,)))
    assert not list(rules.findings(kept, (example.rule,)))


def test_a_door_may_catch_everything_and_a_bare_except_is_everything() -> None:
    bare = "try:\n    f()\nexcept:\n    pass"
    rule = (rules.only_a_door_catches_everything,)
    assert not list(rules.findings(module_of("src/ainfera_server/api/app.py", bare), rule))
    assert list(rules.findings(module_of("src/ainfera_server/journal.py", bare), rule))


def test_each_rule_has_an_example() -> None:
    assert {example.rule for example in EXAMPLES} == set(rules.RULES)


@pytest.mark.parametrize("line", FORBIDDEN_EXAMPLES)
def test_each_forbidden_word_is_found(line: str) -> None:
    assert len(list(words.findings(Text(path=PurePosixPath("README.md"), content=line)))) == 1


def test_each_forbidden_word_has_an_example() -> None:
    unseen = [
        pattern.pattern
        for pattern, _ in words.FORBIDDEN
        if not any(pattern.search(line) for line in FORBIDDEN_EXAMPLES)
    ]
    assert unseen == []


def test_a_line_that_is_too_wide_is_found() -> None:
    wide = Text(path=PurePosixPath("src/wide.sql"), content="-" * (words.COLUMNS_MAX + 1))
    assert len(list(words.findings(wide))) == 1


def test_a_line_is_excused_only_by_a_reason() -> None:
    excused = "@dataclass(slots=True)  # tidy: it counts while a stream runs\nclass Count: ..."
    ruffed = "@dataclass(slots=True)  # noqa: X001  (counts while it runs)\nclass Count: ..."
    bare = "@dataclass(slots=True)  # tidy: yes\nclass Count: ..."
    rule = (rules.a_dataclass_is_a_value,)
    assert not list(rules.findings(module_of("src/a.py", excused), rule))
    assert not list(rules.findings(module_of("src/a.py", ruffed), rule))
    assert list(rules.findings(module_of("src/a.py", bare), rule))


def test_the_tree_that_is_looked_at_is_the_project() -> None:
    seen = {str(text.path) for text in TEXTS}
    assert {"pyproject.toml", "src/ainfera_server/money.py", "tests/tidy/test_tidy.py"} <= seen
