"""What happens to points and to the money behind them inside a verb: wallets, lots, orders, redemptions."""
