// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {TestToken} from "./TestToken.sol";

/// @title FeeToken: keeps 1 % of every transfer, as no settlement asset may
contract FeeToken is TestToken {
    function _update(address from, address to, uint256 amount) internal override {
        if (from == address(0) || to == address(0)) return super._update(from, to, amount);
        uint256 fee = amount / 100;
        super._update(from, to, amount - fee);
        super._update(from, address(this), fee);
    }
}

/// @title FreezingToken: refuses transfers to addresses it was told to freeze
contract FreezingToken is TestToken {
    mapping(address account => bool) private _frozen;

    error Frozen(address account);

    function freeze(address account) external {
        _frozen[account] = true;
    }

    function _update(address from, address to, uint256 amount) internal override {
        if (_frozen[to]) revert Frozen(to);
        super._update(from, to, amount);
    }
}

/// @title CallbackToken: calls back into a target in the middle of every transfer
contract CallbackToken is TestToken {
    address private _target;
    bytes private _call;

    function callBack(address target, bytes calldata call) external {
        _target = target;
        _call = call;
    }

    function _update(address from, address to, uint256 amount) internal override {
        super._update(from, to, amount);
        if (_target == address(0)) return;
        // Hands a refusal on as it came, so that a test can name it.
        Address.functionCall(_target, _call);
    }
}
