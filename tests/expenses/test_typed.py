"""What was typed of a split is kept beside the amounts that came out of it, and a change starts from it."""

import json
import shutil

import psycopg
import pytest

from service.expenses.modes import Mode, modes
from service.expenses.schemas import Participant
from service.postgres.folders import folder
from service.postgres.migrate import migrate


async def typed_of(db, expense):
    return json.loads(await db.fetchval("select typed from expenses where expense_id = $1", expense["expense_id"]))


async def test_everybody_is_kept_as_all_who_were_there(flat, db):
    guest = await flat.guest()
    expense = await flat.spend(900)
    await flat.guest("Late")
    assert await typed_of(db, expense) == {
        "payer": flat.owner_id,
        "participants": [{"member_id": flat.owner_id}, {"member_id": guest}],
    }
    changed = await flat.owner.patch(f"{flat.path}/expenses/{expense['expense_id']}", {"amount": 901}, "*")
    assert {each["member_id"] for each in changed.body["participants"]} == {flat.owner_id, guest}


async def test_exact_amounts_and_a_payer_are_kept_as_they_were_sent(flat, db):
    guest = await flat.guest()
    participants = [{"member_id": guest, "amount": 900}, {"member_id": flat.owner_id, "amount": 0}]
    expense = await flat.spend(900, payer=guest, split="exact", participants=participants)
    assert await typed_of(db, expense) == {"payer": guest, "participants": participants}


async def test_a_single_payer_with_the_whole_amount_is_the_payer_whatever_the_amount_becomes(flat, db):
    guest = await flat.guest()
    expense = await flat.spend(900, payers=[{"member_id": guest, "amount": 900}])
    assert (await typed_of(db, expense))["payer"] == guest
    changed = await flat.owner.patch(f"{flat.path}/expenses/{expense['expense_id']}", {"amount": 1000}, "*")
    assert changed.body["payers"] == [{"member_id": guest, "amount": 1000}]


async def test_an_equal_split_keeps_no_amounts_when_an_exact_one_becomes_equal(flat, db):
    guest = await flat.guest()
    participants = [{"member_id": guest, "amount": 800}, {"member_id": flat.owner_id, "amount": 100}]
    expense = await flat.spend(900, split="exact", participants=participants)
    changed = await flat.owner.patch(f"{flat.path}/expenses/{expense['expense_id']}", {"split": "equal"}, "*")
    assert {each["amount"] for each in changed.body["participants"]} == {450}
    assert (await typed_of(db, expense))["participants"] == [{"member_id": guest}, {"member_id": flat.owner_id}]


async def test_it_is_not_shown_but_is_in_the_history(flat, db):
    expense = await flat.spend(900)
    assert "typed" not in expense
    assert json.loads(await db.fetchval("select after -> 'typed' from revisions order by revision desc limit 1")) == (
        await typed_of(db, expense)
    )


@pytest.mark.parametrize("split", ["equal", "exact"])
async def test_what_the_release_before_recorded_can_be_changed(flat, db, split):
    guest = await flat.guest()
    shares = [{"member_id": guest, "amount": 600}, {"member_id": flat.owner_id, "amount": 300}]
    expense = await flat.spend(
        900, payer=guest, **({"split": split, "participants": shares} if split == "exact" else {})
    )
    await db.execute("update expenses set typed = null")
    path = f"{flat.path}/expenses/{expense['expense_id']}"
    assert (await flat.owner.patch(path, {"notes": "as it was"}, "*")).body == expense | {
        "notes": "as it was",
        "version": 2,
        "updated_at": (await flat.owner.get(path)).body["updated_at"],
    }
    assert (await typed_of(db, expense))["payer"] == guest


def test_the_migration_fills_in_what_was_typed(empty_database, tmp_path):
    for file in folder("migrations").glob("000[1-6].*.sql"):
        shutil.copy(file, tmp_path)
    migrate(empty_database, tmp_path)
    with psycopg.connect(empty_database, autocommit=True) as connection:
        make = "insert into teams (name, currency) values ('Flat', 'EUR') returning team_id"
        [team] = connection.execute(make).fetchone()
        ann, kim = (
            connection.execute(
                "insert into members (team_id, name, role) values (%s, %s, 'guest') returning member_id::text",
                (team, name),
            ).fetchone()[0]
            for name in ("Ann", "Kim")
        )
        shares = [{"member_id": kim, "amount": 600}, {"member_id": ann, "amount": 300}]
        payers = [{"member_id": kim, "amount": 900}]
        for split in ("equal", "exact"):
            with connection.transaction():
                [expense] = connection.execute(
                    "insert into expenses (team_id, description, amount, currency, spent_on, split, payers,"
                    " participants, created_by)"
                    " values (%s, %s, 900, 'EUR', '2026-01-01', %s, %s, %s, %s) returning expense_id",
                    (team, split, split, json.dumps(payers), json.dumps(shares), ann),
                ).fetchone()
                for member, paid, owed in ((kim, 900, 600), (ann, 0, 300)):
                    connection.execute(
                        "insert into entries (team_id, expense_id, member_id, currency, paid, owed)"
                        " values (%s, %s, %s, 'EUR', %s, %s)",
                        (team, expense, member, paid, owed),
                    )
        migrate(empty_database)
        found = dict(connection.execute("select split, typed from expenses").fetchall())
    assert found == {
        "equal": {"payer": kim, "participants": [{"member_id": kim}, {"member_id": ann}]},
        "exact": {"payer": kim, "participants": shares},
    }


def test_a_mode_without_arithmetic_cannot_be():
    with pytest.raises(TypeError, match="divide"):
        Mode(takes=("percent",))


@pytest.mark.parametrize("split", modes)
def test_every_mode_takes_what_a_participant_can_have(split):

    assert set(modes[split].takes) <= set(Participant().fields) - {"member_id"}
