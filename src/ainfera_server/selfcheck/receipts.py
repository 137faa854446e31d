"""Checks what a query cannot: that every receipt was signed as it says."""

from ainfera_server.audit import signing
from ainfera_server.selfcheck import chains, verdicts
from ainfera_server.selfcheck.reading import Reader
from ainfera_server.selfcheck.verdicts import Fault


def signed(reader: Reader) -> tuple[Fault, ...]:
    """Check the signature under each receipt."""
    keys = chains.public_keys(reader)
    broken = [
        f"receipt {row['receipt_id']}"
        for row in reader.stream("receipts")
        if not signing.is_signature(
            str(row["signature"]),
            message=str(row["body"]).encode(),
            public_key_pem=keys.get(str(row["key_id"]), ""),
        )
    ]
    return verdicts.faults("a receipt was signed as it says", broken)
