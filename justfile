# What one does in this repository; `just` alone lists it.

_list:
    @just --list --unsorted

# everything that must hold before a change is merged
check:
    ruff check
    ruff format --check
    pyright
    lint-imports
    pytest -n 2 --dist loadfile

# the tests alone; `just test tests/routing -x` runs some of them
test *arguments:
    pytest {{ arguments }}

# put the code in the house's form
format:
    ruff check --fix
    ruff format

# requirements.lock and the constraints anew; `just lock --upgrade` takes the newest versions
lock *options:
    python scripts/lock.py {{ options }}

# docs/reference/ anew from the code
docs:
    python -m docs.generate

# the clients that vendors publish as commands, installed from npm and run without a network: minutes
clients *options:
    python -m tests.clients.published.run {{ options }}

# what Ainfera adds to a call, beside the provider called directly; `--keep` for the page of `docs`
bench *options:
    python -m benchmarks.http {{ options }}

# what one process holds and settles, beside what PostgreSQL commits; `--keep` keeps the result
bench-writes *options:
    python -m benchmarks.write_path {{ options }}

# gateways killed at every point, and the database under load, many times: minutes to an hour
nightly *options:
    python -m tests.chaos.nightly {{ options }}
