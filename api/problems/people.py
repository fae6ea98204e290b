"""Rows of the catalogue of errors about members. Data only."""

from __future__ import annotations

from collections.abc import Mapping

from api.problems.rows import Row

ROWS: Mapping[str, Row] = {
    "member-exists": Row(409, "The member exists", "A member of this name joined before.", "Go on with this member."),
    "member-unknown": Row(404, "No such member", "Nobody of this name has joined.", "Send member.joined first."),
    "member-merged": Row(
        409,
        "Merged into another",
        "The member of this name is another one by now; `data` says which.",
        "Use that one's name.",
    ),
    "member-closed": Row(
        409, "The member has left", "The member's account was closed for good.", "Nothing goes on here."
    ),
    "member-frozen": Row(
        403,
        "The member may not spend",
        "The account is frozen, or is to be frozen again.",
        "Take another payment; the operator unfreezes.",
    ),
    "member-not-frozen": Row(409, "Not frozen", "The member may spend already.", "Nothing to do."),
    "member-not-empty": Row(
        409,
        "Something is left",
        "The member has points, owes some, or has some pending or held.",
        "Let it be used up, repaid or expire first.",
    ),
    "referrer-unknown": Row(404, "No such referrer", "Nobody of the referrer's name has joined.", "Compare the name."),
    "self-referral": Row(422, "Nobody refers themselves", "Member and referrer are one person.", "Nothing to do."),
    "already-bound": Row(
        409, "Bound before", "The member came by somebody else; the first one stays.", "Nothing to do."
    ),
    "bought-before": Row(
        409, "Bought before", "A member who has bought without a referrer gets none afterwards.", "Nothing to do."
    ),
    "referral-cycle": Row(
        409,
        "A circle of referrals",
        "The referrer stands below the member in the chain of referrals.",
        "Nothing to do.",
    ),
    "chain-too-deep": Row(409, "Too long a chain", "Too many members would stand above this one.", "Nothing to do."),
    "same-member": Row(409, "One person already", "Both names mean the same member.", "Nothing to do."),
    "merged-too-many": Row(
        409, "Too many names of one person", "As many members mean this one as may.", "Ask the alliance."
    ),
    "member-holds": Row(
        409,
        "Points are held",
        "An open authorisation holds points of one of the two.",
        "Capture, void or let it lapse first.",
    ),
    "not-merged": Row(409, "Not merged", "The member stands for itself.", "Nothing to do."),
    "merged-since": Row(
        409, "Merged again since", "Who it was merged into was merged into another one.", "Take that merge back first."
    ),
    "spent-since": Row(
        409,
        "Spent since",
        "Something that either side had at the merge was spent or taken since.",
        "It stays as it is; correct by adjustments.",
    ),
}
