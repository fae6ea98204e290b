// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Claims} from "./fund/Claims.sol";
import {Shares} from "./fund/Shares.sol";
import {IGuaranteeFund} from "./interfaces/IGuaranteeFund.sol";
import {IMerchantRegistry} from "./interfaces/IMerchantRegistry.sol";

/// @title GuaranteeFund
/// @notice The register of the fund's shares, and of who bore a default. It holds no money: the hub does.
contract GuaranteeFund is Claims, IGuaranteeFund {
    constructor(IMerchantRegistry merchants) Shares(merchants) {}
}
