pragma circom 2.1.6;

include "tier_proof.circom";

component main {public [nullifier, root, epochTag, scope, challenge, policy]} = TierProofV1(24);
