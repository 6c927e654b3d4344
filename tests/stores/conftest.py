"""Failing assertions of the contract suite explain themselves."""

import pytest

pytest.register_assert_rewrite("reconcile.testing")
