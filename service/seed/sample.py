"""The people and teams of the sample data, and what they spend on."""

from typing import NamedTuple

people = ("Anna", "Ben", "Clara", "David", "Emma", "Felix", "Grace", "Hugo", "Iris", "Jonas", "Keiko", "Liam")
past_days = 730
trips = ((610, 596), (342, 325), (64, 49))
bookings = tuple((first + 75, first + 70) for first, _ in trips)


class Party(NamedTuple):
    """A member of a team, an account or a guest; `came` and `left` are in days ago."""

    name: str
    role: str = "member"
    came: int = past_days
    left: int | None = None


class Habit(NamedTuple):
    """A recurring expense or income of a team, during `spells`, which are in days ago.

    Amounts are multiples of `step` minor units. With `some`, not everybody takes part. Without `per_week` it is due on
    the first of every month. Two pay where `two_pay`.
    """

    category: str
    descriptions: tuple[str, ...]
    low: int
    high: int
    per_week: float | None = None
    step: int = 1
    some: bool = False
    currency: str | None = None
    spells: tuple[tuple[int, int], ...] = ((past_days, 0),)
    split: str = "equal"
    kind: str = "expense"
    two_pay: bool = False


class Settling(NamedTuple):
    """A payment by the settlement plan, on a day of every month."""

    day: int


class Team(NamedTuple):
    """A team; its first party creates it."""

    name: str
    currency: str
    parties: tuple[Party, ...]
    habits: tuple[Habit, ...]
    # Whether its books of last year are closed.
    is_closed: bool = False


# fmt: off
seeded = (
    Team("Elm Street 12", "EUR", (
        Party("Anna", "owner"), Party("Ben", "admin"), Party("Clara"), Party("David", left=288),
        Party("Emma", came=285), Party("Grace", "viewer", came=700), Party("Nils from the sofa", "guest", came=120),
    ), (
        Habit("rent", ("Rent",), 186000, 186000, split="exact"),
        Habit("rent", ("Deposit back", "Refund of the heating"), 4000, 30000, 0.05, kind="income"),
        Habit("utilities", ("Electricity", "Gas", "Internet"), 3999, 14500),
        Habit("groceries", ("Weekly shop", "Farmers' market", "Rewe", "Aldi", "Breakfast things"), 900, 9800, 3.4),
        Habit("household", ("Cleaning things", "Light bulbs", "Toilet paper", "Bin bags"), 250, 3800, 1.2),
        Habit("eating out", ("Pizza night", "Thai takeaway", "Burgers"), 2400, 8600, 1.4, 10, some=True),
        Habit("eating out", ("Dinner", "Brunch"), 2400, 8600, 0.4, 10, some=True, split="itemised"),
        Habit("eating out", ("Beer garden",), 2400, 6000, 0.3, 10, some=True, split="adjustment"),
        Habit("fun", ("Cinema", "Board game", "Concert", "Bouldering"), 1800, 12000, 0.7, 50, some=True, two_pay=True),
    ), is_closed=True),
    Team("Japan, again", "JPY", (
        Party("Emma", "owner"), Party("Grace", "admin"), Party("Anna"), Party("Felix"), Party("Keiko"),
        Party("Yuki", "guest", came=350),
    ), (
        Habit("transport", ("Flights", "Flight change"), 64000, 310000, 2, 100, currency="EUR", spells=bookings),
        Habit("transport", ("Shinkansen", "IC card top-up", "Taxi", "Ferry"), 1200, 56000, 6, 10, spells=trips),
        Habit("lodging", ("Ryokan", "Capsule hotel", "Minshuku", "Hotel"), 18000, 96000, 4, 100, spells=trips),
        Habit("food", ("Breakfast at the konbini", "Onigiri", "Coffee and toast"), 600, 4800, 6, 10, spells=trips),
        Habit("food", ("Ramen", "Soba", "Curry", "Bento on the train"), 2800, 9800, 7, 10, some=True, spells=trips),
        Habit("food", ("Izakaya", "Sushi", "Yakitori", "Okonomiyaki"), 7200, 38000, 6, 10, spells=trips),
        Habit("sights", ("Temple entry", "Museum", "Onsen", "Aquarium"), 800, 16000, 5, 100, some=True, spells=trips),
    )),
    Team("The Saturday Band", "GBP", (
        Party("Hugo", "owner"), Party("Iris", "admin"), Party("Liam"), Party("Jonas"), Party("Ben", came=400),
        Party("Keiko", "viewer", came=380), Party("Max at the mixer", "guest", came=500),
    ), (
        Habit("rehearsal", ("Rehearsal room",), 24000, 24000, split="percent"),
        Habit("gigs", ("Fee for a gig",), 20000, 60000, 0.2, 1000, kind="income"),
        Habit("rehearsal", ("Drinks after the rehearsal", "Sandwiches", "Fish and chips"), 1200, 6400, 1.3, 5),
        Habit("gear", ("Strings", "Drum sticks", "Cables", "Microphone", "Gaffer tape"), 450, 16000, 1.2, some=True),
        Habit("travel", ("Petrol", "Van hire", "Train to the gig", "Parking"), 600, 18500, 1.7),
    )),
    Team("Jonas, Iris and the children", "EUR", (
        Party("Jonas", "owner"), Party("Iris", "owner"), Party("Felix", "viewer", came=500),
        Party("Grandma", "guest", came=240),
    ), (
        Habit("mortgage", ("Mortgage",), 142350, 142350, split="exact"),
        Habit("utilities", ("Heating", "Electricity", "Water and waste"), 5200, 19800),
        Habit("groceries", ("Supermarket", "Bakery", "Butcher", "Vegetable box"), 600, 16500, 4.6),
        Habit("children", ("School trip", "Shoes", "Swimming lessons", "Birthday present"), 900, 8900, 1.8),
        Habit("car", ("Petrol", "Car wash", "Tyres", "Repair"), 1500, 24000, 0.9),
        Habit("holidays", ("Campsite", "Ferry", "Boat hire"), 450, 42000, 6, 10, split="shares", spells=((430, 412),)),
    )),
)
# fmt: on


# In every team.
settling = Settling(day=10)

# In every team.
settling = Settling(day=10)
