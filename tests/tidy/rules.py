"""The house rules that a syntax tree can show, each a function from a file to its findings.

Clarity wins over a rule: a line is left alone when it ends in `# tidy:` and a reason, or in ruff's
`# noqa: ...` with its reason in parentheses.
"""

import ast
import re
from collections.abc import Callable, Iterator

from tests.tidy import tree
from tests.tidy.tree import Finding, Module

FUNCTION_LINES_MAX = 60
FILE_LINES_MAX = 400
SENTENCE_WORDS_MIN = 3
JUNK_DRAWERS = frozenset(
    {
        *("handler", "handlers", "helper", "helpers", "manager", "managers", "misc"),
        *("processor", "processors", "service", "services", "util", "utils"),
    }
)
EMPTY_NAMES = JUNK_DRAWERS | {"base", "common", "core", "models", "types"}
DOORS = (
    "src/ainfera_server/api/",
    "src/ainfera_server/background.py",
    "src/ainfera_server/cli/",
    "src/ainfera_server/dashboard/",
    "src/ainfera_server/mcp_server/",
)
SQL_CAPITALS = re.compile(
    r"\bSELECT\s.*\sFROM\s|\bSELECT \w+\(|\bINSERT INTO\s|\bUPDATE \w+ SET\s|\bDELETE FROM\s"
    r"|\b(CREATE|ALTER|DROP) (OR REPLACE |UNIQUE )?(TABLE|INDEX|SCHEMA|ROLE|FUNCTION|POLICY|TYPE)\b"
    r"|\bSET (LOCAL|ROLE)\b|^\s*(BEGIN|COMMIT|ROLLBACK)\b|\bON CONFLICT\b|\bFOR UPDATE\b",
    re.DOTALL,
)
SQL_SMALL = re.compile(
    r"^\s*(select\s[^.]*\sfrom \w+ (where|order|limit|join)\s|insert into \w+|delete from \w+"
    r"|update \w+ set \w+|(create|alter|drop) (table|index|schema|role|policy)\s"
    r"|set (local|role)\s|select \w+\()",
    re.DOTALL,
)
TWO_SENTENCES = re.compile(r"[.!?]\s+[A-Z]")
EXCUSED = re.compile(r"# (tidy: |noqa: [A-Z0-9, ]+ +\()\w+( [^ ]+){2,}")

Rule = Callable[[Module], Iterator[Finding]]


def findings(module: Module, rules: tuple[Rule, ...]) -> Iterator[Finding]:
    """Everything these rules find in a file, but for the lines that say why they may."""
    lines = module.text.lines
    for rule in rules:
        for finding in rule(module):
            is_excused = lines and EXCUSED.search(lines[finding.line - 1])
            if not is_excused:
                yield finding


def a_file_opens_with_one_sentence(module: Module) -> Iterator[Finding]:
    """What the file is for; more may follow after an empty line."""
    docstring = ast.get_docstring(module.tree)
    if not module.text.content.strip() or is_only_a_list(module):
        return
    opening = (docstring or "").split("\n\n")[0]
    if not opening.endswith(".") or TWO_SENTENCES.search(opening):
        yield found(module, 1, "opens with one sentence that says what the file is for")


def a_function_fits_a_screen(module: Module) -> Iterator[Finding]:
    """What one can see at once can be understood at once."""
    for function in functions(module.tree):
        length = (function.end_lineno or function.lineno) - function.lineno + 1
        if length > FUNCTION_LINES_MAX:
            yield found(module, function.lineno, f"{function.name} has {length} lines, split it")


def a_file_fits_an_idea(module: Module) -> Iterator[Finding]:
    """A long file holds two ideas."""
    length = len(module.text.lines)
    if length > FILE_LINES_MAX:
        yield found(module, 1, f"has {length} lines, split it by idea")


def a_name_says_what_is_inside(module: Module) -> Iterator[Finding]:
    """A drawer called `utils` fills up with whatever has no home."""
    for name in (*module.path.parts[:-1], module.path.stem):
        if name in EMPTY_NAMES or name.rpartition("_")[2] in JUNK_DRAWERS:
            yield found(module, 1, f"{name!r} names no idea, say what is inside")


def a_dataclass_is_a_value(module: Module) -> Iterator[Finding]:
    """Values that cannot change can be shared, stored and compared."""
    for decorator in (one for node in classes(module.tree) for one in node.decorator_list):
        call = decorator.func if isinstance(decorator, ast.Call) else decorator
        given = decorator.keywords if isinstance(decorator, ast.Call) else []
        is_on = {one.arg for one in given if ast.unparse(one.value) == "True"}
        if last_name(call) == "dataclass" and not {"frozen", "slots", "kw_only"} <= is_on:
            yield found(module, decorator.lineno, "a dataclass is frozen, slots and kw_only")


def sql_lives_in_sql_files(module: Module) -> Iterator[Finding]:
    """All data access reads on one page, and an operator can paste it."""
    if module.path.parts[0] != "src":
        return
    prose = {id(one) for one in docstrings(module.tree)}
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.Constant) or id(node) in prose:
            continue
        text = node.value
        if isinstance(text, str) and (SQL_CAPITALS.search(text) or SQL_SMALL.search(text)):
            yield found(module, node.lineno, "SQL lives in .sql files, give the query a name there")


