"""Names of people and of events: made up of common parts, so that no list can know them all."""

from __future__ import annotations

from random import Random

from training.synthetic.identity import Split, split_of

__all__ = ["event_name", "person_name"]

GIVEN = (
    "Aisha", "Alex", "Amara", "Ana", "Anton", "Beatriz", "Carlos", "Chloe", "Daniel", "Diego", "Elena",
    "Emma", "Erik", "Fatima", "Felix", "Grace", "Hana", "Hassan", "Hugo", "Ibrahim", "Ines", "Ivan",
    "Jack", "James", "Jamal", "Jonas", "Julia", "Karim", "Kate", "Kenji", "Lars", "Laura", "Leo",
    "Lina", "Lucas", "Mai", "Marco", "Maria", "Mei", "Mia", "Mohamed", "Nadia", "Nina", "Noah", "Olga",
    "Omar", "Oscar", "Paul", "Pedro", "Priya", "Rafael", "Rosa", "Ruth", "Sam", "Sara", "Sofia",
    "Tariq", "Tom", "Uma", "Victor", "Wei", "Yara", "Yusuf", "Zoe",
)  # fmt: skip
SYLLABLES = (
    "an", "ar", "bel", "ber", "bo", "bra", "cal", "can", "cor", "da", "dal", "del", "den", "do", "dor",
    "el", "en", "fer", "fin", "ga", "gar", "go", "gran", "ha", "hal", "han", "hol", "is", "ka", "kar",
    "kel", "ko", "kor", "la", "lan", "lar", "len", "lin", "lo", "mar", "mel", "mi", "mon", "mor", "na",
    "nel", "no", "nor", "ol", "or", "pal", "par", "per", "ra", "ram", "ren", "ri", "rin", "ro", "ros",
    "sa", "san", "sel", "sen", "so", "sol", "ta", "tar", "tel", "ten", "to", "tor", "ul", "va", "val",
    "van", "ver", "vi", "vin", "wal", "wen", "za", "zel", "zo",
)  # fmt: skip
ENDINGS = (
    "son", "sen", "man", "ez", "ov", "ski", "ton", "ley", "ford", "well", "s", "ini", "ard", "er", "a",
    "o", "i",
)  # fmt: skip
EVENT_HEADS = (
    "Harbour", "River", "Winter", "Summer", "Northern", "Golden", "Midnight", "Silver", "Electric",
    "Paper", "Desert", "Ocean", "Garden", "Neon", "Lantern", "Copper", "Velvet", "Thunder", "Meadow",
    "Coral",
)  # fmt: skip
EVENT_TAILS = (
    "Fest", "Festival", "Open", "Cup", "Awards", "Live", "Summit", "Marathon", "Sessions", "Parade",
    "Expo", "Derby", "Games", "Tour", "Gala", "Nights", "Rising",
)  # fmt: skip


def person_name(random: Random, split: Split) -> str:
    """Given name and an invented surname, of this split's identities only."""
    while True:
        surname = "".join(random.choice(SYLLABLES) for _ in range(random.choice((1, 1, 2))))
        name = f"{random.choice(GIVEN)} {(surname + random.choice(ENDINGS)).capitalize()}"
        if split_of(name) == split:
            return name


def event_name(random: Random, split: Split) -> str:
    """An event or work as it stands on a poster, of this split's identities only."""
    while True:
        name = f"{random.choice(EVENT_HEADS)} {random.choice(EVENT_TAILS)}"
        if random.random() < 0.3:
            name += f" {random.randint(2012, 2026)}"
        if split_of(name) == split:
            return name
