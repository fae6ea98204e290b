"""What goes over the wire: the bodies that are taken and the answers that are given. Data and its documentation only.

One description serves decoding, encoding and the OpenAPI page. Invariants: integers are integers (points, AU, minor
units of the settlement currency); times are RFC 3339 with offset; unknown fields are refused; a field is added, never
renamed. `ROOTS` are those that routes name; what they contain is documented with them. Imported by the handlers of this
room and by `api.openapi`.
"""

from __future__ import annotations

from api.shapes import (
    clearing,
    configuring,
    events,
    members,
    moving,
    people,
    promises,
    reading,
    receipts,
    rules,
    sandbox,
    settling,
    signing,
    spending,
    tiers,
)
from ledger.reports.statement import Statement
from ledger.rules.rule import Rule

BODIES = (
    *(events.OrderPaid, events.OrderRefunded, events.OrderCancelled, events.OrderCompleted),
    *(events.MemberJoined, events.ReferralBound, events.CheckedIn, events.ShareArrived, events.ContentLiked),
    *(events.TaskCompleted, events.Birthday, events.CouponRedeemed, events.EventBatch),
    *(spending.Redemption, spending.CaptureHold, spending.VoidHold, spending.CancelCaptured),
    *(spending.DisputeRedemption, spending.ResolveRedemption, spending.RefundOrder),
    *(moving.MemberTransfer, moving.PointsExchange, moving.Adjustment, moving.AdjustmentDecision),
    moving.OpeningBalance,
    *(people.NewMember, people.MergeMember, people.UnmergeMember, people.FreezeAccount, people.UnfreezeAccount),
    *(people.CloseAccount, people.NewPool, people.PoolMember),
    *(configuring.Rate, configuring.ExchangeRate, configuring.Campaign, configuring.StopOfCampaign),
    *(configuring.NewMerchant, configuring.FreezeIssuer, configuring.UnfreezeIssuer, configuring.CloseIssuer),
    *(signing.EventMessage, signing.SignedEvent, settling.AcknowledgeAlert),
    *(tiers.OpenSession, tiers.NewPartner, tiers.PartnerPass, tiers.SignedProofRequest, tiers.TierProof),
    *(tiers.NewCommitment, tiers.DecideOnRequest, tiers.AskAssisted, tiers.FetchAssisted),
    *(configuring.Tiers, configuring.CycleEnd, sandbox.MoveClock, rules.NewRule, rules.RuleWithdrawal, Rule),
)
ANSWERS = (
    *(receipts.ReceiptOut, receipts.SealedReceiptOut, receipts.ExtractOut, receipts.BatchOut),
    *(sandbox.ClockOut, clearing.PositionsOut, clearing.CyclesOut, Statement),
    rules.RulesOut,
    *(promises.RatesOut, promises.CampaignsOut),
    *(members.MemberOut, members.MemberBalancesOut, members.LotsOut, members.ChangesOut, members.ReferralsOut),
    members.TierOut,
    *(reading.SettlementBatchOut, reading.HealthOut, reading.ReadyOut),
    *(settling.SettlementOut, settling.AlertsOut, settling.AlertOut),
    *(signing.LanesOut, signing.AcceptanceOut),
    *(tiers.PassOut, tiers.EndedOut, tiers.PartnerOut, tiers.PartnersOut, tiers.ProofRequestOut, tiers.OutcomeOut),
    *(tiers.ProofTakenOut, tiers.CommitmentOut, tiers.WitnessOut, tiers.ConsentOut, tiers.ConsentsOut),
    *(tiers.EpochOut, tiers.EpochsOut, tiers.TrustOut, tiers.RevokedOut, tiers.TierRefusalsOut),
    *(tiers.AssistedOut, tiers.AssistedProofOut),
)
ROOTS = (*BODIES, *ANSWERS)
UNIONS = {"AnyEvent": events.AnyEvent}
