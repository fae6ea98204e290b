// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IDefaults} from "./IDefaults.sol";
import {IGuaranteeShares} from "./IGuaranteeShares.sol";

/// @title The guarantee fund: what members have put in for each other, and the account of what defaults have cost
interface IGuaranteeFund is IGuaranteeShares, IDefaults {}
