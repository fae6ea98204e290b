// A member's wallet, without its looks: it keeps a secret, reads what a partner asks, and answers with a proof or with the
// reason not to. Runs in a page over the bundle, in a mini-program and in Node over prove.js: whoever starts it hands the
// prover in. It asks no network and no clock; what the chain says and the time come with the request. What `answer` does
// needs its owner's word first: `look` has what to show them. It keeps what each partner asked its owner, for 30 days, so that
// none closes in on them by requests that pass no door: whoever starts it keeps `kept()` after each `look` and `answer`.
//
// told: { delivered, grid, cohorts, chain, request, now, tiers, answered_scopes, use_index }
//   delivered                             GET /v1/me/tier-witness?epoch=, fetched once an epoch
//   grid, cohorts                         GET /v1/epochs/{epoch}: policy_grid and cohorts
//   chain                                 what the wallet reads from the TierRegistry itself: { chain_id, registry,
//                                         epoch_key, partner_key or null, root or "0" }
//   request                               `signed` of GET /v1/proof-requests/{id}
//   now, tiers                            Unix seconds; names of the tiers from the lowest
//   answered_scopes, use_index            scopes in which something was shown before, and which use this is (0 if left out)

const big = (value) => BigInt(value);
const watch = globalThis.performance ?? Date;

/** `prover` is prove.js or its bundle, `keys` the circuit's files { wasm, zkey } and, where it is wanted, instantiate. */
export function makeWallet(prover, keys) {
  let held;

  /** What this partner asked within the time that counts. */
  const askedBy = (partner, now) =>
    held.asked
      .filter((each) => each.partner === partner && each.at > now - prover.WINDOW_SECONDS)
      .map(({ question, epoch }) => ({ question: big(question), epoch: big(epoch) }));

  /** Keep what was asked: the owner is asked now, or is not who is asked for; whoever waits for an answer learns which. */
  function note({ request }, { header }, now) {
    const question = prover.questionOf(prover.policyOf(request.policy), header.notBefore).toString();
    const noted = { partner: Number(request.partnerId), question, epoch: Number(request.epoch), at: now };
    const same = (each) => ["partner", "question", "epoch"].every((name) => each[name] === noted[name]);
    const others = held.asked.filter((each) => each.at > now - prover.WINDOW_SECONDS && !same(each));
    held = { ...held, asked: [...others, noted] };
  }

  function known({ delivered, grid, cohorts, chain, now, answered_scopes: scopes = [] }, { request }, epoch, attributes) {
    return {
      ...{ chainId: big(chain.chain_id), registry: chain.registry, epochKey: chain.epoch_key },
      ...{ partnerKey: chain.partner_key, anchoredRoot: big(chain.root), epoch, grid, cohorts, attributes },
      ...{ answeredScopes: scopes.map(big), askedBefore: askedBy(Number(request.partnerId), now) },
      epochTag: prover.epochTag(delivered.signed.header.alliance_id, delivered.epoch),
    };
  }

  /** { refused }, or what the owner is `shown` and the circuit's `input` once they agree. */
  function looked(told) {
    const { delivered, request, now, tiers, use_index: use = 0 } = told;
    const asked = prover.parseRequest(request);
    const epoch = prover.parseHeader(delivered.signed);
    const witness = prover.parseWitness(delivered.witness);
    const { epochTag, ...seen } = known(told, asked, epoch, witness.attributes);
    const mine = { secret: big(held.secret), epochTag, root: epoch.header.root };
    if (!prover.checkWitness(witness, mine)) return { refused: "the witness is not this device's" };
    const useIndex = big(use);
    const shown = prover.checkRequest(asked, seen, { now: big(now), useIndex, tierNames: tiers });
    if (!shown.refused || shown.refused === "unmet") note(asked, epoch, now);
    if (shown.refused) return { refused: [shown.refused, shown.detail].filter(Boolean).join(": ") };
    const { scope, policy } = asked.request;
    const input = prover.makeInput({ ...mine, witness, scope, policy, challenge: prover.challengeOf(asked), useIndex });
    return { shown, input };
  }

  return {
    /** Take up what this device kept, or draw a secret; what it is to keep: { secret, commitment, asked }. */
    open(kept) {
      held = { asked: [], ...(kept ?? prover.makeCommitment()) };
      return held;
    },

    /** What this device is to keep by now. */
    kept: () => held,

    /** What to ask the owner: { audience, purpose, predicate, linkable, cohort }, or { refused } with the reason. */
    look(told) {
      const { refused, shown } = looked(told);
      if (refused) return { refused };
      const { audience, purpose, predicate, linkable, cohort } = shown;
      return { audience, purpose, predicate, linkable, cohort: Number(cohort) };
    },

    /** Look at a request as its owner should, then prove: { predicate, cohort, response, ms } or { refused }. */
    async answer(told) {
      const { refused, shown, input } = looked(told);
      if (refused) return { refused };
      const begun = watch.now();
      const response = await prover.prove(input, keys);
      const ms = Math.round(watch.now() - begun);
      return { predicate: shown.predicate, cohort: Number(shown.cohort), response, ms };
    },
  };
}
