"""How commands end that read the ledger and send transactions for an alliance: `deploy`, `carry-over`, `register`.

Refused: a person has to do something first, and the message says what. Away: node, database, signer or another leader;
the same command again goes on. Called by those commands, which look for the second first.
"""

from __future__ import annotations

from typing import Final

import psycopg
from pydantic import ValidationError
from sqlalchemy.exc import DBAPIError

from ledger.postgres.asked import NoDatabase
from settlement.alliance import AllianceError
from settlement.chain.client import ChainError
from settlement.chain.contracts import Refused
from settlement.chain.outbox import FeeCeiling, ForeignPending, NotMinedYet, TransactionFailed
from settlement.chain.refused import SignerRefused
from settlement.chain.senders import KeyRefused
from settlement.deploy import TermsOutOfOrder
from settlement.lease import LeaseHeld, LeaseLost
from settlement.mirrors import MirrorDown, MirrorError
from settlement.publish import NotOnEveryMirror, PublicationError
from settlement.sealing.lanes import KeystoreRefused
from settlement.sealing.remote_lanes import RosterRefused
from settlement.tables import StateMoved
from settlement.vault import VaultError

REFUSED_BY: Final = (
    AllianceError,
    DBAPIError,
    FeeCeiling,
    ForeignPending,
    KeyRefused,
    KeystoreRefused,
    MirrorError,
    NoDatabase,
    OSError,
    PublicationError,
    Refused,
    RosterRefused,
    StateMoved,
    TermsOutOfOrder,
    TransactionFailed,
    ValidationError,
    VaultError,
)
AWAY_BY: Final = (
    ChainError,
    LeaseHeld,
    LeaseLost,
    MirrorDown,
    NotMinedYet,
    NotOnEveryMirror,
    SignerRefused,
    psycopg.OperationalError,
)
