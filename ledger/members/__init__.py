"""Who members are to one another: kin, referrers, tiers, merged accounts."""
