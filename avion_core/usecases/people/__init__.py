"""Accounts, roles and signed-in browsers of a shared studio."""
