"""How is the business doing, and is the money right? What people do, and what the ledger holds."""

from panels import Row, chart, dashboard, or_zero, stat, table


def ledger(metric: str) -> str:
    """Return the query of a number of the ledger: all processes show the same, so it is never added up."""
    return f"max(ledger_{metric}{{$selected}})"


def done_per_hour(route: str) -> str:
    """Return the query of the things made through a route in the last hour."""
    return f'round(sum(increase(http_requests_total{{$selected, route="{route}", status="201"}}[1h]))) or vector(0)'


glance = Row(
    "Is the money right, and how much is there?",
    [
        stat(
            "Unbalanced teams",
            "Teams whose entries break the money rule. Anything but 0 means that money is wrong.",
            "none",
            ledger("unbalanced_teams"),
            thresholds=[("green", None), ("red", 1)],
            alerts=["LedgerUnbalanced"],
        ),
        stat(
            "Wrong totals",
            "Totals of a member's month that are not the sums of its entries. If it is not 0, balances are wrong.",
            "none",
            ledger("wrong_totals"),
            thresholds=[("green", None), ("red", 1)],
            alerts=["LedgerTotalsWrong"],
        ),
        stat(
            "Last audit",
            "How long ago the whole ledger was audited, which is due every five minutes. All numbers here are as old.",
            "s",
            f"time() - {ledger('audit_timestamp_seconds')}",
            thresholds=[("green", None), ("orange", 600), ("red", 1800)],
            alerts=["LedgerAuditStale"],
        ),
        stat("Accounts", "Accounts that were registered.", "locale", ledger("accounts")),
        stat("Teams", "Teams that were not deleted.", "locale", ledger("teams")),
        stat("Expenses", "Expenses that were not deleted.", "locale", ledger("expenses")),
        stat("Settlements", "Payments between members that were not deleted.", "locale", ledger("settlements")),
    ],
)

activity = Row(
    "What people do",
    [
        chart(
            "Expenses recorded in the last hour",
            "Expenses recorded in the hour before each point.",
            "none",
            {"expenses": done_per_hour("expenses.create")},
        ),
        chart(
            "New in the last hour",
            "Registrations and teams in the hour before each point.",
            "none",
            {"registrations": done_per_hour("auth.register"), "teams": done_per_hour("teams.create")},
        ),
    ],
)

growth = Row(
    "What the ledger holds",
    [
        chart(
            "Accounts and teams",
            "How many there are, as of the last audit.",
            "locale",
            {"accounts": ledger("accounts"), "teams": ledger("teams")},
        ),
        chart(
            "Expenses and settlements",
            "How many there are, as of the last audit.",
            "locale",
            {"expenses": ledger("expenses"), "settlements": ledger("settlements")},
        ),
        table(
            "Expenses by currency",
            "Sum of all expenses, in each currency's major unit. Sums of different currencies cannot be compared.",
            "locale",
            {"amount": or_zero("max by (currency) (ledger_expenses_amount{$selected})", "currency")},
        ),
    ],
)

business = dashboard(
    uid="expenses-business",
    title="Business",
    description=__doc__,
    period="24h",
    rows=[glance, activity, growth],
)
