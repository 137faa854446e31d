"""The repository's own files, read once and parsed, for the rules to look at."""

import ast
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = (".ci", "benchmarks", "docs", "scripts", "src", "tests")
TEXT_SUFFIXES = frozenset(
    {"", ".css", ".html", ".js", ".json", ".md", ".py", ".sh", ".sql", ".toml", ".txt"}
)
NOT_OURS = frozenset({"__pycache__", "node_modules", "recordings", "vendor"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A file that people read."""

    path: PurePosixPath
    content: str

    @property
    def lines(self) -> tuple[str, ...]:
        """The lines, without their ends."""
        return tuple(self.content.splitlines())


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """A Python file, parsed."""

    text: Text
    tree: ast.Module

    @property
    def path(self) -> PurePosixPath:
        """Where it lies, from the top of the repository."""
        return self.text.path


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A place where a rule is broken, and what to do there."""

    path: PurePosixPath
    line: int
    sentence: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line} {self.sentence}"


def texts() -> tuple[Text, ...]:
    """Every file of the project that people read, in order of path."""
    found = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if is_ours(path)]
    found += [path for path in ROOT.iterdir() if is_ours(path)]
    return tuple(
        Text(path=PurePosixPath(path.relative_to(ROOT)), content=path.read_text(encoding="utf-8"))
        for path in sorted(found)
    )


def modules(among: tuple[Text, ...]) -> tuple[Module, ...]:
    """The Python files among them, parsed."""
    return tuple(parsed(text) for text in among if text.path.suffix == ".py")


def parsed(text: Text) -> Module:
    """One Python file as its syntax tree."""
    return Module(text=text, tree=ast.parse(text.content, filename=str(text.path)))


def is_ours(path: Path) -> bool:
    """Written here by hand: not a cache, not a recording, not somebody's library."""
    parts = path.relative_to(ROOT).parts
    return (
        path.is_file()
        and path.suffix in TEXT_SUFFIXES
        and path.name != ".git"  # In a worktree this is a file.
        and NOT_OURS.isdisjoint(parts)
    )
