"""Undoing patterns of two terms where adders of three operands have room for them.

A sum of an even number of operands needs one adder that takes only two. Its free place takes a term more for nothing,
so a shared pair whose users all have such a place is an adder too many. The greedy search prices operands one by one
and cannot see that.
"""

from __future__ import annotations

from dataclasses import replace

from fpgaq.cmvm._patterns import Patterns
from fpgaq.cmvm._system import Signed, System


def without_idle_pairs(system: System, patterns: Patterns) -> Patterns:
    """Expand pairs into their users as long as every user has a free place for it; for three-input adders."""
    return _Sums(system, patterns).expanded()


class _Sums:
    """Terms of all columns and patterns; sum `n` is node ``n_inputs + n`` of the system."""

    def __init__(self, system: System, patterns: Patterns) -> None:
        self.patterns = patterns
        self.first = system.n_inputs
        self.n_columns = len(system.columns)
        self.terms: list[tuple[Signed, ...]] = [column.terms for column in patterns.columns]
        self.terms += patterns.nodes
        # An output ends in an adder with a constant.
        self.constants = [k < system.n_outputs for k in range(len(self.terms))]
        self.users: list[list[int]] = [[] for _ in self.terms]
        for user, terms in enumerate(self.terms):
            for node, _, _ in terms:
                if node >= self.first:
                    self.users[node - self.first].append(user)

    def expanded(self) -> Patterns:
        pairs = range(self.n_columns, len(self.terms))
        for k in pairs:
            if len(self.users[k]) == 1:
                self.expand(k)
        waiting = True
        while waiting:
            idle = [k for k in pairs if self.users[k] and len(self.terms[k]) == 2 and self.has_room(k)]
            waiting = bool(idle)
            if waiting:
                self.expand(min(idle, key=lambda k: (len(self.users[k]), k)))
        columns = zip(self.patterns.columns, self.terms, strict=False)
        return Patterns(
            tuple(self.terms[self.n_columns :]), tuple(replace(column, terms=terms) for column, terms in columns)
        )

    def has_room(self, k: int) -> bool:
        users = self.users[k]
        return len(set(users)) == len(users) and all(
            (len(self.terms[user]) + self.constants[user]) % 2 == 0 for user in users
        )

    def expand(self, k: int) -> None:
        """Replace a pattern by its terms everywhere."""
        node = self.first + k
        for user in sorted(set(self.users[k])):
            terms: list[Signed] = []
            for term in self.terms[user]:
                inner = self.terms[k] if term[0] == node else ((term[0], 0, 1),)
                terms += [(n, shift + term[1], sign * term[2]) for n, shift, sign in inner]
            self.terms[user] = tuple(sorted(terms))
        for n, _, _ in self.terms[k]:
            if n >= self.first:
                users = self.users[n - self.first]
                users.remove(k)
                users += self.users[k]
        self.terms[k], self.users[k] = (), []
