// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @title TestToken: a settlement asset for demonstrations and tests. ANYBODY MAY MINT IT; it is worth nothing.
contract TestToken is ERC20("Tongdui test unit (no value)", "TEST") {
    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function decimals() public pure override returns (uint8) {
        return 6;
    }
}
