"""Seals a scripted journal in this process and prints what came out, for `test_reproducible` to compare: header hashes
with dataHash, and a digest of every file and chunk. `python -m tests.settlement.reproduce SCRIPT SHUFFLE`.

What must not matter is shuffled by SHUFFLE: the order of lanes, terms, accounts to register and ends of member
accounts. Nobody else calls it.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterable
from dataclasses import replace
from hashlib import sha256
from typing import TypeVar

from settlement.publish import Wrapped, pack
from settlement.sealing.lanes import Roster
from settlement.sealing.leaves import journal_head
from settlement.sealing.seal import seal
from tests.settlement.alliance import FOUNDED_AT, Operator, digest, keystore, registered, rules
from tests.settlement.test_seal_properties import play

T = TypeVar("T")
ENTRIES_PER_BATCH = 7


def reproduce(script: list[tuple[str, int, int, str, int]], shuffle: int) -> list[str]:
    """One line a batch."""
    chance = random.Random(shuffle)

    def mixed(items: Iterable[T]) -> list[T]:
        found = list(items)
        chance.shuffle(found)
        return found

    operator, told, entries = Operator(), [], [entry for entry in play(script).entries if entry.legs]
    for start in range(0, len(entries), ENTRIES_PER_BATCH):
        part = entries[start : start + ENTRIES_PER_BATCH]
        leaves, head = operator.leaves(part), journal_head(operator.head, part)
        asked = rules()
        mixed_rules = replace(asked, roster=Roster(mixed(asked.roster)), terms=dict(mixed(asked.terms.items())))
        sealed = seal(
            replace(operator.opening, settled_cash=dict(mixed(operator.opening.settled_cash.items()))),
            leaves,
            rules=mixed_rules,
            signer=keystore(),
            member_tips=dict(mixed(operator.tips.items())),
            registered=mixed(registered()),
            batch_secret=operator.secret(),
            journal_head=head,
            opened_at=FOUNDED_AT,
            sealed_at=FOUNDED_AT + 1_000_000 + operator.opening.header.batch_no,
            settling=start + ENTRIES_PER_BATCH >= len(entries),
        )
        package = pack(sealed, data_key=digest("data key"), wrapped=kept_with_the_header(sealed.header.batch_no))
        header = sealed.finish(package.data_hash)
        bytes_of_all = sha256(sealed.file() + b"".join(package.chunks.values()) + package.manifest)
        told.append(f"{header.hash_struct().hex()} {bytes_of_all.hexdigest()}")
        operator.opening, operator.head = operator.opening.after(sealed, header), head
        operator.tips.update(sealed.member_tips)
        operator.events.update({leaf.source: leaf.event.event_id for leaf in leaves})
    return told


def kept_with_the_header(batch_no: int) -> list[Wrapped]:
    """Wrapping draws at random, once: whoever makes a batch again finds the wrapped keys stored."""
    return [
        Wrapped(f"auditor-{number}", digest("enc", batch_no, number), digest(batch_no, number)) for number in range(3)
    ]


if __name__ == "__main__":
    sys.stdout.write("\n".join(reproduce([tuple(step) for step in json.loads(sys.argv[1])], int(sys.argv[2]))))
