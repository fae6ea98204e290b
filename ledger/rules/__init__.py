"""Earning rules as data, and the small pure engine that turns an event and its rules into grants with reasons."""
