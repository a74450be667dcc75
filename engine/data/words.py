"""The vocabulary of the demo world's titles."""

GENRES = (
    "Western", "Mystery", "Romance", "Comedy", "Thriller", "Musical", "Fantasy", "Drama",
    "Adventure", "Documentary", "Tragedy", "Satire", "Fable", "Horror", "Biography", "Heist",
)  # fmt: skip
MOODS = (
    "Gloomy", "Tender", "Frantic", "Dreamy", "Bitter", "Cheerful", "Solemn", "Eerie",
    "Playful", "Lonely", "Defiant", "Gentle", "Furious", "Wistful", "Absurd", "Hopeful",
)  # fmt: skip
ERAS = (
    "Medieval", "Victorian", "Wartime", "Roman", "Futuristic", "Colonial", "Baroque", "Modern",
    "Viking", "Bronze", "Postwar", "Imperial",
)  # fmt: skip
FIRST = (
    "Iron", "Silver", "Hollow", "Crimson", "Silent", "Golden", "Broken", "Hidden", "Winter", "Burning",
    "Velvet", "Stone", "Paper", "Salt", "Copper", "Distant", "Falling", "Green", "Lost", "Marble",
    "Northern", "Open", "Pale", "Quiet", "Rising", "Scarlet", "Twin", "Upper", "Violet", "White",
    "Amber", "Black", "Cold", "Dusty", "Endless", "Frozen", "Glass", "High",
)  # fmt: skip
SECOND = (
    "Meadow", "Harbour", "Lantern", "Bridge", "River", "Garden", "Tower", "Orchard", "Mirror", "Station",
    "Canyon", "Island", "Crown", "Letter", "Shadow", "Forest", "Engine", "Market", "Valley", "Window",
    "Anchor", "Castle", "Desert", "Feather", "Gate", "House", "Journey", "Kingdom", "Library", "Mountain",
    "Needle", "Ocean", "Palace", "Road", "Summit", "Temple", "Village", "Wolf",
)  # fmt: skip


def series(number: int) -> str:
    """The two words that name a series; 1,444 numbers have different names, neighbours share no word."""
    first, shift = number % len(FIRST), number // len(FIRST)
    return f"{FIRST[first]} {SECOND[(first * 7 + shift) % len(SECOND)]}"


def with_article(word: str) -> str:
    """'A gloomy', 'An eerie'."""
    return f"{'An' if word[0] in 'aeiou' else 'A'} {word}"
