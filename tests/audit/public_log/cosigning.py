"""A witness of the tests: it cosigns as C2SP says, and remembers what it saw."""

import base64
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from ainfera_server.audit import signing
from ainfera_server.audit.public_log import merkle, notes
from ainfera_server.audit.public_log.merkle import NotAProof
from ainfera_server.audit.public_log.notes import COSIGNATURE, Checkpoint, Signature, VerifierKey
from ainfera_server.audit.public_log.witnesses import Witness

NOW_S = 1_767_225_600


@dataclass(frozen=True, slots=True, kw_only=True)
class Signing:
    """A witness's name and key."""

    name: str
    seed: bytes

    @property
    def key(self) -> VerifierKey:
        of_log = notes.log_key(self.name, signing.signer(self.seed))
        return VerifierKey(name=self.name, kind=COSIGNATURE, public_key=of_log.public_key)

    @property
    def verifier_key(self) -> str:
        return self.key.text

    def cosignature(self, text: str, *, time_s: int) -> Signature:
        """Sign a checkpoint's text and a time."""
        message = f"cosignature/v1\ntime {time_s}\n{text}".encode()
        octets = time_s.to_bytes(8, "big") + signing.signer(self.seed).sign(message)
        return Signature(name=self.name, key_id=self.key.key_id, octets=octets)


class FollowingWitness:
    """Follows one log by checking every proof itself; `answers` are given first, in order."""

    def __init__(self, *, log_key: str, signing: Signing) -> None:
        self.log_key = log_key
        self.signing = signing
        self.seen: Checkpoint | None = None
        self.answers: list[tuple[int, bytes]] = []
        self.asked: list[bytes] = []

    def answer(self, body: bytes) -> tuple[int, bytes]:
        """What https://c2sp.org/tlog-witness says to answer."""
        self.asked.append(body)
        if self.answers:
            return self.answers.pop(0)
        head, _, note = body.partition(b"\n\n")
        old, *lines = head.decode().split("\n")
        checkpoint = notes.read_checkpoint(note, verifier_keys=(self.log_key,)).checkpoint
        old_size = int(old.removeprefix("old "))
        if old_size > checkpoint.size:
            return 400, b""
        seen_size = 0 if self.seen is None else self.seen.size
        if old_size != seen_size:
            return 409, f"{seen_size}\n".encode()
        try:
            merkle.check_consistency(
                old_size=old_size,
                old_root=merkle.EMPTY_ROOT if self.seen is None else self.seen.root,
                new_size=checkpoint.size,
                new_root=checkpoint.root,
                proof=[base64.b64decode(line) for line in lines],
            )
        except NotAProof:
            return 422, b""
        self.seen = checkpoint
        return 200, self.signing.cosignature(checkpoint.text, time_s=NOW_S).line.encode()


@contextmanager
def serving(witness: FollowingWitness) -> Generator[Witness]:
    """Listen on loopback, and have the witness as settings would name it."""

    class Door(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            is_known = self.path == "/w/add-checkpoint"
            status, said = witness.answer(body) if is_known else (404, b"")
            self.send_response(status)
            self.send_header("content-length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (its own name)
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Door) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield Witness(key=witness.signing.key, url=f"http://127.0.0.1:{server.server_port}/w")
        finally:
            server.shutdown()
            thread.join()