def an_init_file_is_empty_or_a_list(module: Module) -> Iterator[Finding]:
    """A name has one address: where it is written."""
    is_init = module.path.name == "__init__.py"
    if is_init and statements(module) and not is_only_a_list(module):
        yield found(module, 1, "__init__.py is empty or one list, it re-exports nothing")


def a_test_name_is_a_sentence(module: Module) -> Iterator[Finding]:
    """The names of the tests, read aloud, are the specification."""
    if module.path.parts[0] != "tests":
        return
    for function in functions(module.tree):
        words = function.name.split("_")
        if words[0] == "test" and len(words) - 1 < SENTENCE_WORDS_MIN:
            yield found(module, function.lineno, f"{function.name} is a sentence, say what holds")


def a_test_is_a_plain_function(module: Module) -> Iterator[Finding]:
    """A class of tests is a place to hide state."""
    if module.path.parts[0] != "tests":
        return
    for node in classes(module.tree):
        has_tests = any(one.name.startswith("test") for one in functions(node))
        if node.name.startswith("Test") or has_tests:
            yield found(module, node.lineno, f"{node.name} holds tests, make them functions")


def a_test_does_not_sleep(module: Module) -> Iterator[Finding]:
    """A sleep is either too short or too long; wait for the thing itself."""
    if not module.path.name.startswith("test_"):
        return
    for call in (node for node in ast.walk(module.tree) if isinstance(node, ast.Call)):
        is_yielding = [ast.unparse(one) for one in call.args] == ["0"]
        if last_name(call.func) == "sleep" and not is_yielding:
            yield found(module, call.lineno, "a test does not sleep, wait for an event")


def only_a_door_catches_everything(module: Module) -> Iterator[Finding]:
    """Anywhere else it hides our own bugs; to clean up and raise again is no catching."""
    if module.path.parts[0] != "src" or str(module.path).startswith(DOORS):
        return
    for handler in (one for one in ast.walk(module.tree) if isinstance(one, ast.ExceptHandler)):
        caught = (
            {last_name(one) for one in ast.walk(handler.type)} if handler.type else {"Exception"}
        )
        catches_all = not caught.isdisjoint({"Exception", "BaseException"})
        if catches_all and not isinstance(handler.body[-1], ast.Raise):
            yield found(module, handler.lineno, "only a door catches everything, name the error")


def a_function_is_called_by_its_module(module: Module) -> Iterator[Finding]:
    """`decide.decide(...)` tells where to look; classes and constants carry their own name."""
    if module.path.parts[0] != "src" or module.path.name == "__init__.py":
        return
    for node in (one for one in ast.walk(module.tree) if isinstance(one, ast.ImportFrom)):
        source = node.module or ""
        for name in (one.name for one in node.names if source.startswith("ainfera_server")):
            home = tree.ROOT.joinpath("src", *source.split("."), name)
            is_module = home.is_dir() or home.with_suffix(".py").is_file()
            if name == name.lower() and not is_module:
                yield found(module, node.lineno, f"import the module of {name!r}, not the function")


RULES: tuple[Rule, ...] = (
    a_file_opens_with_one_sentence,
    a_function_fits_a_screen,
    a_file_fits_an_idea,
    a_name_says_what_is_inside,
    a_dataclass_is_a_value,
    sql_lives_in_sql_files,
    an_init_file_is_empty_or_a_list,
    a_test_name_is_a_sentence,
    a_test_is_a_plain_function,
    a_test_does_not_sleep,
    only_a_door_catches_everything,
    a_function_is_called_by_its_module,
)


def found(module: Module, line: int, sentence: str) -> Finding:
    """A finding in this file."""
    return Finding(path=module.path, line=line, sentence=sentence)


def functions(node: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function inside, however deep."""
    for one in ast.walk(node):
        if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef):
            yield one


def classes(node: ast.AST) -> Iterator[ast.ClassDef]:
    """Every class inside, however deep."""
    for one in ast.walk(node):
        if isinstance(one, ast.ClassDef):
            yield one


def docstrings(node: ast.AST) -> Iterator[ast.expr]:
    """Every string that stands alone, which is how prose stands in code."""
    for one in ast.walk(node):
        if isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant):
            yield one.value


def statements(module: Module) -> list[ast.stmt]:
    """What a file does, its docstring aside."""
    body = module.tree.body
    return body[1:] if ast.get_docstring(module.tree) is not None else body


def is_only_a_list(module: Module) -> bool:
    """Imports, and the one list they are imported for."""
    body = statements(module)
    last = body[-1] if body else None
    imports = all(isinstance(one, ast.Import | ast.ImportFrom) for one in body[:-1])
    is_init = module.path.name == "__init__.py"
    if not isinstance(last, ast.Assign | ast.AnnAssign) or not imports or not is_init:
        return False
    target = last.target if isinstance(last, ast.AnnAssign) else last.targets[0]
    return isinstance(last.value, ast.Tuple | ast.List) and ast.unparse(target).isupper()


def last_name(node: ast.AST) -> str:
    """`dataclass` of `dataclasses.dataclass`, or nothing."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case _:
            return ""
