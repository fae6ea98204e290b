// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";

/// @title What merchants settle in: a plain ERC-20 with 6 decimals, no fee on transfer, no rebase
/// @notice The hub fixes one at deployment. Where the law wants no public coin, a mirror unit with the same interface
/// stands for fiat collateral at a custodian bank.
interface ISettlementAsset is IERC20Metadata {}
