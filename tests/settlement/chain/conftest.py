"""What is collected where anvil's npm package is installed."""

from tests.settlement.chain.anvil import ANVIL

collect_ignore = [] if ANVIL.exists() else ["test_anvil.py", "test_networks.py"]
