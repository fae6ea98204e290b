// A member's wallet, without its looks: it keeps a secret, reads what a partner asks, and answers with a proof or with the
// reason not to. Runs in a page over the bundle and in Node over prove.js: whoever starts it hands the prover in. It asks
// no network and no clock; what the chain says and the time come with the request.

const big = (value) => BigInt(value);

/** `prover` is prove.js or its bundle, `keys` the circuit's files { wasm, zkey }. */
export function makeWallet(prover, keys) {
  let held;

  function known({ delivered, grid, cohorts, chain }, epoch, attributes) {
    return {
      ...{ chainId: big(chain.chain_id), registry: chain.registry, epochKey: chain.epoch_key },
      ...{ partnerKey: chain.partner_key, anchoredRoot: big(chain.root), epoch, grid, cohorts, attributes },
      epochTag: prover.epochTag(delivered.signed.header.alliance_id, delivered.epoch),
    };
  }

  return {
    /** Take up what this device kept, or draw a secret; what it is to keep: { secret, commitment }. */
    open(kept) {
      held = kept ?? prover.makeCommitment();
      return held;
    },

    /** Look at a request as its owner should, then prove: { predicate, cohort, response, ms } or { refused }. */
    async answer(told) {
      const { delivered, request, now, tiers } = told;
      const asked = prover.parseRequest(request);
      const epoch = prover.parseHeader(delivered.signed);
      const witness = prover.parseWitness(delivered.witness);
      const { epochTag, ...seen } = known(told, epoch, witness.attributes);
      const mine = { secret: big(held.secret), epochTag, root: epoch.header.root };
      if (!prover.checkWitness(witness, mine)) return { refused: "the witness is not this device's" };
      const shown = prover.checkRequest(asked, seen, { now: big(now), tierNames: tiers });
      if (shown.refused) return { refused: [shown.refused, shown.detail].filter(Boolean).join(": ") };
      const { scope, policy } = asked.request;
      const input = { ...mine, witness, scope, policy, challenge: prover.challengeOf(asked), useIndex: 0n };
      const begun = performance.now();
      const response = await prover.prove(prover.makeInput(input), keys);
      const ms = Math.round(performance.now() - begun);
      return { predicate: shown.predicate, cohort: Number(shown.cohort), response, ms };
    },
  };
}
